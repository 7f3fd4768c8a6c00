// How accept asks the store.
import { expect, test } from 'vitest'
import { clampStamp, defineEntity, readingOfMs, stampOf, SyncError } from '../core/index.ts'
import type { EntityDefinition, Json, Mutation, MutationResult, Row } from '../core/index.ts'
import { MemoryDatabase, memoryStore } from '../testing/index.ts'
import { Acceptor } from './accept.ts'
import { Views } from './views.ts'
import { nodeEnv } from './env.ts'
import type { ServerEnv } from './env.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

test('rows are looked up at once, and again only where one was written in between', async () => {
  const env = nodeEnv()
  const database = new MemoryDatabase({
    tables: [
      {
        name: 't',
        key: ['id'],
        columns: { id: { kind: 'text' }, v: { kind: 'any' } },
      },
    ],
    env: { now: () => env.now(), random: () => 0.5, after: (ms, run) => env.after(ms, run) },
  })
  let looks = 0
  const store = memoryStore({
    database,
    latency: async (call, when) => {
      if (call === 'look' && when === 'before') looks++
    },
  })
  await store.open([defineEntity({ name: 't', grain: 'field' })])
  for (let i = 0; i < 100; i++)
    database.write(transaction => transaction.insert('t', { id: `r${i}`, v: 'a' }))
  const acceptor = new Acceptor(store, env, quiet, {
    maxDriftMs: 60_000,
    resolverDeadlineMs: 1_000,
  })
  const change = (id: string, v: string): Mutation => ({
    n: null,
    base: null,
    stamp: null,
    writes: [{ entity: 't', id, action: 'update', data: { v } }],
  })
  const sender = { user: 'u', client: null, lead: null }
  const views = new Views({ id: 'u' }, store.entities, quiet)
  const all = Array.from({ length: 100 }, (_, i) => change(`r${i}`, 'b'))
  expect(await acceptor.accept(sender, all, 0, views)).toHaveLength(100)
  expect(looks).toBe(1)
  await acceptor.accept(sender, [change('r1', 'c'), change('r2', 'c'), change('r1', 'b')], 0, views)
  expect(looks).toBe(3)
  expect(database.rows('t').get('r1')).toEqual({ id: 'r1', v: 'b' })
  await store.close()
})

/** A table in which `r` was made, then changed: whoever saw nothing of the log meets both. */
async function begin(definition: EntityDefinition, env: ServerEnv = nodeEnv()) {
  const any = { kind: 'any' } as const
  const columns = { id: { kind: 'text' }, v: any, w: any } as const
  const world = nodeEnv()
  const database = new MemoryDatabase({ tables: [{ name: 't', key: ['id'], columns }], env: world })
  const store = memoryStore({ database })
  await store.open([definition])
  database.write(transaction => transaction.insert('t', { id: 'r', v: 'a', w: 'a' }))
  const { epoch } = await store.head()
  const change = (patch: Row): void => void database.write(one => one.update('t', 'r', patch))
  change({ v: 'b' })
  const acceptor = new Acceptor(store, env, quiet, { maxDriftMs: 60_000, resolverDeadlineMs: 60_000 })
  const views = new Views({ id: 'u' }, store.entities, quiet)
  let n = 0
  return {
    change,
    /** Rows that were made, then changed, each written by a mutation of its own whose writer saw nothing of that. */
    pushAll(ids: readonly string[], values: Record<string, Json>): Promise<MutationResult[]> {
      for (const id of ids) database.write(one => one.insert('t', { id, v: 'a', w: 'a' }))
      for (const id of ids) database.write(one => one.update('t', id, { v: 'b' }))
      const mutations = ids.map((id): Mutation => {
        const writes = [{ entity: 't', id, action: 'update', data: values } as const]
        return { n: (n += 1), base: { epoch, seq: 0 }, stamp: null, writes }
      })
      return acceptor.accept({ user: 'u', client: 'c', lead: 1 }, mutations, 0, views)
    },
    row: () => database.rows('t').get('r'),
    push: (values: Record<string, Json>, more: Partial<Mutation> = {}): Promise<MutationResult[]> => {
      const writes = [{ entity: 't', id: 'r', action: 'update', data: values } as const]
      const mutation = { n: (n += 1), base: { epoch, seq: 0 }, stamp: null, writes, ...more }
      return acceptor.accept({ user: 'u', client: 'c', lead: 1 }, [mutation], 0, views)
    },
  }
}

test('[D6] [V7] an answer in time leaves no timer behind', async () => {
  const env = nodeEnv()
  const timers = new Set<object>()
  const after = (ms: number, run: () => void): (() => void) => {
    const timer = {}
    const cancel = env.after(ms, run)
    timers.add(timer)
    return () => {
      timers.delete(timer)
      cancel()
    }
  }
  let asked = 0
  const access = { write: () => ++asked > 0 }
  const resolver = (server: Row): Row => ({ ...server, v: ++asked })
  for (const definition of [defineEntity({ name: 't', access }), defineEntity({ name: 't', resolver })]) {
    asked = 0
    const world = await begin(definition, { ...env, after })
    expect(await world.push({ v: 'c' })).toHaveLength(1)
    expect(asked).toBeGreaterThan(0)
    expect(timers.size).toBe(0)
  }
})

test('[D6] a row that moves whenever its resolver is asked is given up, and what stands stays', async () => {
  let asked = 0
  const world: Awaited<ReturnType<typeof begin>> = await begin(
    defineEntity({
      name: 't',
      resolver(server: Row) {
        // one that is asked for ever is let go
        if (++asked < 1_000) world.change({ v: `moved ${asked}` })
        return { ...server, v: 'merged' }
      },
    }),
  )
  expect(await world.push({ v: 'c' })).toMatchObject([{ error: { code: 'CONFLICT' } }])
  expect(asked).toBeLessThan(100)
  expect(world.row()).toMatchObject({ v: `moved ${asked}` })
})

test('[D6] however many rows of one call have to be resolved, each is: only one that keeps moving is given up', async () => {
  const resolver = (server: Row): Row => ({ ...server, v: 'merged' })
  const world = await begin(defineEntity({ name: 't', resolver }))
  const ids = Array.from({ length: 30 }, (_, i) => `x${i}`)
  const results = await world.pushAll(ids, { v: 'c' })
  expect(results.map(({ status, error }) => [status, error])).toEqual(ids.map(() => ['merged', undefined]))
})

test('[D6] [D7] a column is settled by its own resolver where it met something, and else not', async () => {
  const made = (column: string) => ({
    resolver: (server: Json, client: Json): Json => [column, server, client],
  })
  const fields = { v: made('v'), w: made('w') }
  const world = await begin(defineEntity({ name: 't', grain: 'field', fields }))
  const { epoch, seq } = { epoch: '', seq: 1 }
  expect(await world.push({ v: 'c', w: 'c' }, { base: { epoch, seq } })).toMatchObject([{ status: 'merged' }])
  expect(world.row()).toMatchObject({ v: ['v', 'b', 'c'], w: 'c' })
})

test('[D6] [D12] a resolver is told the times that would be stored', async () => {
  const env = { ...nodeEnv(), now: () => 1_000_000 }
  const stamps: (string | null)[] = []
  const world = await begin(
    defineEntity({
      name: 't',
      resolver(server: Row, _client: Row, { clientStamp }) {
        stamps.push(clientStamp)
        return server
      },
    }),
    env,
  )
  const stamp = stampOf(readingOfMs(999_000_000), 'far')
  await world.push({ v: 'c' }, { stamp })
  await world.push({ v: 'c' })
  expect(stamps).toEqual([clampStamp(stamp, 1_000_000, 'server', 60_000), null])
  expect(stamps[0]).not.toBe(stamp)
})

test('[L6] [Q8] a base on another log has seen nothing of this one', async () => {
  const world = await begin(defineEntity({ name: 't', strategy: 'server-wins' }))
  expect(await world.push({ v: 'c' }, { base: { epoch: 'other', seq: 1_000 } })).toMatchObject([
    { status: 'conflict' },
  ])
  expect(world.row()).toMatchObject({ v: 'b' })
})

test('[Q4] what failed for a moment while it was judged is not booked: sent again, it is stored', async () => {
  let busy = true
  const write = (): boolean => {
    if (busy) throw new SyncError('DATABASE_BUSY', 'busy')
    return true
  }
  const world = await begin(defineEntity({ name: 't', access: { write } }))
  await expect(world.push({ v: 'c' }, { n: 1 })).rejects.toMatchObject({ code: 'DATABASE_BUSY' })
  busy = false
  expect(await world.push({ v: 'c' }, { n: 1, base: null })).toMatchObject([{ status: 'applied' }])
  expect(world.row()).toMatchObject({ v: 'c' })
})

test('[D3] [D7] of a whole row that is pushed without a base, what it leaves as it is competes with nobody', async () => {
  const world = await begin(defineEntity({ name: 't', grain: 'field', strategy: 'server-wins' }))
  const stamp = stampOf(readingOfMs(1_000), 'old')
  // `v` stands so already, whoever wrote it last
  const [result] = await world.push({ v: 'b', w: 'c' }, { base: null, stamp })
  expect(result?.lost).toEqual([{ entity: 't', id: 'r', columns: ['w'] }])
  expect(world.row()).toMatchObject({ v: 'b', w: 'a' })
})
