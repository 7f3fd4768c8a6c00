// The inbox: whatever somebody wrote and did not survive is on record, for those who may see it, until it is settled.
import { afterEach, describe, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import type { FieldMergeStrategy, Row, SyncOptions } from 'syncline'
import { createClient } from 'syncline/client'
import type { Client } from 'syncline/client'
import { cleanUp, later, rowsOf, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { openSession, update } from './support/session.ts'
import type { Session } from './support/session.ts'

afterEach(cleanUp)

const schema = `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, team TEXT, title TEXT, body TEXT, secret TEXT);
  INSERT INTO notes VALUES ('a', 'x', 'first', 'first', 's')`

type Strategy = FieldMergeStrategy
const begin = (more: Partial<SyncOptions> = {}, strategy?: Strategy): Promise<App> =>
  startApp({
    schema,
    entities: ['notes'],
    grain: 'field',
    ...(strategy === undefined ? {} : { strategy }),
    ...more,
  })

const records = ({ db }: App): Row[] =>
  rowsOf(db, 'SELECT * FROM _syncline_conflicts ORDER BY row_id, field') as Row[]
const stamp = (ms: number): string => `${Date.now() + ms}000.client`

/** Mutation `n` of `session`, made when it stood at `seq`, `ms` from now. */
async function write(
  session: Session,
  n: number,
  data: object,
  { seq, ms = 0, was }: { seq: number; ms?: number; was?: object },
): Promise<string | undefined> {
  const { epoch } = session.welcome
  const one = { entity: 'notes', id: 'a', action: 'update', data, ...(was === undefined ? {} : { was }) }
  session.mutate([{ n, base: { epoch, seq }, stamp: stamp(ms), writes: [one] }])
  return (await until('a result', () => session.results().find(result => result.n === n))).status
}

describe('[I1] whatever did not survive is on record', () => {
  test('lost to a newer write: base, both values, who, when, why', async () => {
    const app = await begin()
    const session = await openSession(app.url)
    const seq = session.welcome.head
    app.db.exec("UPDATE notes SET title = 'server' WHERE id = 'a'")
    const status = await write(
      session,
      1,
      { title: 'mine', body: 'mine' },
      { seq, ms: -60_000, was: { title: 'first', body: 'first' } },
    )
    expect(status).toBe('merged')
    expect(rowsOf(app.db, 'SELECT title, body FROM notes')).toEqual([{ title: 'server', body: 'mine' }])
    const [record, ...others] = records(app)
    expect(others).toEqual([])
    expect(record).toMatchObject({
      entity: 'notes',
      row_id: 'a',
      field: 'title',
      base: '"first"',
      mine: '"mine"',
      theirs: '"server"',
      writer: 'anon',
      other: null,
      outcome: 'last-write-wins',
      status: 'open',
      resolved_at: null,
    })
    expect(Math.abs(Number(record?.['at']) - Date.now())).toBeLessThan(60_000)
  })

  test.each(['server-wins', 'keep-both'] as const)('%s: the newer value too', async strategy => {
    const app = await begin({}, strategy)
    const session = await openSession(app.url)
    const seq = session.welcome.head
    app.db.exec("UPDATE notes SET title = 'server' WHERE id = 'a'")
    expect(await write(session, 1, { title: 'mine' }, { seq, ms: 30_000 })).toBe('conflict')
    expect(records(app)).toMatchObject([
      { field: 'title', mine: '"mine"', theirs: '"server"', outcome: strategy },
    ])
  })

  test.each(['last-write-wins', 'client-wins'] as const)(
    '%s: what a client had stored and somebody wrote over without having seen it',
    async strategy => {
      const app = await begin({}, strategy)
      const [one, two] = [await openSession(app.url), await openSession(app.url)]
      const seq = one.welcome.head
      expect(await write(one, 1, { title: 'one' }, { seq })).toBe('applied')
      expect(await write(two, 1, { title: 'two' }, { seq, ms: 30_000 })).toBe('applied')
      expect(records(app)).toMatchObject([
        { field: 'title', mine: '"one"', theirs: '"two"', other: 'anon', outcome: strategy },
      ])
      // who had seen it wrote over it knowingly
      const later = app.engine.stats().then(({ head }) => head)
      expect(await write(one, 2, { title: 'three' }, { seq: await later })).toBe('applied')
      expect(records(app)).toHaveLength(1)
    },
  )

  test('the row was deleted under it; and values that a delete took away unseen', async () => {
    const app = await begin()
    const [one, two] = [await openSession(app.url), await openSession(app.url)]
    const seq = one.welcome.head
    await write(one, 1, { title: 'one' }, { seq })
    const { epoch } = two.welcome
    two.mutate([
      {
        n: 1,
        base: { epoch, seq },
        stamp: stamp(30_000),
        writes: [{ entity: 'notes', id: 'a', action: 'delete' }],
      },
    ])
    await until('a result', () => two.results().length > 0)
    expect(records(app)).toMatchObject([
      { field: 'title', mine: '"one"', theirs: null, outcome: 'deleted', other: 'anon' },
    ])
    await write(one, 2, { body: 'late' }, { seq, ms: 60_000 })
    expect(records(app)).toMatchObject([
      { field: 'body', mine: '"late"', theirs: null, outcome: 'deleted', other: null },
      { field: 'title' },
    ])
  })

  test('a transaction is lost whole, and each of its values is named', async () => {
    const app = await begin()
    app.db.exec("INSERT INTO notes VALUES ('b', 'x', 'first', 'first', 's')")
    const session = await openSession(app.url)
    const { epoch, head: seq } = session.welcome
    app.db.exec("UPDATE notes SET title = 'server' WHERE id = 'a'")
    const writes = ['a', 'b'].map(id => ({ entity: 'notes', id, action: 'update', data: { title: 'mine' } }))
    session.mutate([{ n: 1, base: { epoch, seq }, stamp: stamp(-60_000), writes }])
    await until('a result', () => session.results().length > 0)
    expect(rowsOf(app.db, "SELECT count(*) AS n FROM notes WHERE title = 'mine'")).toEqual([{ n: 0 }])
    expect(records(app).map(({ row_id, theirs, outcome }) => [row_id, theirs, outcome])).toEqual([
      ['a', '"server"', 'transaction'],
      ['b', '"first"', 'transaction'],
    ])
  })

  test('a further loss of the same writer, row and field takes its place; the base stays', async () => {
    const app = await begin({}, 'server-wins')
    const session = await openSession(app.url)
    const seq = session.welcome.head
    app.db.exec("UPDATE notes SET title = 'server' WHERE id = 'a'")
    await write(session, 1, { title: 'mine' }, { seq, was: { title: 'first' } })
    app.db.exec("UPDATE notes SET title = 'again' WHERE id = 'a'")
    await write(session, 2, { title: 'mine 2' }, { seq, was: { title: 'mine' } })
    expect(records(app)).toMatchObject([{ base: '"first"', mine: '"mine 2"', theirs: '"again"' }])
  })

  test('the same value on both sides is no loss, nor is one that a resolver made something of', async () => {
    const entity = (resolver: (server: Row, client: Row) => Row) => defineEntity({ name: 'notes', resolver })
    const race = async (resolver: (server: Row, client: Row) => Row): Promise<Row[]> => {
      const app = await begin({ entities: [entity(resolver)] })
      const session = await openSession(app.url)
      const seq = session.welcome.head
      app.db.exec("UPDATE notes SET title = 'server', body = 'same' WHERE id = 'a'")
      await write(session, 1, { title: 'mine', body: 'same' }, { seq })
      return records(app)
    }
    const both = (server: Row, client: Row): Row => ({
      ...server,
      title: JSON.stringify([server['title'], client['title']]),
    })
    expect(await race(both)).toEqual([])
    expect(await race(server => server)).toMatchObject([
      { field: 'title', mine: '"mine"', outcome: 'resolver' },
    ])
  })

  test('fields have strategies and resolvers of their own', async () => {
    const notes = defineEntity({
      name: 'notes',
      strategy: 'client-wins',
      fields: {
        title: { strategy: 'keep-both' },
        body: { resolver: (server, client) => JSON.stringify([server, client]) },
      },
    })
    const app = await startApp({ schema, entities: [notes] })
    const session = await openSession(app.url)
    const seq = session.welcome.head
    app.db.exec("UPDATE notes SET title = 'server', body = 'server', team = 'server' WHERE id = 'a'")
    expect(await write(session, 1, { title: 'mine', body: 'mine', team: 'mine' }, { seq })).toBe('merged')
    expect(rowsOf(app.db, 'SELECT title, body, team FROM notes')).toEqual([
      { title: 'server', body: '["server","mine"]', team: 'mine' },
    ])
    expect(records(app)).toMatchObject([{ field: 'title', outcome: 'keep-both' }])
    expect(() =>
      defineEntity({ name: 'notes', grain: 'entity', fields: { title: { strategy: 'keep-both' } } }),
    ).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })

  test('of whatever kind the values are, and also where the table would not have taken it', async () => {
    const app = await begin({}, 'server-wins')
    app.db.exec(
      "ALTER TABLE notes ADD COLUMN picture BLOB; UPDATE notes SET picture = x'0102' WHERE id = 'a'",
    )
    await until('the new column', async () =>
      JSON.stringify((await openSession(app.url)).welcome['entities']).includes('picture'),
    )
    const session = await openSession(app.url)
    const seq = session.welcome.head
    app.db.exec("UPDATE notes SET picture = x'03', title = 'server' WHERE id = 'a'")
    const data = { picture: { $blob: 'AQI=' }, title: { deep: [{ $blob: '?' }] } }
    await write(session, 1, data, { seq })
    expect(records(app)).toMatchObject([
      { field: 'picture', mine: '{"$blob":"AQI="}', theirs: '{"$blob":"Aw=="}' },
      { field: 'title', mine: '{"deep":[{"$blob":"?"}]}' },
    ])
  })

  test('an engine may do without', async () => {
    const app = await begin({ conflicts: false }, 'server-wins')
    const session = await openSession(app.url)
    const seq = session.welcome.head
    app.db.exec("UPDATE notes SET title = 'server' WHERE id = 'a'")
    expect(await write(session, 1, { title: 'mine' }, { seq })).toBe('conflict')
    expect(records(app)).toEqual([])
    expect(Object.keys(session.welcome['entities'] as object)).toEqual(['notes'])
  })
})

type Device = Client<{ notes: Row }>

async function device({ url }: App): Promise<Device> {
  const client = createClient({ url: `${url}/api/sync`, store: 'memory', entities: ['notes'] as const })
  client.conflicts.subscribe(() => {})
  later(() => client.close())
  await client.ready
  return client
}

/** Two devices wrote the same field while neither could hear of the other; the first of them lost. */
async function divided(strategy: Strategy): Promise<{ app: App; first: Device; second: Device }> {
  const app = await begin({}, strategy)
  const [first, second] = [await device(app), await device(app)]
  first.disconnect()
  await second.update('notes', 'a', { title: 'second' }).confirmed
  const edit = first.update('notes', 'a', { title: 'first of all' })
  first.connect()
  await edit.confirmed
  await until('the record', () => first.conflicts.list().length + second.conflicts.list().length === 2)
  return { app, first, second }
}

describe('[I2] [I4] the inbox of a client', () => {
  test('both sides see it; one call stores the value that lost, everywhere, and settles it', async () => {
    const { app, first, second } = await divided('keep-both')
    const [conflict] = first.conflicts.list()
    expect(conflict).toMatchObject({
      entity: 'notes',
      rowId: 'a',
      field: 'title',
      base: 'first',
      mine: 'first of all',
      theirs: 'second',
      outcome: 'keep-both',
      status: 'open',
    })
    expect(first.conflicts.list()).toBe(first.conflicts.list())
    expect(first.conflicts.get(conflict?.id ?? '')).toBe(conflict)
    await conflict?.keepMine().confirmed
    expect(first.conflicts.list()).toEqual([])
    await until('the others', () => second.get('notes', 'a')?.['title'] === 'first of all')
    await until('the others', () => second.conflicts.list().length === 0)
    expect(records(app)).toMatchObject([{ status: 'resolved', resolved_by: 'anon' }])
    expect(records(app)[0]?.['resolved_at']).not.toBeNull()
    expect(() => conflict?.keepMine()).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  })

  test('what stands may stay, another value may be written, and that offline too', async () => {
    const one = await divided('server-wins')
    await one.second.conflicts.keepTheirs(one.second.conflicts.list()[0]?.id ?? '').confirmed
    expect(one.second.get('notes', 'a')?.['title']).toBe('second')
    await until('the other', () => one.first.conflicts.list().length === 0)
    const { first, second } = await divided('keep-both')
    first.disconnect()
    const settled = first.conflicts.list()[0]?.resolve('third')
    expect([first.get('notes', 'a')?.['title'], first.conflicts.list()]).toEqual(['third', []])
    first.connect()
    await settled?.confirmed
    await until('the other', () => second.get('notes', 'a')?.['title'] === 'third')
  })

  test.each(['keepTheirs', 'keepMine'] as const)(
    'two who settle one of them apart (%s) lose no record',
    async call => {
      const { app, first, second } = await divided('keep-both')
      for (const one of [first, second]) one.disconnect()
      const answers = [second.conflicts.list()[0]?.resolve('third'), first.conflicts.list()[0]?.[call]()]
      second.connect()
      await answers[0]?.confirmed
      first.connect()
      await answers[1]?.confirmed
      expect(new Set(records(app).map(({ entity }) => entity))).toEqual(new Set(['notes']))
    },
  )

  test('records are asked for when somebody asks, and where there are none the list is empty', async () => {
    const lost = async (more: Partial<SyncOptions>): Promise<Device> => {
      const app = await begin(more, 'server-wins')
      const client = createClient({
        url: `${app.url}/api/sync`,
        store: 'memory',
        entities: ['notes'] as const,
      })
      later(() => client.close())
      await client.ready
      client.disconnect()
      const edit = client.update('notes', 'a', { title: 'mine' })
      app.db.exec("UPDATE notes SET title = 'server'")
      client.connect()
      await edit.confirmed
      return client
    }
    const client = await lost({})
    expect(Object.keys(client.status().cursors)).toEqual(['notes'])
    expect(client.conflicts.list()).toEqual([])
    await until('the record', () => client.conflicts.list().length === 1)
    const without = await lost({ conflicts: false })
    expect(without.conflicts.list()).toEqual([])
    await without.sync('notes')
    expect(without.conflicts.list()).toEqual([])
  })

  test('a row that was deleted under two edits is made anew of both', async () => {
    const app = await begin()
    const client = await device(app)
    client.disconnect()
    client.update('notes', 'a', { title: 'late' })
    client.update('notes', 'a', { body: 'late' })
    app.db.exec("DELETE FROM notes WHERE id = 'a'")
    client.connect()
    await until('the records', () => client.conflicts.list().length === 2)
    await client.conflicts.list()[0]?.keepMine().confirmed
    expect(client.get('notes', 'a')).toMatchObject({ title: 'late', body: 'late' })
    await until('both to be settled', () => client.conflicts.list().length === 0)
  })

  test('what the server refused reads the same, and is sent again, let go, or changed', async () => {
    const notes = defineEntity({
      name: 'notes',
      access: { write: (_user, { data }) => data['title'] !== 'bad' },
    })
    const app = await begin({ entities: [notes] })
    const client = await device(app)
    const refuse = async (): Promise<void> => {
      const { confirmed } = client.update('notes', 'a', { title: 'bad', body: 'good' })
      await expect(confirmed).rejects.toMatchObject({ code: 'FORBIDDEN' })
    }
    let told = 0
    client.conflicts.subscribe(() => void (told += 1))
    await refuse()
    expect(told).toBe(1)
    const [title, body] = client.conflicts.list()
    expect([title, body]).toMatchObject([
      { field: 'title', base: 'first', mine: 'bad', theirs: 'first', outcome: 'rejected' },
      { field: 'body', mine: 'good', error: { code: 'FORBIDDEN' } },
    ])
    await title?.resolve('fine').confirmed
    expect(client.get('notes', 'a')).toMatchObject({ title: 'fine', body: 'good' })
    expect(client.conflicts.list()).toEqual([])
    await refuse()
    await expect(client.conflicts.list()[0]?.keepMine().confirmed).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    client.conflicts.list()[0]?.keepTheirs()
    expect([client.conflicts.list(), client.deadLetters()]).toEqual([[], []])
  })
})

test('[I5] what was settled is forgotten with the log, what is open is kept, for half a year', async () => {
  const app = await begin({}, 'server-wins')
  const session = await openSession(app.url)
  const seq = session.welcome.head
  app.db.exec("UPDATE notes SET title = 'server', body = 'server' WHERE id = 'a'")
  await write(session, 1, { title: 'mine' }, { seq })
  await write(session, 2, { body: 'mine' }, { seq })
  app.db.exec("UPDATE _syncline_conflicts SET status = 'resolved', resolved_at = 1 WHERE field = 'title'")
  await app.engine.cleanup(1)
  expect(records(app)).toMatchObject([{ field: 'body', status: 'open' }])
  session.mutate([update(3, 'notes', 'a', { title: 'more' }, { base: { epoch: 'other', seq: 1 } })])
  await until('a result', () => session.results().length > 2)
  expect(records(app)).toHaveLength(2)
  const age = async (days: number): Promise<void> => {
    app.db.exec(`UPDATE _syncline_conflicts SET at = ${Date.now() - days * 86_400_000} WHERE field = 'body'`)
    await app.engine.cleanup(1)
  }
  await age(179)
  expect(records(app)).toHaveLength(2)
  await age(181)
  expect(records(app)).toMatchObject([{ field: 'title' }])
})
