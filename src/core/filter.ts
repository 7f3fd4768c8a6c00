// Which rows are meant: a plain object that says the same as a predicate here and as a WHERE clause in SQL, and knows
// three truths as SQL does. What is compared with NULL is neither true nor false, and `not` leaves it so; only true
// matches. Pure, and made for untrusted input: columns and operators are looked up, never called.
import { SyncError } from './errors.ts'
import type { Json, Row } from './ids.ts'
import { cell, compareValues } from './order.ts'

type Scalar = string | number | boolean | null
type Value<V> = Extract<V, Scalar> | (boolean extends V ? 0 | 1 : never)

/** All of them must hold. `ne: null` is IS NOT NULL; any other comparison with null matches nothing. */
export interface Comparison<V> {
  readonly ne?: V | null
  readonly gt?: V
  readonly gte?: V
  readonly lt?: V
  readonly lte?: V
  readonly in?: readonly V[]
}

/** A bare value is equality, a bare null IS NULL. */
type Condition<V> = V | null | Comparison<V>

interface Connectives<R> {
  readonly and?: readonly Filter<R>[]
  readonly or?: readonly Filter<R>[]
  readonly not?: Filter<R>
}

/** All columns that are named must match. Columns called `and`, `or` and `not` cannot be named. */
export type Filter<R> = string extends keyof R
  ? { readonly [column: string]: Condition<Scalar> | Filter<R> | readonly Filter<R>[] | undefined }
  : { readonly [C in keyof R]?: Condition<Value<R[C]>> } & Connectives<R>

type Test = (row: Row) => boolean | null

/** Throws INVALID_CONFIG where it is no filter. */
export function matcher<R>(filter: Filter<R>): (row: Row) => boolean {
  const test = filterTest(filter)
  return row => test(row) === true
}

function filterTest(filter: unknown): Test {
  return all(
    Object.entries(plain(filter)).map(([name, part]): Test => {
      if (part === undefined) return () => true
      if (name === 'not') return not(filterTest(part))
      if (name === 'and') return all(list(part).map(filterTest))
      // a or b: not (not a and not b)
      if (name === 'or') return not(all(list(part).map(one => not(filterTest(one)))))
      return columnTest(name, part)
    }),
  )
}

function columnTest(column: string, condition: unknown): Test {
  if (condition === null) return row => cell(row, column) === null
  if (typeof condition !== 'object') return compared(column, condition, way => way === 0)
  return all(
    Object.entries(plain(condition)).map(([operator, value]): Test => {
      if (value === undefined) return () => true
      if (operator === 'in') {
        // a or b, of which the empty one is false
        return not(all(list(value).map(one => not(compared(column, one, way => way === 0)))))
      }
      if (operator === 'ne' && value === null) return row => cell(row, column) !== null
      const holds = Object.hasOwn(operators, operator) ? operators[operator] : undefined
      if (holds === undefined) throw new SyncError('INVALID_CONFIG', `a filter knows no '${operator}'`)
      return compared(column, value, holds)
    }),
  )
}

const operators: { readonly [operator: string]: (way: number) => boolean } = {
  ne: way => way !== 0,
  gt: way => way > 0,
  gte: way => way >= 0,
  lt: way => way < 0,
  lte: way => way <= 0,
}

/** Null: one of the two is NULL, or is nothing that can be compared. */
function compared(column: string, value: unknown, holds: (way: number) => boolean): Test {
  if (value !== null && !isScalar(value))
    throw new SyncError('INVALID_CONFIG', `a filter cannot compare '${column}' with ${typeof value}`)
  return row => {
    const own = cell(row, column)
    return value === null || own === null || !isScalar(own) ? null : holds(compareValues(own, value))
  }
}

function isScalar(value: unknown): value is Exclude<Json, object> {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

/** False wins over unknown, unknown over true. */
function all(tests: readonly Test[]): Test {
  const [only] = tests
  if (only !== undefined && tests.length === 1) return only
  return row => {
    let result: boolean | null = true
    for (const test of tests) {
      const one = test(row)
      if (one === false) return false
      result = one === null ? null : result
    }
    return result
  }
}

function not(test: Test): Test {
  return row => {
    const result = test(row)
    return result === null ? null : !result
  }
}

function plain(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new SyncError('INVALID_CONFIG', 'a filter is an object')
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new SyncError('INVALID_CONFIG', `'and', 'or' and 'in' take a list`)
}
