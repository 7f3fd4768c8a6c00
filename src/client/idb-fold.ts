// Housekeeping of packed rows (see `idb-rows`), one page per call: moves records into pages, splits a page, folds a journal
// into its page. Never needed for a correct load, and therefore loaded late by pages that must be small. Nothing is
// carried from one transaction to the next, and the cursor stays, so that commits of any tab may come between.
import { append, halfOf, keysOf, mostRecords, pageRows, pagesFor, pagesIn, unpack } from './idb-rows.ts'
import type { Key, Place, Run } from './idb-rows.ts'
import { done, entityKey, putMeta } from './idb.ts'
import type { Meta } from './idb.ts'
import type { StoredRow } from './store.ts'

/** A page is folded when its journal weighs this much: a row one, a record eight more. */
const foldWeight = 128

/** True: something was done, and there may be more. One transaction per entity, the last one with the work in it. */
export async function foldPages(db: IDBDatabase, entities: readonly string[]): Promise<boolean> {
  let found = false
  for (const entity of entities) {
    const transaction = db.transaction(['_meta', '_pages', entity], 'readwrite', { durability: 'relaxed' })
    const meta = transaction.objectStore('_meta')
    const request = meta.get(entityKey(entity))
    request.onsuccess = () => {
      const stored = request.result as { readonly value: Meta } | undefined // reason: only a commit puts it there
      if (stored === undefined) return
      foldOne(transaction, entity, stored.value.place, place => {
        found = true
        putMeta(meta, entityKey(entity), { ...stored.value, place } satisfies Meta)
      })
    }
    await done(transaction)
    if (found) break
  }
  return found
}

/** Calls `put` if there was something to do. */
function foldOne(
  transaction: IDBTransaction,
  entity: string,
  place: Place | undefined,
  put: (place: Place) => void,
): void {
  const pages = pagesIn(transaction)
  if (place === undefined || place.rest) {
    const store = transaction.objectStore(entity)
    const count = store.count()
    count.onsuccess = () => {
      if (place === undefined && count.result <= mostRecords) return
      const records = store.getAll()
      records.onsuccess = () => {
        const { pages: number, next } = place ?? { pages: pagesFor(count.result), next: 0 }
        store.clear()
        // before all that commits have written, since it is older
        append(pages, entity, number, -1, records.result)
        put({ pages: number, next, rest: false })
      }
    }
    return
  }
  const keys = pages.getAllKeys(keysOf(entity))
  keys.onsuccess = () => {
    const [page, number] = choose(keys.result as unknown as Key[], place.pages) // reason: the keys of `idb-rows`
    if (page < 0) return
    const range = keysOf(entity, page)
    const old = pages.getAll(range) as IDBRequest<Run[][]> // reason: the records of `idb-rows`
    old.onsuccess = () => {
      const rows = new Map<string, StoredRow>()
      for (const runs of old.result) unpack(runs, rows)
      pages.delete(range)
      append(pages, entity, number, -1, [...rows.values()])
      put({ ...place, pages: number })
    }
  }
}

/** The page to write anew, and the number of pages afterwards: one more splits it. */
function choose(keys: readonly Key[], pages: number): [page: number, pages: number] {
  let [last, total, weight, worst, most] = [-1, 0, 0, -1, foldWeight]
  for (const [, page, , count] of keys) {
    if (page !== last) {
      total += count
      weight = 0
      last = page
    } else if ((weight += count + 8) >= most) {
      most = weight
      worst = page
    }
  }
  return total > pages * pageRows ? [pages - halfOf(pages), pages + 1] : [worst, pages]
}
