// How values and rows compare, as SQLite compares them: NULL, then numbers (booleans are 0 and 1), then text by code
// points. JSON and blobs come last and are all alike. Integers beyond 2 ** 53 travel as text, and are text here.
import type { Json, Row } from './ids.ts'

/** A column, or several, each with its direction. NULLs come first, and last where it is `desc`. */
export type Order<R> =
  | (keyof R & string)
  | readonly (readonly [column: keyof R & string, way: 'asc' | 'desc'])[]

export function compareText(a: string, b: string): number {
  const end = Math.min(a.length, b.length)
  for (let i = 0; i < end; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left !== right) return codePointRank(left) - codePointRank(right)
  }
  return a.length - b.length
}

/** Code units in the order of what they stand for: surrogates belong to the greatest code points. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** The value of a column: null where there is none. */
export function cell(row: Row, column: string): Json {
  return Object.hasOwn(row, column) ? (row[column] ?? null) : null
}

export function compareValues(a: Json, b: Json): number {
  const left = typeof a === 'boolean' ? +a : a
  const right = typeof b === 'boolean' ? +b : b
  if (typeof left === 'number' && typeof right === 'number') return left - right
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  return kindRank(left) - kindRank(right)
}

function kindRank(value: Json): number {
  if (value === null) return 0
  return typeof value === 'number' ? 1 : typeof value === 'string' ? 2 : 3
}

export function rowOrder<R>(order: Order<R>): (a: Row, b: Row) => number {
  const columns = typeof order === 'string' ? [[order, 'asc'] as const] : order
  return (a, b) => {
    for (const [column, way] of columns) {
      const result = compareValues(cell(a, column), cell(b, column))
      if (result !== 0) return way === 'desc' ? -result : result
    }
    return 0
  }
}
