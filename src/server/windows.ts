// Windows (rule V12): the first rows of an entity in some order, and as many. Which those are is asked of the database when
// something changed that could matter, and kept as a set of ids; what enters it and what leaves it the client is told as
// of any view. Neighbours: `views`, whose user it is; `readings` asks again; the hub notices that there is something to ask.
import { matcher } from '../core/index.ts'
import type { Cursor, Equality, Filter, Row } from '../core/index.ts'
import type { ChangedRow, EntityInfo, ServerStore, SnapshotPage } from './store.ts'
import { routedBy } from './views.ts'
import type { SeenRow } from './views.ts'

export type Way = readonly [column: string, way: 'asc' | 'desc']

/** As a client asks for it; `where` null: every row that may be seen. */
export interface WindowWish {
  readonly where: Filter<Row> | null
  readonly order: readonly Way[]
  readonly limit: number
}

export interface Window extends Omit<WindowWish, 'where'> {
  /** Null: every row. */
  readonly matches: Test | null
  readonly where: readonly Equality[]
}

/** What a view with windows is made of. */
export interface Parts {
  readonly windows: readonly Window[]
  /** Rows that are wanted wherever they stand; null: none. */
  readonly plain: Test | null
  readonly plainWhere: readonly Equality[]
}

export type Test = (row: Row) => boolean

/** The rows of all windows, as of a place of the log: what changed above it may have made them others. */
export interface Members {
  readonly ids: ReadonlySet<string>
  readonly at: Cursor
}

/** What a new look at the windows of an entity found. */
export interface Turnover {
  readonly entered: readonly string[]
  readonly left: readonly string[]
  readonly at: Cursor
}

/** Rows that are looked at in one reading, at most. */
const sliceRows = 500

/** Null: nobody wants it any more. */
export async function gather(
  store: Pick<ServerStore, 'ordered'>,
  info: EntityInfo,
  { windows }: Parts,
  turn: () => Promise<boolean>,
): Promise<Members | null> {
  const ids = new Set<string>()
  let at: Cursor | null = null
  for (const { matches, where, order, limit } of windows) {
    let left = limit
    for (let after: string | null = null; ;) {
      if (!(await turn())) return null
      const slice = Math.min(Math.max(left, 100), sliceRows)
      const page: SnapshotPage = await store.ordered({ entity: info.name, order, after, limit: slice, where })
      // what changed while they were read one after the other is looked at again
      if (at === null || page.head.seq < at.seq) at = page.head
      for (const row of page.rows) {
        if (left === 0) break
        if (matches !== null && !matches(routedBy(info, row, row.json, 'values'))) continue
        ids.add(row.id)
        left -= 1
      }
      after = page.next
      if (left === 0 || after === null) break
    }
  }
  return at === null ? null : { ids, at }
}

/** A changed row of a view, as those are told who have only its members: `shown` is what all of the view would be told. */
export function toldOf(
  info: EntityInfo,
  { plain }: Parts,
  { ids }: Members,
  row: SeenRow,
  shown: ChangedRow | null,
): ChangedRow | null {
  if (shown === null) return null
  const isMember = ids.has(row.id)
  if (
    shown.json !== null &&
    row.json !== null &&
    (isMember || plain?.(routedBy(info, row, row.json, 'values')) === true)
  )
    return shown
  const wasPlain = plain !== null && (row.was ?? []).some(plain)
  return isMember || wasPlain
    ? { ...shown, json: null, created: false, temporary: null, origin: undefined }
    : null
}

/** Null where all rows match. */
export function testOf(filter: Filter<Row> | boolean): Test | null {
  return filter === true ? null : filter === false ? () => false : matcher(filter)
}
