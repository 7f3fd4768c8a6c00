import { IDBFactory, IDBKeyRange, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { indexedDBStore } from './idb.ts'
import type { ClientStore, EntityCommit, Saving, StoredRow } from './store.ts'

const after = () => () => {}
const open = (): ClientStore => indexedDBStore('db', after)
const at = (seq: number) => ({ epoch: 'e', seq, check: seq })

function work(seq: number, more: Partial<EntityCommit>): Saving {
  const from = seq === 1 ? null : at(seq - 1)
  const commit = { entity: 't', replace: false, puts: [], deletes: [], from, marks: [], shape: null }
  return {
    lead: null,
    identity: null,
    known: 0,
    news: [],
    puts: [],
    removes: [],
    overlays: [],
    commits: [{ ...commit, cursor: at(seq), ...more }],
  }
}

function rows(from: number, to: number, seq = 1): StoredRow[] {
  return Array.from({ length: to - from }, (_, i) => ({
    id: String(from + i),
    seq,
    row: { id: from + i, n: seq },
  }))
}

async function all(
  database = 'db',
): Promise<{ records: unknown[]; keys: [string, number, number, number][] }> {
  const db = await new Promise<IDBDatabase>(resolve => {
    const request = indexedDB.open(database)
    request.onsuccess = () => resolve(request.result)
  })
  const transaction = db.transaction(['t', '_pages'])
  const records = transaction.objectStore('t').getAll()
  const keys = transaction.objectStore('_pages').getAllKeys()
  await new Promise(resolve => (transaction.oncomplete = resolve))
  db.close()
  return { records: records.result, keys: keys.result as never }
}

const sorted = (held: readonly StoredRow[] | undefined) => [...(held ?? [])].sort((a, b) => +a.id - +b.id)
const stored = async (store = open()) => sorted((await store.load(['t'])).entities.get('t')?.rows)

async function tidied(store: ClientStore): Promise<number> {
  let times = 0
  while ((await store.tidy?.()) === true) times += 1
  return times
}

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describe('[R9] how rows lie', () => {
  test('up to 2,000 are records, more are pages of about 1,000', async () => {
    const store = open()
    await store.load(['t'])
    await store.save(work(1, { replace: true, puts: rows(0, 2000) }))
    expect(await tidied(store)).toBe(0)
    let { records, keys } = await all()
    expect([records.length, keys]).toEqual([2000, []])
    expect(records[0]).toEqual({ id: '0', seq: 1, row: { id: 0, n: 1 } })
    await store.save(work(2, { puts: rows(2000, 2001) }))
    // as a tab does that looks for edits of others
    await store.load([])
    expect(await tidied(store)).toBe(1)
    ;({ records, keys } = await all())
    expect([records.length, keys.length]).toEqual([0, 3])
    await store.save(work(3, { replace: true, puts: rows(0, 20_000) }))
    expect(await tidied(store)).toBe(0)
    ;({ records, keys } = await all())
    expect([records.length, keys.length]).toEqual([0, 20])
    for (const [, , , count] of keys) expect(count).toBeGreaterThan(200)
    for (const [, , , count] of keys) expect(count).toBeLessThan(2000)
    await store.save(work(4, { replace: true, puts: rows(0, 5) }))
    ;({ records, keys } = await all())
    expect([records.length, keys]).toEqual([5, []])
  })

  test('a commit appends one journal record per page, and few of them are left alone', async () => {
    const store = open()
    await store.load(['t'])
    await store.save(work(1, { replace: true, puts: rows(0, 4000) }))
    await store.save(work(2, { puts: rows(7, 8, 2) }))
    expect((await all()).keys).toHaveLength(5)
    expect(await tidied(store)).toBe(0)
    for (let seq = 3; seq < 30; seq++) await store.save(work(seq, { puts: rows(7, 8, seq) }))
    expect(await tidied(store)).toBe(1)
    expect((await all()).keys).toHaveLength(4)
    expect((await stored()).find(({ id }) => id === '7')?.seq).toBe(29)
  })

  test('pages split one by one as an entity grows', async () => {
    const store = open()
    await store.load(['t'])
    await store.save(work(1, { replace: true, puts: rows(0, 3000) }))
    await store.save(work(2, { puts: rows(3000, 9000, 2) }))
    expect(await tidied(store)).toBeGreaterThanOrEqual(6)
    const { keys } = await all()
    expect(keys).toHaveLength(9)
    for (const [, , , count] of keys) expect(count).toBeLessThan(2500)
    expect(await stored()).toEqual([...rows(0, 3000), ...rows(3000, 9000, 2)])
  })

  test('a database that was made before there were pages gets the store', async () => {
    await new Promise<void>(resolve => {
      const request = indexedDB.open('db', 2)
      request.onupgradeneeded = () => {
        const db = request.result
        const meta = db.createObjectStore('_meta', { keyPath: 'key' })
        meta.put({ key: 'schema', value: 2 })
        meta.put({ key: 'entity:t', value: { cursor: at(1), marks: [], shape: null } })
        db.createObjectStore('_pending', { keyPath: 'n' }).createIndex('timestamp', 'timestamp')
        db.createObjectStore('_optimistic', { keyPath: ['entity', 'entity_id'] })
        const store = db.createObjectStore('t', { keyPath: 'id' })
        for (const row of rows(0, 2500)) store.put(row)
      }
      request.onsuccess = () => {
        request.result.close()
        resolve()
      }
    })
    const store = open()
    expect(await stored(store)).toEqual(rows(0, 2500))
    await store.save(work(2, { puts: rows(1, 2, 2), deletes: ['0'] }))
    expect(await tidied(store)).toBe(1)
    expect(await stored()).toEqual([...rows(1, 2, 2), ...rows(2, 2500)])
  })
})

/** The state from which each kind of housekeeping begins; each has one step to do, or several. */
const states: Record<string, (store: ClientStore) => Promise<unknown>> = {
  'records into pages': store => store.save(work(1, { puts: rows(0, 1900) })).then(() => grow(store)),
  'records under pages': store =>
    store.save(work(1, { puts: rows(0, 100) })).then(() => store.save(work(2, { puts: rows(50, 2300, 2) }))),
  'a journal into its page': store =>
    store
      .save(work(1, { replace: true, puts: rows(0, 2500) }))
      .then(() => store.save(work(2, { puts: rows(0, 600, 2), deletes: ['700', '701'] }))),
  'a page into two': store =>
    store
      .save(work(1, { replace: true, puts: rows(0, 2500) }))
      .then(() => store.save(work(2, { puts: rows(2500, 3900, 2) }))),
}
const grow = (store: ClientStore) => store.save(work(2, { puts: rows(1900, 2300, 2), deletes: ['3'] }))

const { prototype } = IDBObjectStore
/* oxlint-disable typescript/unbound-method -- called with `apply` */
const real = { put: prototype.put, remove: prototype.delete, clear: prototype.clear }
/* oxlint-enable typescript/unbound-method */

describe('[R9] housekeeping that dies', () => {
  for (const [name, prepare] of Object.entries(states)) {
    test(`${name}: at any request`, async () => {
      const store = open()
      await store.load(['t'])
      await prepare(store)
      const before = await stored()
      const { put, remove, clear } = real
      let dead = 0
      for (let steps = 0, left = true; left && steps < 40; steps++) {
        let calls = 0
        const die = <A extends unknown[], R>(act: (...args: A) => R) =>
          function dying(this: IDBObjectStore, ...args: A): R {
            if (calls++ === steps) this.transaction.abort()
            return act.apply(this, args)
          }
        vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(die(put))
        vi.spyOn(IDBObjectStore.prototype, 'delete').mockImplementation(die(remove))
        vi.spyOn(IDBObjectStore.prototype, 'clear').mockImplementation(die(clear))
        const died = await store.tidy?.().then(
          () => false,
          () => true,
        )
        vi.restoreAllMocks()
        if (died === true) dead += 1
        else left = false
        expect(await stored(), `after ${steps} requests`).toEqual(before)
      }
      expect(dead).toBeGreaterThan(2)
      await tidied(store)
      expect(await stored()).toEqual(before)
    })
  }

  test('[R8] a full disk leaves everything as it was, in a large commit and in housekeeping', async () => {
    const store = open()
    await store.load(['t'])
    await store.save(work(1, { replace: true, puts: rows(0, 2500) }))
    await store.save(work(2, { puts: rows(0, 900, 2) }))
    const before = await stored()
    const full = () => {
      let left = 1
      vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function fill(
        this: IDBObjectStore,
        ...args: Parameters<IDBObjectStore['put']>
      ) {
        const request = real.put.apply(this, args)
        if (left-- === 0) {
          // as a browser does: the transaction ends with the error of the request that had no room
          Object.defineProperty(this.transaction, 'error', {
            value: new DOMException('', 'QuotaExceededError'),
          })
          this.transaction.abort()
        }
        return request
      })
    }
    full()
    await expect(store.tidy?.()).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    vi.restoreAllMocks()
    expect(await stored()).toEqual(before)
    full()
    await expect(store.save(work(3, { replace: true, puts: rows(0, 9000, 3) }))).rejects.toMatchObject({
      code: 'STORAGE_FULL',
    })
    vi.restoreAllMocks()
    expect(await stored()).toEqual(before)
    await store.save(work(3, { deletes: ['1'] }))
    expect(await tidied(store)).toBeGreaterThan(0)
    expect(await stored()).toEqual(before.filter(({ id }) => id !== '1'))
  })
})

test('[R9] one tab folds while another commits', async () => {
  const [one, two] = [open(), open()]
  await one.load(['t'])
  await two.load(['t'])
  await one.save(work(1, { puts: rows(0, 1500) }))
  const folding: Promise<unknown>[] = []
  for (let seq = 2; seq < 40; seq++) {
    const commit = one.save(
      work(seq, { puts: rows(seq * 100, seq * 100 + 250, seq), deletes: [String(seq * 7)] }),
    )
    folding.push(two.tidy?.() ?? Promise.resolve())
    if (seq % 3 === 0) folding.push(one.tidy?.() ?? Promise.resolve())
    await commit
  }
  await Promise.all(folding)
  const expected = new Map(rows(0, 1500).map(row => [row.id, row]))
  for (let seq = 2; seq < 40; seq++) {
    for (const row of rows(seq * 100, seq * 100 + 250, seq)) expected.set(row.id, row)
    expected.delete(String(seq * 7))
  }
  expect(await stored()).toEqual(sorted([...expected.values()]))
  await tidied(two)
  expect(await stored()).toEqual(sorted([...expected.values()]))
})
