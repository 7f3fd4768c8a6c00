// Two windows that are away for longer than the log is kept, and then for longer than clients are remembered. The clock
// of both sides and of the database's triggers is the test's.
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, expect, test } from 'vitest'
import { nodeEnv, SyncEngine } from 'syncline'
import { sqliteStore } from 'syncline/sqlite'
import { createClient, memoryStore, platformEnv, webSocketTransport } from 'syncline/client'
import type { Client } from 'syncline/client'
import { cleanUp, closeServer, later, listen, rowsOf, until } from './support/app.ts'

afterEach(cleanUp)

const day = 86_400_000
const schema =
  'CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL CHECK (length(text) < 40))'

async function world() {
  const clock = { at: Date.UTC(2026, 0, 1) }
  const now = (): number => clock.at
  const db = new DatabaseSync(':memory:')
  later(() => db.close())
  db.function('julianday', { varargs: true }, () => clock.at / day + 2_440_587.5)
  db.exec(schema)
  const env = { ...nodeEnv(), now }
  const engine = await SyncEngine.create({ store: sqliteStore(db, { env }), entities: ['notes'], env })
  const server = createServer(engine.routes())
  engine.attach(server)
  const url = `http://127.0.0.1:${await listen(server)}/api/sync`
  later(async () => {
    await engine.close()
    await closeServer(server)
  })
  const window = async (): Promise<Client> => {
    const client = createClient({
      url,
      entities: ['notes'] as string[],
      env: { ...platformEnv(), now },
      store: memoryStore(),
      transports: [webSocketTransport(url)],
    })
    later(() => client.close())
    await client.ready
    return client
  }
  const table = (): unknown => rowsOf(db, 'SELECT id, text FROM notes ORDER BY id')
  const shown = (client: Client): unknown =>
    client.getAll('notes').toSorted((a, b) => Number(a['id']) - Number(b['id']))
  return { clock, db, engine, windows: [await window(), await window()] as const, table, shown }
}

type World = Awaited<ReturnType<typeof world>>

/** Time passes for everybody, the log is cleaned up, and both come back. */
async function comeBack({ clock, engine, windows, table, shown }: World, days: number): Promise<void> {
  clock.at += days * day
  await engine.cleanup(7)
  for (const client of windows) client.connect()
  for (const client of windows) await until('the queue', () => client.status().pending === 0)
  for (const client of windows)
    await until('the table', () => JSON.stringify(shown(client)) === JSON.stringify(table()))
}

const goAway = async ({ windows }: World): Promise<void> => {
  for (const client of windows) client.disconnect()
  await until('both to be away', () => windows.every(client => client.status().state === 'idle'))
}

/** What became of a write. */
const fate = (handle: { confirmed: Promise<{ status: string }> }): Promise<string> =>
  handle.confirmed.then(
    ({ status }) => status,
    (error: { code: string }) => error.code,
  )

test('[L6] [D8] [Q3] [Q4] offline for 8 days, and then for 200: each edit is stored or answered, and both windows show the table', async () => {
  const all = await world()
  const { db, windows, table, engine } = all
  const [one, two] = windows
  db.exec("INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c')")
  for (const client of windows) await until('the rows', () => client.getAll('notes').length === 3)
  await fate(one.update('notes', 1, { text: 'known to the server' }))
  await fate(two.update('notes', 3, { text: 'this one too' }))

  await goAway(all)
  const week = [
    one.update('notes', 1, { text: 'one, after 8 days' }),
    one.create('notes', { text: 'new, after 8 days' }),
    one.create('notes', { text: 'much longer than the column takes, by far' }),
    // its delete is forgotten by the time that this arrives
    two.update('notes', 2, { text: 'of a row that is gone' }),
    two.update('notes', 3, { text: 'two, after 8 days' }),
  ].map(fate)
  db.exec("DELETE FROM notes WHERE id = 2; INSERT INTO notes VALUES (9, 'meanwhile')")
  await comeBack(all, 8)
  expect(await Promise.all(week)).toEqual(['applied', 'applied', 'CONSTRAINT_FAILED', 'conflict', 'applied'])
  expect(table()).toEqual([
    { id: 1, text: 'one, after 8 days' },
    { id: 3, text: 'two, after 8 days' },
    { id: 9, text: 'meanwhile' },
    { id: 10, text: 'new, after 8 days' },
  ])
  expect(windows.map(client => client.deadLetters().map(({ error }) => error.code))).toEqual([
    ['CONSTRAINT_FAILED'],
    [],
  ])
  expect((await engine.stats()).clients).toBe(2)

  await goAway(all)
  const names = windows.map(client => client.status().client)
  const halfYear = [
    one.update('notes', 1, { text: 'one, after 200 days' }),
    one.delete('notes', 10),
    two.create('notes', { text: 'new, after 200 days' }),
    two.update('notes', 9, { text: 'against what was written since' }),
  ].map(fate)
  db.exec("UPDATE notes SET text = 'by somebody else' WHERE id = 3")
  await comeBack(all, 200)
  // the server has forgotten both, and takes their numbers where they go on
  expect(await Promise.all(halfYear)).toEqual(['applied', 'applied', 'applied', 'applied'])
  expect(table()).toEqual([
    { id: 1, text: 'one, after 200 days' },
    { id: 3, text: 'by somebody else' },
    { id: 9, text: 'against what was written since' },
    { id: 11, text: 'new, after 200 days' },
  ])
  expect(windows.map(client => client.status().client)).toEqual(names)
  expect(windows.map(client => client.deadLetters().length)).toEqual([1, 0])
  expect((await engine.stats()).clients).toBe(2)
})
