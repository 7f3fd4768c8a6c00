// What a client asks for of the rows that its user may see: whether it may go by that, and what it has had before.
// Neighbour: `views`, which makes one view of rights and wishes.
import { columnsOfFilter, matcher, maxWhere, SyncError, unscoped } from '../core/index.ts'
import type { Filter, Row } from '../core/index.ts'
import type { EntityInfo, SnapshotPage } from './store.ts'
import { routedBy } from './views.ts'
import type { View } from './views.ts'

/** A scope must not be a way to ask for what is hidden, nor go by what the log keeps no old values of. */
export function checkScope({ name, routing }: EntityInfo, rights: View | null, where: Filter<Row>): void {
  try {
    matcher(where)
  } catch (cause) {
    throw new SyncError('INVALID_MESSAGE', 'where is no filter', { cause })
  }
  for (const column of columnsOfFilter(where)) {
    const shown = rights === null || rights.shape.columns.some(([one]) => one === column)
    if (shown && routing.includes(column)) continue
    throw new SyncError(
      'INVALID_MESSAGE',
      `'${name}' cannot be asked for by '${column.slice(0, 80)}': name the column in its definition's \`by\``,
      { details: { column } },
    )
  }
}

/**
 * Whether a client that says so holds a row, as far as it goes by what is wanted; null: nothing says that it does not.
 * What is wrong here costs a comparison of buckets, and shows nobody anything.
 */
export function heldBy(
  info: EntityInfo | undefined,
  had: string | null,
): ((row: SnapshotPage['rows'][number]) => boolean) | null {
  const text = had?.slice(unscoped(had)?.length).slice(1)
  if (info === undefined || !text || text.length > maxWhere) return null
  try {
    // reason: whether it is one is found out by making it
    const matches = matcher(JSON.parse(text) as Filter<Row>)
    return row => matches(routedBy(info, row, row.json, 'values'))
  } catch {
    return null
  }
}
