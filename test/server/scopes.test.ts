// Of the rows that somebody may see, only those that they want: over the wire, and with our client.
import { afterEach, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import { createClient, memoryStore, platformEnv, webSocketTransport } from 'syncline/client'
import type { Client } from 'syncline/client'
import { cleanUp, later, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { openSession, update } from './support/session.ts'
import type { Session } from './support/session.ts'

afterEach(cleanUp)

const schema = `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, list INTEGER, title TEXT, secret TEXT);
  INSERT INTO notes VALUES ('a', 1, 'one', 's'), ('b', 2, 'two', 's'), ('c', 3, 'three', 's')`

const notes = defineEntity({
  name: 'notes',
  by: ['list', 'secret'],
  access: { read: () => ({ list: { lt: 3 } }), columns: () => ['list', 'title'] },
})

const begin = (): Promise<App> => startApp({ schema, entities: [notes] })
const ids = (frames: readonly object[]): string[] =>
  Array.from(JSON.stringify(frames).matchAll(/\[\d+,"(\w)"/g), ([, id = '']) => id).sort()

async function ask(session: Session, more: object): Promise<object[]> {
  const from = session.frames.length
  session.send({
    type: 'subscribe',
    scopes: [{ entity: 'notes', cursor: null, marks: [], shape: null, ...more }],
  })
  await until('an answer', () =>
    session.frames
      .slice(from)
      .some(
        ({ type, ...frame }) => type === 'error' || type === 'reset' || (type === 'batch' && 'to' in frame),
      ),
  )
  return session.frames.slice(from)
}

test('[V9] a scope is sent its own rows, what comes into it and what leaves it; a place in it goes on', async () => {
  const { url, db } = await begin()
  const session = await openSession(url)
  const where = { list: 1 }
  const loaded = await ask(session, { where })
  expect(ids(loaded)).toEqual(['a'])
  db.exec("UPDATE notes SET list = 1 WHERE id = 'b'; UPDATE notes SET title = 'else' WHERE id = 'c'")
  await until('the one that came in', () => ids(session.frames).includes('b'))
  db.exec("UPDATE notes SET list = 2 WHERE id = 'a'")
  const gone = await until('the one that left', () =>
    session.frames.find(frame => JSON.stringify(frame).includes('"gone"')),
  )
  expect(JSON.stringify(gone)).toContain('["a",')
  expect(ids(session.frames)).not.toContain('c')

  const { hash } = (session.welcome['entities'] as { notes: { hash: string } }).notes
  const cursor = gone['to']
  const again = await openSession(url)
  db.exec("UPDATE notes SET title = 'new' WHERE id = 'b'")
  const shape = `${hash}|${JSON.stringify(where)}`
  const caughtUp = await ask(again, { where, cursor, shape })
  expect([caughtUp.some(frame => 'state' in frame), ids(caughtUp)]).toEqual([false, ['b']])
  // another wish is another shape
  const other = await ask(await openSession(url), { where: { list: 2 }, cursor, shape })
  expect(other).toContainEqual(expect.objectContaining({ type: 'reset', state: 'shape' }))
})

test('[V9] a scope shows nothing that may not be seen, nor goes by it; what it goes by must be logged', async () => {
  const { url, db } = await begin()
  expect(ids(await ask(await openSession(url), { where: { list: 3 } }))).toEqual([])
  expect(ids(await ask(await openSession(url), { where: { or: [{ list: 3 }, { list: 1 }] } }))).toEqual(['a'])
  const session = await openSession(url)
  for (const where of [
    { secret: 's' },
    { title: 'one' },
    { nothing: 1 },
    { list: { like: 1 } },
    { or: 1 },
    { list: { in: Array.from({ length: 5000 }, (_, i) => i) } },
    [],
  ]) {
    const [error] = await ask(session, { where })
    expect(error).toMatchObject({ type: 'error', code: 'INVALID_MESSAGE' })
  }
  // what one wants to see does not say what one may do
  session.send({ type: 'unsubscribe', entities: ['notes'] })
  await ask(session, { where: { list: 1 } })
  session.mutate([update(1, 'notes', 'b', { title: 'mine' })])
  await until('the result', () => session.results().length > 0)
  expect(session.results()[0]?.status).toBe('applied')
  expect(db.prepare("SELECT title FROM notes WHERE id = 'b'").all()).toEqual([{ title: 'mine' }])
})

test('[V11] what comes into a scope is sent, and nothing else: 100 rows to 10,000 that are held, and away again', async () => {
  const rows = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)
    INSERT INTO notes SELECT printf('n%05d', i), iif(i <= 10000, 1, 2), printf('a title of some length, the one of row %d', i), '' FROM n`
  const { url } = await startApp({
    schema: `${schema}; DELETE FROM notes; ${rows}`,
    entities: [defineEntity({ name: 'notes', by: ['list'] })],
  })
  const { client, wire, reset, atOnce } = watched(url)
  await client.scope('notes', { where: { list: 1 } }).ready
  expect(client.getAll('notes')).toHaveLength(10_000)
  expect(wire.rows).toBe(10_000)
  const whole = wire.down
  reset()
  const more = client.scope('notes', { where: { list: 2 } })
  await more.ready
  expect(client.getAll('notes')).toHaveLength(10_100)
  expect(wire.rows).toBe(100)
  expect(wire.gone).toBe(0)
  expect(whole).toBeGreaterThan(600_000)
  expect(wire.up + wire.down).toBeLessThan(16_000)
  reset()
  atOnce(() => more.close())
  await until('what was given up is let go', () => wire.compared === 1)
  expect(client.getAll('notes')).toHaveLength(10_000)
  expect([wire.rows, wire.gone]).toEqual([0, 0])
  expect(wire.up + wire.down).toBeLessThan(8_000)
})

test('[V12] the client holds the first rows of a large table, live and after an absence, and reads them by a query', async () => {
  const rows = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO notes SELECT printf('n%05d', i), i % 5, 'title ' || i, '' FROM n`
  const { url, db } = await startApp({
    schema: `${schema}; DELETE FROM notes; ${rows}; CREATE INDEX by_list ON notes(list)`,
    entities: [defineEntity({ name: 'notes', by: ['list'] })],
  })
  const store = memoryStore()
  const open = (): ReturnType<typeof createClient<[]>> => {
    const client = createClient({ url: `${url}/api/sync`, entities: [], store })
    later(() => client.close())
    return client
  }
  const window = { where: { list: 3 }, orderBy: [['title', 'desc']] as const, limit: 5 }
  const expected = (): unknown[] =>
    db
      .prepare('SELECT id FROM notes WHERE list = 3 ORDER BY title DESC, id LIMIT 5')
      .all()
      .map(row => (row as { id: string }).id)
  const client = open()
  await client.scope('notes', window).ready
  const query = client.query('notes', window)
  const shown = (): unknown[] => query.rows.map(row => row['id'])
  expect(shown()).toEqual(expected())
  expect(client.getAll('notes')).toHaveLength(5)
  db.exec("UPDATE notes SET title = 'zz' WHERE id = 'n00003'; DELETE FROM notes WHERE id = 'n04998'")
  await until('the window', () => shown().join() === expected().join())
  await client.create('notes', { id: 'mine', list: 3, title: 'zzz' }).confirmed
  expect(shown()[0]).toBe('mine')
  await until('the window', () => client.getAll('notes').length === 5)
  await client.close()
  db.exec(
    "UPDATE notes SET list = 1 WHERE id IN ('mine', 'n00003'); UPDATE notes SET title = 'zy' WHERE id = 'n00008'",
  )
  const again = open()
  await again.scope('notes', window).ready
  expect(again.query('notes', window).rows.map(row => row['id'])).toEqual(expected())
  expect(again.getAll('notes')).toHaveLength(5)
})

/** A client whose frames are counted: their characters, and the rows in them. */
function watched(url: string): {
  readonly client: Client
  readonly wire: { up: number; down: number; rows: number; gone: number; compared: number }
  readonly reset: () => void
  /** No time passes between what is given up here and its end. */
  readonly atOnce: (run: () => void) => void
} {
  const nothing = { up: 0, down: 0, rows: 0, gone: 0, compared: 0 }
  const wire = { ...nothing }
  const env = platformEnv()
  let hurried = false
  const transport = webSocketTransport(`${url}/api/sync`)
  const client = createClient({
    url: `${url}/api/sync`,
    entities: [],
    store: 'memory',
    env: { ...env, after: (ms, run) => env.after(hurried ? 0 : ms, run) },
    transports: [
      {
        name: transport.name,
        connect(events) {
          const frame = (text: string): ReturnType<typeof events.frame> => {
            wire.down += text.length
            wire.compared += Number(text.startsWith('{"type":"mismatch"'))
            const { sets = [] } = JSON.parse(text) as { sets?: { rows: object[]; gone?: object[] }[] }
            for (const { rows, gone = [] } of sets) {
              wire.rows += rows.length
              wire.gone += gone.length
            }
            return events.frame(text)
          }
          const connection = transport.connect({ ...events, frame })
          return {
            ...connection,
            send(text) {
              wire.up += text.length
              return connection.send(text)
            },
          }
        },
      },
    ],
  })
  later(() => client.close())
  return {
    client,
    wire,
    reset: () => void Object.assign(wire, nothing),
    atOnce(run) {
      hurried = true
      run()
      hurried = false
    },
  }
}

test('[V9] the client holds only what it asked for; asking for something else brings that, and keeps unsent edits', async () => {
  const { url, db } = await begin()
  const store = memoryStore()
  const open = (where: { list: number }): ReturnType<typeof createClient<['notes']>> => {
    const client = createClient({
      url: `${url}/api/sync`,
      entities: ['notes'],
      where: { notes: where },
      store,
    })
    later(() => client.close())
    return client
  }
  const shown = (client: ReturnType<typeof open>): string[] =>
    client
      .getAll('notes')
      .map(row => JSON.stringify(row['id']))
      .sort()
  const first = open({ list: 1 })
  await until('its row', () => shown(first).length === 1)
  expect(shown(first)).toEqual(['"a"'])
  db.exec("UPDATE notes SET list = 1 WHERE id = 'b'")
  await until('the one that came in', () => shown(first).length === 2)
  first.disconnect()
  await first.update('notes', 'a', { title: 'offline' }).persisted
  await first.close()
  db.exec("UPDATE notes SET list = 2 WHERE id = 'b'")
  const second = open({ list: 2 })
  await until('the other row', () => shown(second).join() === '"b"')
  await until('the edit', () => second.status().pending === 0)
  expect(db.prepare("SELECT title FROM notes WHERE id = 'a'").all()).toEqual([{ title: 'offline' }])
})
