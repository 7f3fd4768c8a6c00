import { IDBFactory, IDBKeyRange, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { clientStoreContract } from '../testing/contracts/client-store.ts'
import { platformEnv } from './platform.ts'
import { indexedDBStore } from './idb.ts'
import { memoryStore } from './memory.ts'
import type { ClientStore, Saving } from './store.ts'

const after = (ms: number, run: () => void) => platformEnv().after(ms, run)
const none: Saving = {
  lead: null,
  identity: null,
  known: 0,
  news: [],
  puts: [],
  removes: [],
  commits: [],
  overlays: [],
}
const identity = { client: 'c', n: 1, lead: 1, user: null, reading: 0 }

clientStoreContract(
  'memory',
  () => {
    const store = memoryStore()
    return { open: () => store }
  },
  { test, expect },
)

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
})

afterEach(() => vi.unstubAllGlobals())

const packing = (name: string) => indexedDBStore(name, after)
clientStoreContract('indexeddb', () => ({ open: () => packing('db') }), { test, expect })

function opened(version?: number, upgrade?: (db: IDBDatabase) => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('db', version)
    request.onupgradeneeded = () => upgrade?.(request.result)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function all(db: IDBDatabase, store: string): Promise<unknown[]> {
  return new Promise(resolve => {
    const request = db.transaction(store).objectStore(store).getAll()
    request.onsuccess = () => resolve(request.result)
  })
}

describe('the database', () => {
  test('is version 2 when fresh, with the documented stores', async () => {
    const store = indexedDBStore('db', after)
    await store.load(['users', 'posts'])
    await store.close()
    const db = await opened()
    expect(db.version).toBe(2)
    expect([...db.objectStoreNames]).toEqual(['_meta', '_optimistic', '_pages', '_pending', 'posts', 'users'])
    const transaction = db.transaction(['_pending', '_optimistic', 'users'])
    expect([...transaction.objectStore('_pending').indexNames]).toEqual(['timestamp'])
    expect(transaction.objectStore('_optimistic').keyPath).toEqual(['entity', 'entity_id'])
    expect(await all(db, '_meta')).toEqual([{ key: 'schema', value: 2 }])
    db.close()
  })

  test('goes to the next number for a page with other entities', async () => {
    const first = indexedDBStore('db', after)
    await first.load(['users'])
    const second = indexedDBStore('db', after)
    // the first page is still open: it lets go, and opens again when it saves
    await second.load(['users', 'posts'])
    const asked = vi.spyOn(indexedDB, 'open')
    await first.claim(identity, null)
    expect(asked.mock.calls).toEqual([['db', 3]])
    expect((await second.load(['users'])).identity).toEqual(identity)
    await first.close()
    await second.close()
    // whoever of its page is late writes nothing any more
    await expect(second.claim(identity, identity.lead)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    const db = await opened()
    expect(db.version).toBe(3)
    db.close()
    const third = indexedDBStore('db', after)
    await third.load(['posts'])
    await third.close()
    expect((await opened()).version).toBe(3)
    expect((await indexedDBStore('db', after).load(['users'])).identity).toEqual(identity)
  })

  test('[V10] takes entities that are named while it is open, and lets another page that has it open go on', async () => {
    const [store, other] = [indexedDBStore('db', after), indexedDBStore('db', after)]
    await store.load(['a'])
    await other.load(['a'])
    const { entities } = await store.load(['a', 'b'])
    expect([...entities.keys()]).toEqual([])
    await other.claim(identity, null)
    const db = await opened()
    expect([...db.objectStoreNames]).toEqual(expect.arrayContaining(['a', 'b']))
    db.close()
    await store.close()
    await other.close()
  })

  test('of version 1 is upgraded with its data kept', async () => {
    const old = await opened(1, db => {
      db.createObjectStore('_meta', { keyPath: 'entity' }).put({ entity: 'users', version: 42 })
      const users = db.createObjectStore('users', { keyPath: 'id' })
      users.put({ id: 1, name: 'Ada' })
      users.put({ id: 2, name: 'Bob' })
    })
    old.close()
    const store = indexedDBStore('db', after)
    const loaded = await store.load(['users'])
    expect(loaded.entities.get('users')).toMatchObject({
      cursor: null,
      rows: [
        { id: '1', seq: 0, row: { id: 1, name: 'Ada' } },
        { id: '2', seq: 0, row: { id: 2, name: 'Bob' } },
      ],
    })
    await store.claim(identity, null)
    expect((await store.load(['users'])).identity).toEqual(identity)
    await store.close()
    const db = await opened()
    expect(db.version).toBe(2)
    expect(await all(db, '_meta')).toContainEqual({ entity: 'users', version: 42 })
    expect([...db.objectStoreNames]).toEqual(['_meta', '_optimistic', '_pages', '_pending', 'users'])
  })

  test('_optimistic shows the overlays', async () => {
    const store = indexedDBStore('db', after)
    await store.load(['users'])
    await store.save({
      ...none,
      overlays: [
        { entity: 'users', id: '1', row: { name: 'x' } },
        { entity: 'users', id: '2', row: null },
      ],
    })
    await store.close()
    expect(await all(await opened(), '_optimistic')).toEqual([
      { entity: 'users', entity_id: '1', data: { name: 'x' }, deleted: false },
      { entity: 'users', entity_id: '2', data: null, deleted: true },
    ])
  })

  test('[T4] [R8] an overlay goes with its save: refused with what a replaced leader says, taken with it by what fails', async () => {
    const store = indexedDBStore('db', after)
    await store.load(['users'])
    await store.claim({ ...identity, lead: 0 }, 0)
    const over = { entity: 'users', id: '1', row: { name: 'x' } }
    await expect(store.save({ ...none, lead: 7, overlays: [over] })).rejects.toMatchObject({ code: 'FENCED' })
    const writes = [{ entity: 'users', id: '1', action: 'update', data: { name: 'x' } }] as const
    const news = [{ n: 0, timestamp: 0, mutation: { n: 0, base: null, stamp: null, writes } }]
    const bad = { ...over, id: '2', row: { name: () => {} } as never }
    await expect(store.save({ ...none, news, overlays: [over, bad] })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    })
    expect((await store.load([])).pending).toEqual([])
    expect((await store.load([])).identity).toEqual(identity)
    await store.close()
    expect(await all(await opened(), '_optimistic')).toEqual([])
  })

  test('[T4] what others stored is read only where there is a number that is not known', async () => {
    const store = indexedDBStore('db', after)
    await store.load(['users'])
    await store.claim(identity, null)
    const draft = { n: 0, timestamp: 0, mutation: { n: 0, base: null, stamp: null, writes: [] } }
    const reads = vi.spyOn(IDBObjectStore.prototype, 'getAll')
    expect(await store.save({ ...none, news: [draft], known: 1 })).toEqual({ first: 2, others: [] })
    expect(reads).not.toHaveBeenCalled()
    expect(await store.save({ ...none, news: [draft], known: 1 })).toMatchObject({
      first: 3,
      others: [{ n: 2 }],
    })
    expect(reads).toHaveBeenCalledOnce()
    reads.mockRestore()
    await store.close()
  })

  test('a page that keeps an old version open is waited for, then given up', async () => {
    const old = await opened(1, db => db.createObjectStore('_meta', { keyPath: 'key' }))
    let fire: (() => void) | undefined
    const loading = indexedDBStore('db', (_ms, run) => {
      fire = run
      return () => {}
    }).load(['users'])
    await vi.waitFor(() => expect(fire).toBeDefined())
    fire?.()
    await expect(loading).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    old.close()
  })

  test('[R8] a full disk is STORAGE_FULL, what cannot be cloned leaves nothing behind', async () => {
    const store = indexedDBStore('db', after)
    await store.load(['users'])
    const writes = [{ entity: 'users', id: '1', action: 'update', data: { x: () => {} } as never }] as const
    const bad = { n: 1, timestamp: 0, mutation: { n: 1, base: null, stamp: null, writes } }
    await expect(store.save({ ...none, identity, news: [bad] })).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    })
    expect((await store.load(['users'])).identity).toBeNull()
    await store.claim(identity, null)
    const full = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('full', 'QuotaExceededError')
    })
    const news = [{ ...bad, mutation: { n: 1, base: null, stamp: null, writes: [] } }]
    await expect(store.save({ ...none, news })).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    full.mockRestore()
    await store.close()
  })
})

test('types: both are the same port', () => {
  const stores: ClientStore[] = [memoryStore(), indexedDBStore('db', after)]
  expect(stores.map(({ kind }) => kind)).toEqual(['memory', 'indexeddb'])
})
