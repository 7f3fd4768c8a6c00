// Three people, a hundred rows, and connections that come and go: what is judged field by field ends equal everywhere.
import { afterEach, expect, test } from 'vitest'
import type { Row } from 'syncline'
import { createClient } from 'syncline/client'
import type { Client } from 'syncline/client'
import { seededRandom } from 'syncline/testing'
import type { Random } from 'syncline/testing'
import { cleanUp, later, rowsOf, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'

afterEach(cleanUp)

const fields = ['name', 'email', 'phone'] as const
const rows = 100
const seeds = 10
const steps = 24
const fast = { perSecond: 1_000_000, burst: 1_000_000 }
type Device = Client<{ people: Row; syncline_conflicts: Row }>

async function device({ url }: App): Promise<Device> {
  const entities = ['people', 'syncline_conflicts'] as const
  const client = createClient({ url: `${url}/api/sync`, store: 'memory', entities })
  later(() => client.close())
  await client.ready
  return client
}

/** What each client has written into a field, by `row field`. */
type Book = Map<string, Map<number, string>>

function write(clients: readonly Device[], who: number, random: Random, book: Book, step: number): void {
  for (let id = 1; id <= rows; id += 1) {
    if (!random.chance(0.15)) continue
    const field = random.pick(fields)
    const value = `${who} at ${step}`
    clients[who]?.update('people', id, { [field]: value })
    const place = `${id} ${field}`
    book.set(place, (book.get(place) ?? new Map<number, string>()).set(who, value))
  }
}

async function history(app: App, clients: readonly Device[], random: Random): Promise<Book> {
  const book: Book = new Map()
  for (let step = 0; step < steps; step += 1) {
    const who = random.int(clients.length)
    const client = clients[who]
    if (client === undefined) continue
    if (random.chance(0.3)) client.disconnect()
    else if (random.chance(0.5)) {
      client.connect()
      if (random.chance(0.7)) await until('a connection', () => client.status().state === 'ready')
    }
    write(clients, who, random, book, step)
    // sometimes all is said before somebody else begins, sometimes not
    if (random.chance(0.4) && client.status().state === 'ready')
      await until('the answers', () => client.pending().length === 0)
  }
  for (const client of clients) client.connect()
  for (const client of clients) await until('the queues', () => client.pending().length === 0)
  return book
}

const byId = (all: readonly Row[]): Row[] => all.toSorted((a, b) => Number(a['id']) - Number(b['id']))

test.each(Array.from({ length: seeds }, (_, i) => i + 1))(
  `[D7] T-F09 ${rows} rows between three clients, seed %i of ${seeds}: all replicas are equal, and whoever wrote a field alone has it`,
  async seed => {
    const app = await startApp({
      schema: `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, phone TEXT);
        WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${rows})
        INSERT INTO people SELECT id, 'first', 'first', 'first' FROM n`,
      entities: ['people'],
      fieldSync: 'last-write-wins',
      limits: { dataRate: fast, userDataRate: fast, controlRate: fast, userControlRate: fast },
    })
    const clients = [await device(app), await device(app), await device(app)]
    const book = await history(app, clients, seededRandom(seed))
    const table = rowsOf(app.db, 'SELECT * FROM people ORDER BY id') as Row[]
    for (const client of clients)
      await until('the rows', () => JSON.stringify(byId(client.getAll('people'))) === JSON.stringify(table))
    for (const row of table) {
      for (const field of fields) {
        const written = book.get(`${Number(row['id'])} ${field}`) ?? new Map<number, string>()
        expect(written.size === 0 ? ['first'] : [...written.values()]).toContain(row[field])
      }
    }
    // who was alone in a field met nobody: no record is of it
    const [client] = clients
    // reason: as the engine makes them
    const met = (client?.getAll('syncline_conflicts') ?? []) as unknown as { row_id: string; field: string }[]
    for (const { row_id, field } of met) expect(book.get(`${row_id} ${field}`)?.size).toBeGreaterThan(1)
    expect([...book.values()].some(one => one.size > 1)).toBe(true)
  },
)
