// The first rows of a table, over the wire, with the time in the test's hand.
import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import type { Down, Json, Row, Up } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { fakePeer } from '../testing/fake-peer.ts'
import { memoryApp } from '../testing/memory-app.ts'
import { MemoryDatabase } from '../testing/memory-database.ts'
import { memoryStore } from '../testing/memory-store.ts'
import { seededRandom } from '../testing/random.ts'
import { SyncEngine } from './engine.ts'
import { gather } from './windows.ts'

class Env extends FakeEnv {
  soon(run: () => void): () => void {
    return this.after(0, run)
  }
  secret(bytes: number): string {
    return 'ab'.repeat(bytes)
  }
}

const tables = [
  {
    name: 'notes',
    key: ['id'],
    columns: {
      id: { kind: 'integer' },
      owner: { kind: 'text' },
      rank: { kind: 'any' },
      title: { kind: 'text' },
      data: { kind: 'json' },
    },
  },
] as const

interface Client {
  readonly rows: Map<string, Row>
  readonly frames: Down[]
  say(message: Up): void
  /** The errors that were said. */
  errors(): string[]
}

async function begin() {
  const env = new Env()
  const database = new MemoryDatabase({ tables: [...tables], env })
  const app = memoryApp(database)
  const notes = defineEntity({
    name: 'notes',
    by: ['owner'],
    access: {
      read: user => (user['sees'] === undefined ? true : { owner: user['sees'] as string }),
      columns: () => ['owner', 'rank', 'data'],
    },
  })
  const engine = await SyncEngine.create({
    store: memoryStore({ database }),
    entities: [notes],
    env: { ...bound(env) },
    retentionDays: 0,
    access: 'public',
  })
  /** A client that takes what comes, as ours does. */
  const join = async (user: { id: string; sees?: string }): Promise<Client> => {
    const rows = new Map<string, Row>()
    const frames: Down[] = []
    const end = engine.connect(
      fakePeer('websocket', {
        write: all => {
          for (const { text } of all) {
            const frame = JSON.parse(text) as Down // reason: our own server printed it
            frames.push(frame)
            if (frame.type !== 'batch') continue
            for (const { rows: fresh, gone = [] } of frame.sets) {
              for (const [seq, id, owner, rank] of fresh)
                rows.set(JSON.stringify(id), { seq, owner: owner ?? null, rank: rank ?? null })
              for (const [id] of gone) rows.delete(id)
            }
          }
        },
      }),
      user,
    )
    const say = (message: Up): void => end.frame(JSON.stringify(message))
    say({ type: 'hello', protocol: 1, client: user.id, lead: 1, acked: 0 })
    await quiet()
    return {
      rows,
      frames,
      say,
      errors: () =>
        frames.flatMap(frame => (frame.type === 'error' ? [`${frame.code} ${frame.message}`] : [])),
    }
  }
  const quiet = async (ms = 0): Promise<void> => {
    await env.advance(ms)
    await settle()
  }
  return { env, app, engine, join, quiet, database }
}

/** An engine takes its environment apart. */
function bound(env: Env) {
  return {
    now: () => env.now(),
    random: () => env.random(),
    after: (ms: number, run: () => void) => env.after(ms, run),
    soon: (run: () => void) => env.soon(run),
    secret: (bytes: number) => env.secret(bytes),
  }
}

const ask = (where: Row): Up => ({
  type: 'subscribe',
  scopes: [{ entity: 'notes', cursor: null, marks: [], shape: null, where }],
})
const first = (limit: number, way: 'asc' | 'desc' = 'desc', where?: Row): Row => ({
  orderBy: [['rank', way]],
  limit,
  ...(where && { where }),
})
const ids = ({ rows }: Client): string =>
  [...rows.keys()]
    .map(Number)
    .sort((a, b) => a - b)
    .join()

test('[V12] the first rows and no others; what enters comes whole, what leaves goes, and what lies beyond is not named', async () => {
  const { app, join, quiet } = await begin()
  for (let i = 1; i <= 9; i++) await app.insert('notes', { id: i, owner: 'a', rank: i, title: 'hidden' })
  const client = await join({ id: 'u' })
  client.say(ask(first(3)))
  await quiet()
  expect(ids(client)).toBe('7,8,9')
  const from = client.frames.length
  await app.update('notes', '2', { rank: 50 })
  await quiet(100)
  expect(ids(client)).toBe('2,8,9')
  await app.remove('notes', '9')
  await quiet(100)
  // no change of it says that 7 is among them again
  expect(ids(client)).toBe('2,7,8')
  await app.update('notes', '4', { rank: 4.5 })
  await app.update('notes', '8', { rank: null })
  await quiet(100)
  expect(ids(client)).toBe('2,6,7')
  expect(client.rows.get('2')).toMatchObject({ rank: 50 })
  const named = JSON.stringify(
    client.frames.slice(from).flatMap(frame => (frame.type === 'batch' ? frame.sets : [])),
  )
  for (const id of ['1', '3', '4', '5']) expect(named).not.toMatch(new RegExp(`\\[\\d+,${id},|\\["${id}",`))
  expect(named).not.toContain('hidden')
})

test('[V12] a table that changes all the time is looked at every 100 ms at most', async () => {
  const { app, join, quiet, env } = await begin()
  for (let i = 1; i <= 5; i++) await app.insert('notes', { id: i, rank: i })
  const client = await join({ id: 'u' })
  client.say(ask(first(2)))
  await quiet()
  const from = client.frames.length
  for (let i = 0; i < 50; i++) {
    await app.update('notes', '5', { rank: 10 + i })
    await quiet(10)
  }
  await quiet(100)
  const batches = client.frames.slice(from).filter(frame => frame.type === 'batch')
  expect(batches.length).toBeGreaterThan(3)
  expect(batches.length).toBeLessThan(8)
  expect(client.rows.get('5')).toMatchObject({ rank: 59 })
  // what is no affair of the window costs nothing
  const still = client.frames.length
  await app.update('notes', '1', { title: 'x' })
  await quiet(200)
  expect(client.frames.slice(still).flatMap(frame => (frame.type === 'batch' ? frame.sets : []))).toEqual([])
  expect(env.timers.size).toBeGreaterThan(0)
})

test('[V12] [V1] of the rows that somebody may see, the first ones; what is hidden cannot be ordered by', async () => {
  const { app, join, quiet } = await begin()
  for (let i = 1; i <= 9; i++)
    await app.insert('notes', { id: i, owner: i % 2 === 0 ? 'a' : 'b', rank: i, data: { n: i } })
  const client = await join({ id: 'u', sees: 'a' })
  client.say(ask(first(2)))
  await quiet()
  expect(ids(client)).toBe('6,8')
  await app.update('notes', '8', { owner: 'b' })
  await app.update('notes', '9', { rank: 100 })
  await quiet(100)
  expect(ids(client)).toBe('4,6')
  expect(JSON.stringify(client.frames)).not.toMatch(/\[\d+,(1|3|5|7|9),/)
  for (const wish of [
    { orderBy: [['title', 'asc']], limit: 2 },
    { orderBy: [['nothing', 'asc']], limit: 2 },
    { orderBy: [['data', 'asc']], limit: 2 },
    { orderBy: [['rank', 'up']], limit: 2 },
    { orderBy: [['rank']], limit: 2 },
    { orderBy: ['rank'], limit: 2 },
    { orderBy: [['rank', 'asc']], limit: 0 },
    { orderBy: [['rank', 'asc']], limit: 1001 },
    { orderBy: [['rank', 'asc']], limit: 1.5 },
    { orderBy: [['rank', 'asc']] },
    { orderBy: [['rank', 'asc']], limit: 2, offset: 3 },
    { orderBy: [['rank', 'asc']], limit: 2, where: { rank: 1 } },
    { orderBy: [['rank', 'asc']], limit: 2, where: [1] },
    { orderBy: Array.from({ length: 9 }, () => ['rank', 'asc']), limit: 2 },
    { or: Array.from({ length: 17 }, (_, i) => ({ orderBy: [], limit: i + 1 })) },
  ] satisfies Json[]) {
    const before = client.errors().length
    client.say(ask(wish as Row)) // reason: it is none, on purpose
    await quiet()
    expect(client.errors().slice(before), JSON.stringify(wish)).toEqual([
      expect.stringMatching(/^INVALID_MESSAGE/),
    ])
  }
})

test('[V12] whoever comes back is brought to the rows that are the first ones by then', async () => {
  const { app, join, quiet } = await begin()
  for (let i = 1; i <= 9; i++) await app.insert('notes', { id: i, rank: i })
  const client = await join({ id: 'u' })
  client.say(ask(first(3)))
  await quiet()
  const batch = client.frames.findLast(frame => frame.type === 'batch')
  const welcome = client.frames.find(frame => frame.type === 'welcome')
  await app.remove('notes', '9')
  await app.insert('notes', { id: 20, rank: 7.5 })
  const again = await join({ id: 'v' })
  const shape = `${welcome?.entities['notes']?.hash}|${JSON.stringify(first(3))}`
  const cursor = batch?.to ?? null
  again.say({ type: 'subscribe', scopes: [{ entity: 'notes', cursor, marks: [], shape, where: first(3) }] })
  await quiet()
  expect(again.frames).toContainEqual(expect.objectContaining({ type: 'reset', state: 'check' }))
  const summary = Array.from({ length: 256 }, () => 0)
  const to = again.frames.findLast(frame => frame.type === 'batch')?.to
  if (to === undefined) throw new Error('a repair without an end')
  again.say({ type: 'reconcile', entity: 'notes', cursor: to, hashes: summary })
  await quiet()
  const mismatch = again.frames.findLast(frame => frame.type === 'mismatch')
  again.say({
    type: 'reconcile',
    entity: 'notes',
    cursor: to,
    held: [['9', 9]],
    buckets: mismatch?.buckets ?? [],
  })
  await quiet()
  expect(ids(again)).toBe('7,8,20')
})

test('[V12] filters and windows are wanted together: any of them shows a row, as SQL would, over 40 random tables', async () => {
  const random = seededRandom(12)
  for (let round = 0; round < 40; round++) {
    const { app, join, quiet, database } = await begin()
    const value = (): Json => random.pick<Json>([null, 1, 2, 2.5, 3, 'a', 'b', '😀', '\uFFFD'])
    const write = async (): Promise<void> => {
      const id = 1 + random.int(12)
      if (random.chance(0.2)) await app.remove('notes', String(id)).catch(() => {})
      else await app.replace('notes', { id, owner: random.pick(['a', 'b', null]), rank: value() })
    }
    for (let i = 0; i < 20; i++) await write()
    const wishes = Array.from({ length: 1 + random.int(3) }, (): Row => {
      const where = random.chance(0.5) ? { owner: random.pick(['a', 'b', null]) } : undefined
      if (random.chance(0.3)) return where ?? { owner: 'a' }
      return first(1 + random.int(4), random.pick(['asc', 'desc']), where)
    })
    const client = await join({ id: 'u' })
    client.say(ask(wishes.length === 1 ? (wishes[0] ?? {}) : { or: wishes }))
    await quiet()
    for (let step = 0; step < 8; step++) {
      const expected = new Set(wishes.flatMap(wish => wanted(wish, database.rows('notes'))))
      expect([...client.rows.keys()].sort(), JSON.stringify(wishes)).toEqual([...expected].sort())
      for (let i = random.int(4); i >= 0; i--) await write()
      await quiet(200)
    }
  }
})

/** From scratch: NULL, numbers, texts by code points, then by key. */
function wanted(wish: Row, rows: ReadonlyMap<string, Row>): string[] {
  const window = Array.isArray(wish['orderBy'])
  const where = (window ? wish['where'] : wish) as { owner?: string | null } | undefined
  const all = [...rows].filter(([, { owner }]) => where === undefined || owner === (where.owner ?? null))
  if (!window) return all.map(([id]) => id)
  const rank = (row: Row): [number, number, string] => {
    const value = row['rank'] ?? null
    if (typeof value === 'number') return [1, value, '']
    return typeof value === 'string' ? [2, 0, Buffer.from(value).toString('hex')] : [0, 0, '']
  }
  const sign = JSON.stringify(wish['orderBy']).includes('desc') ? -1 : 1
  all.sort(([a, left], [b, right]) => {
    const [x, y] = [rank(left), rank(right)]
    const way = x[0] - y[0] || x[1] - y[1] || (x[2] < y[2] ? -1 : x[2] > y[2] ? 1 : 0)
    return sign * way || Number(a) - Number(b)
  })
  return all.slice(0, Number(wish['limit'])).map(([id]) => id)
}

test('[V12] windows that are read one after the other are known up to where the first was read, and no further', async () => {
  const columns = [['id', 'integer']] as const
  const info = {
    name: 'notes',
    table: 'notes',
    shape: { columns, key: ['id'], hash: 'h', strategy: 'last-write-wins' },
    definition: defineEntity({ name: 'notes' }),
    integerKey: true,
    assignsKey: false,
    generated: new Set<string>(),
    routing: [],
  }
  let seq = 4
  const store = {
    ordered: () => {
      seq += 1
      return Promise.resolve({ ids: [`${seq}`], head: { epoch: 'e', seq, check: seq, horizon: 0 } })
    },
    // nothing is left to be looked for
    rowsById: () => Promise.reject(new Error('not asked')),
    snapshot: () => Promise.reject(new Error('not asked')),
  }
  const window = { order: [], limit: 9, matches: null, where: [] }
  const parts = { windows: [window, window, window], plain: null, plainWhere: [] }
  const found = await gather(store, info, parts, () => Promise.resolve(true))
  expect(found).toMatchObject({ ids: new Set(['5', '6', '7']), at: { seq: 5 } })
  // whoever does not want it any more has nothing read
  let turns = 2
  expect(await gather(store, info, parts, () => Promise.resolve(--turns > 0))).toBe(null)
  expect(seq).toBe(8)
})
