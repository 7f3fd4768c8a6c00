// The texts in which wants are kept and compared: a filter, or a window, that is the first rows of a filter in some order.
import { columnsOfFilter, matcher, maxLimit, SyncError } from '../core/index.ts'
import type { Filter, Order, Row } from '../core/index.ts'

export interface ScopeOptions<T> {
  /** Default: every row. By columns that the definition on the server names in `by`. */
  readonly where?: Filter<T>
  /** With `limit`, which rows are the first ones; default, and among equals: by primary key. */
  readonly orderBy?: Order<T>
  /** Only so many, the first ones: 1 to 1,000. */
  readonly limit?: number
}

/** Equal for what says the same in another order of columns; empty: every row. Throws INVALID_CONFIG. */
export function textOf({ where = {}, orderBy, limit }: ScopeOptions<Row>): string {
  matcher(where)
  if (limit === undefined && orderBy === undefined) {
    const text = sorted(where)
    return text === '{}' ? '' : text
  }
  if (limit === undefined || !Number.isInteger(limit) || limit < 1 || limit > maxLimit)
    throw new SyncError('INVALID_CONFIG', `the limit of a scope is 1 to ${maxLimit}; orderBy needs one`)
  const order = typeof orderBy === 'string' ? [[orderBy, 'asc']] : (orderBy ?? [])
  return sorted({ orderBy: order, limit, ...(Object.keys(where).length > 0 && { where }) })
}

function sorted(value: object): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/** The rows that may be meant: of a window, all that it could hold. */
export function testOf(text: string): (row: Row) => boolean {
  return matcher(partsOf(text).where)
}

/** Whether what is meant depends on a column. */
export function goesBy(text: string, column: string): boolean {
  const { where, columns } = partsOf(text)
  return columns.includes(column) || columnsOfFilter(where).has(column)
}

function partsOf(text: string): { where: Filter<Row>; columns: string[] } {
  const said = (text === '' ? {} : JSON.parse(text)) as { orderBy?: unknown; where?: Filter<Row> } // reason: `textOf` made it
  // no column is ever compared with a list
  if (!Array.isArray(said.orderBy)) return { where: said as Filter<Row>, columns: [] } // reason: it is a filter, then
  const columns = (said.orderBy as [string, string][]).map(([column]) => column) // reason: it is an order
  return { where: said.where ?? {}, columns }
}
