// Rows of the log as the differential dialect prints them: only the fields that were written, where the log says so.
// Neighbours on the line: feed or reader before it, frames behind it.
import { printDeltaFrame } from '../core/index.ts'
import type { EntityShape, PlainDelta } from '../core/index.ts'
import { Frame } from './frames.ts'
import { slicesOf } from './slices.ts'
import type { Cells, ChangedRow } from './store.ts'

type Shown = Pick<EntityShape, 'key' | 'columns'>

/**
 * `row` in `values` form, `after`: the place that is known. Null: nothing that this shape shows was written since. What the
 * database computes of other columns is in the log where it changed, like any other.
 */
export function plainDelta(row: ChangedRow, after: number, shape: Shown): PlainDelta | null {
  const { entity, id, seq: version, reading, temporary, json, cells } = row
  const delta = { entity, id, version, reading, temporary }
  if (json === null) {
    const key = { name: shape.key[0] ?? 'id', value: 'null', old: row.idJson }
    return { ...delta, action: 'delete', fields: [key] }
  }
  const slices = slicesOf(json, 'values')
  const fields = shape.columns.flatMap(([name], place) => {
    const written = row.created || cells === undefined || isAbove(cells, name, after)
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
  shapeOf: (entity: string) => Shown | undefined,
): PlainDelta[] {
  return rows.flatMap(row => {
    const shape = shapeOf(row.entity)
    return (shape === undefined ? null : plainDelta(row, after, shape)) ?? []
  })
}

/** One `sync:delta` frame a row. */
export function printDeltas(deltas: readonly PlainDelta[], epoch: string): Frame[] {
  return deltas.map(delta => new Frame(printDeltaFrame(delta, epoch)))
}
