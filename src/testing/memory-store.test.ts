import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import { contractTables, serverStoreContract } from './contracts/server-store.ts'
import type { StoreUnderTest } from './contracts/server-store.ts'
import { alice, create, mutation, push } from './contracts/server-store-kit.ts'
import { memoryApp } from './memory-app.ts'
import { MemoryDatabase } from './memory-database.ts'
import { memoryStore } from './memory-store.ts'

const env = {
  now: () => Date.now(),
  random: () => Math.random(),
  after(ms: number, run: () => void) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

async function make(): Promise<StoreUnderTest> {
  const database = new MemoryDatabase({
    tables: contractTables,
    env,
    sequenceAfter: () => Math.floor(Math.random() * 3),
  })
  const latency = async (): Promise<void> => {
    for (let i = Math.floor(Math.random() * 3); i > 0; i--) await Promise.resolve()
  }
  return {
    app: memoryApp(database),
    store: () => memoryStore({ database, latency, pollMs: 20 }),
    backup: async () => {
      const copy = database.backup()
      return async () => database.restore(copy)
    },
    concurrent: true,
    dispose: async () => {},
  }
}

serverStoreContract('memory', make, { test, expect })

test('the version of a result is known only after a pass, and passes are late', async () => {
  let pass = (): void => {}
  const late = { ...env, after: (_ms: number, run: () => void) => ((pass = run), () => {}) }
  const database = new MemoryDatabase({ tables: contractTables, env: late })
  const store = memoryStore({ database })
  await store.open([defineEntity({ name: 'notes' })])
  let settled = false
  const result = push(store, alice, mutation(1, create('notes', 'a', { title: 't' }))).finally(
    () => (settled = true),
  )
  for (let i = 0; i < 20; i++) await Promise.resolve()
  expect(settled).toBe(false)
  expect(database.rows('notes').size).toBe(1)
  expect((await store.head()).seq).toBe(0)
  pass()
  expect((await result).version).toBe(1)
})

test('an open transaction locks its rows: accept waits for it, then gives up as DATABASE_BUSY', async () => {
  const under = await make()
  const { app } = under
  const store = under.store()
  await store.open([defineEntity({ name: 'notes' })])
  await app.insert('notes', { id: 'a' })
  const transaction = await app.begin()
  await transaction.update('notes', 'a', { title: 'held' })
  const waiting = push(
    store,
    alice,
    mutation(1, { entity: 'notes', id: 'a', action: 'update', data: { body: 'waits' } }),
  )
  setTimeout(() => void transaction.commit(), 20)
  expect((await waiting).status).toBe('applied')
  const again = await app.begin()
  await again.update('notes', 'a', { title: 'held for ever' })
  await expect(
    push(store, alice, mutation(2, { entity: 'notes', id: 'a', action: 'delete' })),
  ).rejects.toMatchObject({ code: 'DATABASE_BUSY' })
  await again.rollback()
  await store.close()
  await under.dispose()
})

test('[C8] an added column renews the shape and is announced', async () => {
  const database = new MemoryDatabase({ tables: contractTables, env })
  const store = memoryStore({ database })
  await store.open([defineEntity({ name: 'notes' })])
  const before = store.entities.get('notes')?.shape
  const changed: string[] = []
  store.watch({ wake: () => {}, schemaChanged: entities => changed.push(...entities), failed: () => {} })
  database.addColumn('notes', 'extra', { kind: 'text' })
  expect(changed).toEqual(['notes'])
  expect(store.entities.get('notes')?.shape.hash).not.toBe(before?.hash)
  await store.close()
})
