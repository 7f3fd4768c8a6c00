// Confirmed rows in memory, and the commit that takes them to disk with their cursor (rule R7).
import type { Cursor, EntityShape, Json, WireRow } from '../core/index.ts'
import { idOfRow, keepMark, sameCursor, sameJson } from '../core/index.ts'
import { touch } from './state.ts'
import type { Kept, State } from './state.ts'
import type { StoredRow } from './store.ts'

/** Moves the cursor, and sends what changed to the disk behind it (rule R7). */
export function advance(
  state: State,
  kept: Kept,
  to: Cursor,
  net: ReadonlyMap<string, StoredRow | null>,
  replace: boolean,
  reshaped = false,
): void {
  const from = kept.cursor
  if (from !== null && !sameCursor(from, to)) kept.marks = keepMark(kept.marks, from)
  kept.cursor = to
  state.desk?.commit(state, kept, { from, to, net, replace, reshaped })
}

/** Reads rows off the wire, with their values by name; leaves out those without a key, and all while no shape is known. */
export function rowReader(shape: EntityShape | null): (wires: readonly WireRow[]) => StoredRow[] {
  const names = shape?.columns.map(([name]) => name) ?? []
  const key = shape?.key ?? []
  return wires => {
    const rows: StoredRow[] = []
    for (const wire of shape === null ? [] : wires) {
      const row: Record<string, Json> = {}
      let i = 0
      for (const name of names) row[name] = wire[++i] ?? null
      const id = idOfRow(row, key)
      if (id !== null) rows.push({ id, seq: wire[0], row })
    }
    return rows
  }
}

/** `force`: as it is, whatever is held (repairs). */
export function putRow(
  kept: Kept,
  fresh: StoredRow,
  force: boolean,
  net: Map<string, StoredRow | null>,
): void {
  const held = kept.rows.get(fresh.id)
  if (held !== undefined && held.seq > fresh.seq && !force) return
  const same = held !== undefined && sameJson(held.row, fresh.row)
  touch(kept, fresh.id, same ? null : 'server')
  kept.gone.delete(fresh.id)
  const row: StoredRow = same ? { ...fresh, row: held.row } : fresh
  kept.rows.set(fresh.id, row)
  net.set(fresh.id, row)
}

/** `evicted`: it is there, but not wanted here any more. */
export function dropRow(kept: Kept, id: string, net: Map<string, StoredRow | null>, evicted = false): void {
  net.set(id, null)
  const held = kept.rows.get(id)
  if (held === undefined) return
  const pending = kept.queue.has(id)
  touch(kept, id, evicted && pending ? null : 'server')
  kept.rows.delete(id)
  if (pending) kept.gone.set(id, evicted ? held.row : null)
}
