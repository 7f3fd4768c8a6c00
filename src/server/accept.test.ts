// How accept asks the store.
import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import type { Mutation } from '../core/index.ts'
import { MemoryDatabase, memoryStore } from '../testing/index.ts'
import { Acceptor } from './accept.ts'
import { Views } from './views.ts'
import { nodeEnv } from './env.ts'

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
