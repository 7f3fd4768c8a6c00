// Makes the stores of a database, and brings one of version 1 to today's records with its data kept.
import { idOfValue } from '../core/index.ts'

/** Inside a `versionchange` transaction. Entities that the database has already are left as they are. */
export function upgrade(
  db: IDBDatabase,
  transaction: IDBTransaction,
  entities: readonly string[],
  oldVersion: number,
): void {
  const has = (store: string): boolean => db.objectStoreNames.contains(store)
  if (!has('_meta')) db.createObjectStore('_meta', { keyPath: 'key' }).put({ key: 'schema', value: 2 })
  if (!has('_pending'))
    db.createObjectStore('_pending', { keyPath: 'n' }).createIndex('timestamp', 'timestamp')
  if (!has('_optimistic')) db.createObjectStore('_optimistic', { keyPath: ['entity', 'entity_id'] })
  if (!has('_pages')) db.createObjectStore('_pages')
  for (const store of db.objectStoreNames)
    if (oldVersion === 1 && !store.startsWith('_')) convert(db, transaction, store)
  for (const entity of entities) if (!has(entity)) db.createObjectStore(entity, { keyPath: 'id' })
}

/** Version 1 held bare rows under whatever key; they show until the first sync replaces them. */
function convert(db: IDBDatabase, transaction: IDBTransaction, entity: string): void {
  const request = transaction.objectStore(entity).getAll()
  request.onsuccess = () => {
    db.deleteObjectStore(entity)
    const store = db.createObjectStore(entity, { keyPath: 'id' })
    const rows = request.result as Record<string, unknown>[] // reason: version 1 stored rows as objects
    for (const row of rows) {
      const id = idOfValue(row['id'] ?? row['entity_id'] ?? row['entityId'])
      if (id !== null) store.put({ id, seq: 0, row })
    }
  }
}
