// What a client asks for of the rows that its user may see: how it is said, whether it may go by that, and what the client
// has had before. Neighbour: `views`, which makes one view of rights and wishes.
import { columnsOfFilter, matcher, maxLimit, maxWhere, SyncError, textIn } from '../core/index.ts'
import type { Filter, Json, Row } from '../core/index.ts'
import type { EntityInfo, SnapshotPage } from './store.ts'
import { routedBy } from './views.ts'
import type { View } from './views.ts'
import type { Way, WindowWish } from './windows.ts'

const maxWindows = 16
const maxColumns = 8

/** A row is wanted that matches one of the filters, or is in one of the windows. */
export interface Wish {
  readonly filters: readonly Filter<Row>[]
  readonly windows: readonly WindowWish[]
  /** As it was said: a part of the shape that it makes. */
  readonly text: string
}

/** A filter, a window, or a list of both under `or`. Throws INVALID_MESSAGE. */
export function wishOf(asked: Row): Wish {
  const { or, ...more } = asked
  const list = Array.isArray(or) && Object.keys(more).length === 0 ? (or as Json[]) : [asked] // reason: isArray says any[]
  const windows = list.filter(isWindow)
  const filters = windows.length === 0 ? [asked] : list.filter(one => !isWindow(one))
  if (windows.length > maxWindows)
    throw refusal(`no more than ${maxWindows} windows can be asked for at once`)
  return {
    // reason: whether they are some is found out by making them
    filters: filters as Filter<Row>[],
    windows: windows.map(windowOf),
    text: JSON.stringify(asked),
  }
}

/** A column is never compared with a list: a filter cannot look like that. */
function isWindow(value: Json): value is Row & { readonly orderBy: readonly Json[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    'orderBy' in value &&
    Array.isArray(value['orderBy'])
  )
}

function windowOf({
  orderBy,
  limit,
  where,
  ...more
}: Row & { readonly orderBy: readonly Json[] }): WindowWish {
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1 || limit > maxLimit)
    throw refusal(`the limit of a window is 1 to ${maxLimit}`)
  if (orderBy.length > maxColumns) throw refusal(`a window is ordered by ${maxColumns} columns at most`)
  if (Object.keys(more).length > 0) throw refusal('a window has orderBy, limit and where')
  const order = orderBy.map((one): Way => {
    const [column, way, ...others] = Array.isArray(one) ? (one as Json[]) : [] // reason: isArray says any[]
    if (typeof column !== 'string' || (way !== 'asc' && way !== 'desc') || others.length > 0)
      throw refusal("orderBy lists columns with 'asc' or 'desc'")
    return [column, way]
  })
  // reason: whether it is one is found out by making it
  return { where: where === undefined ? null : (where as Filter<Row>), order, limit }
}

function refusal(message: string, details?: object): SyncError {
  return new SyncError('INVALID_MESSAGE', message, { details })
}

/** A scope must not be a way to ask for what is hidden, nor go by what the log keeps no old values of. */
export function checkWish(
  { name, routing, shape }: EntityInfo,
  rights: View | null,
  { filters, windows }: Wish,
): void {
  const shown = new Set((rights?.shape ?? shape).columns.map(([column]) => column))
  for (const filter of [...filters, ...windows.map(({ where }) => where ?? {})]) {
    for (const column of columnsIn(filter)) {
      if (shown.has(column) && routing.includes(column)) continue
      throw refusal(
        `'${name}' cannot be asked for by '${column.slice(0, 80)}': name the column in its definition's \`by\``,
        { column },
      )
    }
  }
  const kinds = new Map(shape.columns)
  for (const [column] of windows.flatMap(({ order }) => order)) {
    const kind = kinds.get(column)
    if (shown.has(column) && kind !== 'json' && kind !== 'blob') continue
    throw refusal(`'${name}' cannot be ordered by '${column.slice(0, 80)}'`, { column })
  }
}

function columnsIn(filter: Filter<Row>): Set<string> {
  try {
    matcher(filter)
    return columnsOfFilter(filter)
  } catch (cause) {
    throw new SyncError('INVALID_MESSAGE', 'where is no filter', { cause })
  }
}

/**
 * Whether a client that says so holds a row, as far as it goes by what is wanted; null: nothing says that it does not.
 * It goes by no more than a wish may: which rows are sent anew tells what they were compared with.
 */
export function heldBy(
  info: EntityInfo | undefined,
  rights: View | null,
  had: string | null,
): ((row: SnapshotPage['rows'][number]) => boolean) | null {
  const text = textIn(had ?? '')
  if (info === undefined || text === '' || text.length > maxWhere) return null
  try {
    // reason: whether it is one is found out by making it
    const filter = JSON.parse(text) as Filter<Row>
    checkWish(info, rights, { filters: [filter], windows: [], text })
    const matches = matcher(filter)
    return row => matches(routedBy(info, row, row.json, 'values'))
  } catch {
    return null
  }
}
