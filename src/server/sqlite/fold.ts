// How far the tail is written down (rule L2), and the states of rows that entries name.
import type { Connection } from './driver.ts'
import type { Entity } from './entity.ts'
import { lookup } from './lines.ts'
import type { RowState } from './lines.ts'
import { meta } from './schema.ts'
import { keyOf } from './tail.ts'
import type { Touched } from './tail.ts'

/** Entries per transaction of the fold. */
export const foldBatch = 5_000

export function foldedTo(db: Connection): number {
  return Number(meta(db, 'folded'))
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
