// Rows of the log as the differential dialect prints them: only the fields that were written, where the log says so.
// Neighbours on the line: feed or reader before it, frames behind it.
import { printDeltaFrame } from '../core/index.ts'
import type { EntityShape, PlainDelta } from '../core/index.ts'
import { Frame } from './frames.ts'
import { slicesOf } from './slices.ts'
import type { Cells, ChangedRow, EntityInfo } from './store.ts'

/** An entity as somebody sees it. */
export interface Seen {
  readonly info: EntityInfo
  readonly shape: EntityShape
}

/** `row` in `values` form, `after`: the place that is known. Null: nothing that this shape shows was written since. */
export function plainDelta(row: ChangedRow, after: number, { info, shape }: Seen): PlainDelta | null {
  const { entity, id, seq: version, reading, temporary, json, cells } = row
  const delta = { entity, id, version, reading, temporary }
  if (json === null) {
    const key = { name: shape.key[0] ?? 'id', value: 'null', old: row.idJson }
    return { ...delta, action: 'delete', fields: [key] }
  }
  const slices = slicesOf(json, 'values')
  const fields = shape.columns.flatMap(([name], place) => {
    // what the database computes from other columns is written by nobody
    const written =
      row.created || cells === undefined || info.generated.has(name) || isAbove(cells, name, after)
    return written ? [{ name, value: slices[place] ?? 'null' }] : []
  })
  return fields.length === 0 ? null : { ...delta, action: row.created ? 'create' : 'update', fields }
}

function isAbove(cells: Cells, name: string, after: number): boolean {
  return Object.hasOwn(cells, name) && (cells[name]?.seq ?? 0) > after
}

export function deltasOf(
  rows: readonly ChangedRow[],
  after: number,
  seen: (entity: string) => Seen | undefined,
): PlainDelta[] {
  return rows.flatMap(row => {
    const found = seen(row.entity)
    return (found === undefined ? null : plainDelta(row, after, found)) ?? []
  })
}

/** One `sync:delta` frame a row. */
export function printDeltas(deltas: readonly PlainDelta[], epoch: string): Frame[] {
  return deltas.map(delta => new Frame(printDeltaFrame(delta, epoch)))
}
