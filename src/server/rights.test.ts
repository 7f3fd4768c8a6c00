// Who may write what, through the acceptor, over a database that moves between the judgement and the transaction.
import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import type { AccessRules, Json, MutationResult, Write } from '../core/index.ts'
import { MemoryDatabase } from '../testing/memory-database.ts'
import { memoryStore } from '../testing/memory-store.ts'
import { Acceptor } from './accept.ts'
import { nodeEnv } from './env.ts'
import { Views } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const mine: AccessRules = { read: user => ({ owner: user.id }) }

/** A table of two owners. `between`: happens after each look, before what it was for. */
async function begin(access: AccessRules, between: () => void = silent) {
  const env = nodeEnv()
  const text = { kind: 'text' } as const
  const columns = { id: { kind: 'text', notNull: true }, owner: text, v: text, secret: text } as const
  const database = new MemoryDatabase({ tables: [{ name: 't', key: ['id'], columns }], env })
  const store = memoryStore({
    database,
    latency: async (call, when) => {
      if (call === 'look' && when === 'after') between()
    },
  })
  await store.open([defineEntity({ name: 't', access })])
  const insert = (id: string, owner: string): void =>
    void database.write(transaction => transaction.insert('t', { id, owner, v: 'a', secret: 's' }))
  insert('a1', 'a')
  insert('b1', 'b')
  const options = {
    maxDriftMs: 60_000,
    resolverDeadlineMs: 20,
  } as const
  const acceptor = new Acceptor(store, env, quiet, options)
  let n = 0
  return {
    rows: () => Object.fromEntries(database.rows('t')),
    change: (id: string, patch: Record<string, Json>) =>
      database.write(transaction => transaction.update('t', id, patch)),
    async push(user: string, ...writes: Write[]): Promise<string> {
      const [result] = await this.send(user, (n += 1), writes)
      return result?.error?.code ?? result?.status ?? 'none'
    },
    send: (user: string, at: number, writes: Write[]): Promise<MutationResult[]> => {
      const views = new Views({ id: user }, store.entities, quiet)
      const mutation = { n: at, base: null, stamp: null, writes }
      return acceptor.accept({ user, client: 'c', lead: null }, [mutation], 0, views)
    },
  }
}

const create = (id: string, data: Record<string, Json>): Write => ({
  entity: 't',
  id,
  action: 'create',
  data,
})
const update = (id: string, data: Record<string, Json>): Write => ({
  entity: 't',
  id,
  action: 'update',
  data,
})
const remove = (id: string): Write => ({ entity: 't', id, action: 'delete' })

test('[V7] without a write rule: who sees the row before and after', async () => {
  const world = await begin(mine)
  expect(await world.push('a', update('a1', { v: 'b' }))).toBe('applied')
  expect(await world.push('a', create('a2', { owner: 'a' }))).toBe('applied')
  expect(await world.push('a', update('b1', { v: 'x' }))).toBe('FORBIDDEN')
  expect(await world.push('a', update('b1', { owner: 'a' }))).toBe('FORBIDDEN')
  expect(await world.push('a', create('a3', { owner: 'b' }))).toBe('FORBIDDEN')
  expect(await world.push('a', create('a4', { v: 'x' }))).toBe('FORBIDDEN')
  expect(await world.push('a', update('a1', { owner: 'b' }))).toBe('FORBIDDEN')
  // a transaction is whole or not at all, and its later writes are judged on what the earlier ones leave
  expect(await world.push('a', update('a1', { v: 'c' }), update('b1', { v: 'c' }))).toBe('FORBIDDEN')
  expect(await world.push('a', create('a5', { owner: 'a' }), update('a5', { owner: 'b' }))).toBe('FORBIDDEN')
  expect(await world.push('a', create('a6', { owner: 'a' }), update('a6', { v: 'd' }))).toBe('applied')
  expect(Object.keys(world.rows()).sort()).toEqual(['a1', 'a2', 'a6', 'b1'])
  expect(world.rows()['a1']).toEqual({ id: 'a1', owner: 'a', v: 'b', secret: 's' })
  expect(world.rows()['b1']).toEqual({ id: 'b1', owner: 'b', v: 'a', secret: 's' })
})

test('[V7] a delete of a row that is out of sight is as if it were not there', async () => {
  const world = await begin(mine)
  expect(await world.push('a', remove('b1'))).toBe('applied')
  expect(await world.push('a', remove('nowhere'))).toBe('applied')
  expect(await world.push('a', remove('a1'))).toBe('applied')
  expect(Object.keys(world.rows())).toEqual(['b1'])
})

test('[V7] hidden columns cannot be written, not even with the value that they have', async () => {
  const world = await begin({ columns: () => ['owner', 'v'] })
  expect(await world.push('a', update('a1', { secret: 's' }))).toBe('FORBIDDEN')
  expect(await world.push('a', create('a2', { secret: 'x' }))).toBe('FORBIDDEN')
  expect(await world.push('a', update('a1', { v: 'b' }))).toBe('applied')
})

test('[V7] a write rule allows, denies, adds values, and sees the row as it stands', async () => {
  const seen: unknown[] = []
  const world = await begin({
    ...mine,
    columns: () => ['owner', 'v'],
    write(user, change, row) {
      seen.push([change.action, change.data, row?.['v'] ?? null])
      if (change.action === 'create') return { owner: user.id, secret: 'made' }
      return change.data['v'] !== 'no'
    },
  })
  expect(await world.push('a', create('a2', { v: 'x', owner: 'b' }))).toBe('applied')
  expect(world.rows()['a2']).toEqual({ id: 'a2', owner: 'a', v: 'x', secret: 'made' })
  expect(await world.push('a', update('a1', { v: 'no' }))).toBe('FORBIDDEN')
  expect(await world.push('a', update('a1', { v: 'yes' }))).toBe('applied')
  expect(await world.push('a', update('b1', { v: 'yes' }))).toBe('FORBIDDEN')
  expect(seen).toEqual([
    ['create', { v: 'x', owner: 'b' }, null],
    ['update', { v: 'no' }, 'a'],
    ['update', { v: 'yes' }, 'a'],
  ])
})

test('[V7] a write rule that throws, answers never or sets what it cannot says no', async () => {
  const rules: AccessRules['write'][] = [
    () => JSON.parse('{') as boolean,
    () => new Promise<boolean>(() => {}),
    () => ({ nothing: 1 }),
    () => ({ id: 'other' }),
  ]
  for (const rule of rules) {
    if (rule === undefined) continue
    const world = await begin({ write: rule })
    expect(await world.push('a', update('a1', { v: 'b' }))).toBe('FORBIDDEN')
    expect(world.rows()['a1']?.['v']).toBe('a')
  }
})

test('[V8] a row that moves between judgement and transaction is judged again', async () => {
  let moves = 1
  const world: Awaited<ReturnType<typeof begin>> = await begin(mine, () => {
    if (moves-- > 0) world.change('a1', { owner: 'b' })
  })
  expect(await world.push('a', update('a1', { v: 'mine' }))).toBe('FORBIDDEN')
  expect(world.rows()['a1']).toMatchObject({ owner: 'b', v: 'a' })
  // one that keeps moving is given up
  let version = 0
  const restless: Awaited<ReturnType<typeof begin>> = await begin(mine, () => {
    restless.change('a1', { secret: `s${++version}` })
  })
  expect(await restless.push('a', update('a1', { v: 'mine' }))).toBe('CONFLICT')
})

test('[V7] [Q3] what was answered before is answered so again, whatever the rights are now', async () => {
  const rights = { open: true }
  const world = await begin({ write: () => rights.open })
  expect((await world.send('a', 1, [update('a1', { v: 'b' })]))[0]?.status).toBe('applied')
  rights.open = false
  expect((await world.send('a', 1, [update('a1', { v: 'b' })]))[0]?.status).toBe('duplicate')
  expect((await world.send('a', 2, [update('a1', { v: 'c' })]))[0]?.error?.code).toBe('FORBIDDEN')
})
