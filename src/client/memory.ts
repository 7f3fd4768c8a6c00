// A store that forgets: for Node, for pages without IndexedDB, and for the tabs that do not lead.
import type { Cursor } from '../core/index.ts'
import { sameCursor, SyncError } from '../core/index.ts'
import { claimed, fenced, merged, numbered, replaces, standsAs, taken } from './store.ts'
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
    async load(entities, known) {
      const held = new Map<string, Held>()
      for (const entity of entities) {
        const table = tables.get(entity)
        if (table === undefined) continue
        const same = known !== undefined && standsAs(known.get(entity), table)
        held.set(entity, { ...table, rows: same ? [] : [...table.rows.values()] })
      }
      return { identity, entities: held, pending: [...pending.values()].sort((a, b) => a.n - b.n) }
    },
    async claim(fresh, from) {
      const claim = claimed(identity ?? fresh, from)
      identity = claim.identity
      return claim
    },
    async save(work: Saving) {
      if (work.lead !== null && work.lead !== (identity?.lead ?? 0)) throw fenced()
      if (identity === null && work.news.length > 0) throw taken
      checkPlaces(tables, work)
      identity = merged(identity, work)
      const first = (identity?.n ?? 0) + 1
      const others = [...pending.values()].filter(({ n }) => work.news.length > 0 && n > work.known)
      for (const [i, record] of work.news.entries()) pending.set(first + i, numbered(record, first + i))
      if (identity !== null) identity = { ...identity, n: first + work.news.length - 1 }
      for (const record of work.puts)
        if (replaces(record, pending.get(record.n))) pending.set(record.n, record)
      for (const n of work.removes) pending.delete(n)
      for (const { entity, replace, puts, deletes, cursor, marks, shape } of work.commits) {
        const rows = (replace ? undefined : tables.get(entity)?.rows) ?? new Map<string, StoredRow>()
        for (const row of puts) rows.set(row.id, row)
        for (const id of deletes) rows.delete(id)
        tables.set(entity, { cursor, marks, shape, rows })
      }
      return { first, others }
    },
    async clear() {
      identity = null
      tables.clear()
      pending.clear()
    },
    async close() {},
  }
}

function checkPlaces(tables: ReadonlyMap<string, Table>, work: Saving): void {
  const places = new Map<string, Cursor | null>()
  for (const { entity, from, cursor } of work.commits) {
    const place = places.get(entity) ?? tables.get(entity)?.cursor ?? null
    if (!sameCursor(place, from)) throw new SyncError('STORAGE_FAILED', `another writer moved ${entity}`)
    places.set(entity, cursor)
  }
}

/** Keeps nothing but the count: what a client holds in its own memory is enough for one page. */
export function noStore(): ClientStore {
  let last = 0
  return {
    kind: 'memory',
    load: async () => ({ identity: null, entities: new Map(), pending: [] }),
    claim: async (fresh, from) => claimed(fresh, from),
    async save({ identity, news }) {
      const first = Math.max(last, identity?.n ?? 0) + 1
      last = first + news.length - 1
      return { first, others: [] }
    },
    async clear() {},
    async close() {},
  }
}
