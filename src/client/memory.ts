// A store that forgets: for Node, for pages without IndexedDB, and for the tabs that do not lead.
import type { Cursor } from '../core/index.ts'
import { sameCursor, SyncError } from '../core/index.ts'
import type { ClientStore, Held, Identity, PendingRecord, Saving, StoredRow } from './store.ts'

interface Table extends Omit<Held, 'rows'> {
  readonly rows: Map<string, StoredRow>
}

export function memoryStore(): ClientStore {
  let identity: Identity | null = null
  const tables = new Map<string, Table>()
  const pending = new Map<number, PendingRecord>()
  return {
    kind: 'memory',
    async load(entities) {
      const held = new Map<string, Held>()
      for (const entity of entities) {
        const table = tables.get(entity)
        if (table !== undefined) held.set(entity, { ...table, rows: [...table.rows.values()] })
      }
      return { identity, entities: held, pending: [...pending.values()].sort((a, b) => a.n - b.n) }
    },
    async save(work: Saving) {
      const places = new Map<string, Cursor | null>()
      for (const { entity, from, cursor } of work.commits) {
        const place = places.get(entity) ?? tables.get(entity)?.cursor ?? null
        if (!sameCursor(place, from)) throw new SyncError('STORAGE_FAILED', `another writer moved ${entity}`)
        places.set(entity, cursor)
      }
      identity = work.identity ?? identity
      for (const record of work.puts) pending.set(record.n, record)
      for (const n of work.removes) pending.delete(n)
      for (const { entity, replace, puts, deletes, cursor, marks, shape } of work.commits) {
        const rows = (replace ? undefined : tables.get(entity)?.rows) ?? new Map<string, StoredRow>()
        for (const row of puts) rows.set(row.id, row)
        for (const id of deletes) rows.delete(id)
        tables.set(entity, { cursor, marks, shape, rows })
      }
    },
    async clear() {
      identity = null
      tables.clear()
      pending.clear()
    },
    async close() {},
  }
}

/** Keeps nothing at all: what a client holds in its own memory is enough for one page. */
export function noStore(): ClientStore {
  return {
    kind: 'memory',
    load: async () => ({ identity: null, entities: new Map(), pending: [] }),
    async save() {},
    async clear() {},
    async close() {},
  }
}
