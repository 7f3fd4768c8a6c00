// What of a changed row travels to those who hold it as it was (rule S13): the columns written since, where that is much
// less than the row. Neighbours on the line: the hub and the reader, which know from where their subscribers come; frames.
//
// What must hold: whoever is sent a patch stands where it begins, so their copy has every column as it was there, and
// the patch has every column written since. Too many columns do no harm, for values are of now; one too few would never
// be noticed, because rows are compared by their place.
import type { EntityShape } from '../core/index.ts'
import { slicesOf } from './slices.ts'
import type { ChangedRow } from './store.ts'

/** A row to be printed in a batch. */
export interface SentRow extends ChangedRow {
  /** JSON text: its columns that changed, by name. In the place of the row, for who holds it. */
  readonly patch?: string
}

/** A shorter row is sent whole: there is nothing to be saved, and looking for it would cost time. */
const leastChars = 160

/** Whether it may ever be sent as a patch, as far as its size says. */
export function isLong({ json }: { readonly json: string | null }): boolean {
  return json !== null && json.length >= leastChars
}

/**
 * `row`, in `values` form, for a subscriber who stands where its cells begin, and holds it but where it was created or
 * came into view. `columns`: those of its values.
 */
export function withPatch(row: ChangedRow, columns: EntityShape['columns'] | undefined): SentRow {
  const { json, cells, created } = row
  if (json === null || created || cells === undefined || columns === undefined || !isLong(row)) return row
  const slices = slicesOf(json, 'values')
  if (slices.length !== columns.length) return row
  let patch = ''
  let place = 0
  for (const [column] of columns) {
    const slice = slices[place++]
    if (!Object.hasOwn(cells, column)) continue
    patch += `${patch === '' ? '' : ','}${JSON.stringify(column)}:${slice}`
    if (patch.length * 2 > json.length) return row
  }
  return { ...row, patch: `{${patch}}` }
}

/** What changed of a row from the first to the last of two changes, where both say so. */
export function cellsOfBoth(earlier: ChangedRow, later: ChangedRow): ChangedRow['cells'] {
  if (earlier.cells === undefined || later.cells === undefined) return undefined
  return { ...earlier.cells, ...later.cells }
}
