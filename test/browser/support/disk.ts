// The browser's disk, as its own tools show it.
import type { Page } from '@playwright/test'

export interface Disk {
  readonly version: number
  readonly stores: string[]
  readonly records: unknown[]
  readonly keys: unknown[]
  readonly indexes: string[]
}

/** A store of it, and what the database has beside; nothing while the client has not made it. */
export function disk(page: Page, store: string, name = 'syncline-anon'): Promise<Disk> {
  return page.evaluate(
    async ([store, name]) => {
      const asked = <T>(request: IDBRequest<T>): Promise<T> =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error)
        })
      // opened before the client has made it, it would be another one, and in the way
      const all = await indexedDB.databases()
      if (!all.some(one => one.name === name && (one.version ?? 0) >= 2))
        return { version: 0, stores: [], records: [], keys: [], indexes: [] }
      const db = await asked(indexedDB.open(name))
      const objects = db.transaction(store).objectStore(store)
      const [records, keys] = await Promise.all([asked(objects.getAll()), asked(objects.getAllKeys())])
      const found = {
        version: db.version,
        stores: [...db.objectStoreNames],
        records,
        keys,
        indexes: [...objects.indexNames],
      }
      db.close()
      return found
    },
    [store, name] as const,
  )
}
