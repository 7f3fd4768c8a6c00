// The fold: what the tail holds is written down, once per distinct row, off the writers' path (rule L2). Idempotent, in
// short transactions; a line that is newer than an entry ignores it, so two engines may fold at once.
import { integer } from './driver.ts'
import type { Connection } from './driver.ts'
import type { Catalog, Entity } from './entity.ts'
import { lookup, nothing, save } from './lines.ts'
import type { RowState } from './lines.ts'
import { settleRow } from '../settle.ts'
import { meta, setMeta } from './schema.ts'
import { entryColumns, groupEntries, keyOf, logNode } from './tail.ts'
import type { Touched } from './tail.ts'

export const foldBatch = 5_000

export function foldedTo(db: Connection): number {
  return Number(meta(db, 'folded'))
}

/** Inside an immediate transaction. True: there is more. */
export function foldSome(db: Connection, catalog: Catalog, limit: number): boolean {
  const folded = foldedTo(db)
  const rows = db.all(`SELECT ${entryColumns} FROM _syncline_tail WHERE seq>? ORDER BY seq LIMIT ?`, folded, limit)
  const last = rows.at(-1)
  if (last === undefined) return false
  const touched = groupEntries(rows, catalog)
  const states = statesOf(db, touched.values())
  for (const [key, { entity, entries, old }] of touched) {
    const before = states.get(key) ?? nothing
    const settled = settleRow(before.line, entries, before.exists, logNode)
    if (settled !== null) save(db, entity, settled, before, entries.at(-1), old)
  }
  setMeta(db, 'folded', integer(last[0]))
  return rows.length === limit
}

/** The state of each touched row, one query per table. */
export function statesOf(db: Connection, touched: Iterable<Touched>): Map<string, RowState> {
  const ids = new Map<Entity, string[]>()
  for (const { entity, id } of touched) {
    const list = ids.get(entity)
    if (list === undefined) ids.set(entity, [id])
    else list.push(id)
  }
  const states = new Map<string, RowState>()
  for (const [entity, list] of ids) {
    for (const [id, state] of lookup(db, entity, list, 'none')) states.set(keyOf(entity.ent, id), state)
  }
  return states
}
