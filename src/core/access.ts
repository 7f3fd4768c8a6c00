// Who may see and write which rows of an entity. The rules are the application's; here are their form, and what can be
// said of a filter without a row: which columns it reads, and what a row that matches it is bound to hold.
import type { Filter } from './filter.ts'
import type { Action } from './change.ts'
import { SyncError } from './errors.ts'
import type { Row } from './ids.ts'

/** Somebody who is signed in, as `authenticate` named them; without it everybody is `{ id: 'anon' }`. */
export interface AccessUser {
  readonly id: string
  readonly [claim: string]: unknown
}

/** A write that asks for leave. `data`: the row of a create, the written columns of an update, empty for a delete. */
export interface AccessChange<T = Row> {
  readonly action: Action
  readonly id: string
  readonly data: Partial<T>
}

/**
 * All of it is asked on the server, at every exit and entrance. Rules are called often: they must not await or read. `U`:
 * what `authenticate` returns.
 */
export interface AccessRules<T = Row, U extends { readonly id: string } = AccessUser> {
  /** The rows that a user may see: a filter, or true for all of them, or false for none. Default: all. */
  readonly read?: (user: U) => Filter<T> | boolean
  /** The columns that a user may see and write; the key is always among them. Default: all. */
  readonly columns?: (user: U) => readonly (keyof T & string)[]
  /**
   * Whether a user may make this change; `row` is the row as it stands, null where there is none. Values that are
   * returned are stored as well, whatever the user sent. May be asked again where the row moves meanwhile. Default: who
   * may see the row before and after may make it.
   */
  readonly write?: (user: U, change: AccessChange<T>, row: T | null) => WriteLeave<T>
}

export type WriteLeave<T = Row> = boolean | Partial<T> | Promise<boolean | Partial<T>>

/** A row that matches has one of `values` in `column`. */
export interface Equality {
  readonly column: string
  readonly values: readonly (string | number | boolean)[]
}

const connectives: ReadonlySet<string> = new Set(['and', 'or', 'not'])

/** The columns that a filter reads. Throws INVALID_CONFIG where it is no filter. */
export function columnsOfFilter(filter: unknown): Set<string> {
  const columns = new Set<string>()
  for (const [name, part] of entriesOf(filter)) {
    if (part === undefined) continue
    if (!connectives.has(name)) columns.add(name)
    else
      for (const inner of Array.isArray(part) ? listIn(part) : [part])
        for (const column of columnsOfFilter(inner)) columns.add(column)
  }
  return columns
}

/** What every row that matches holds, as far as the filter says it plainly: a database can look for that by index. */
export function equalitiesOf(filter: unknown): Equality[] {
  const found: Equality[] = []
  for (const [name, part] of entriesOf(filter)) {
    if (name === 'and') found.push(...listIn(part).flatMap(equalitiesOf))
    if (name === 'or') found.push(...inAll(listIn(part).map(equalitiesOf)))
    if (connectives.has(name) || part === undefined || part === null) continue
    if (isScalar(part)) found.push({ column: name, values: [part] })
    if (typeof part !== 'object' || !('in' in part)) continue
    const values = listIn(part.in)
    if (values.every(value => value === null || isScalar(value)))
      found.push({ column: name, values: values.filter(isScalar) })
  }
  return found
}

/** What a row holds that matches one of several filters: of a column on which each of them insists, a value of any. */
function inAll(branches: readonly Equality[][]): Equality[] {
  const [first = [], ...others] = branches
  return first.flatMap(({ column, values }): Equality[] => {
    const same = others.map(branch => branch.find(one => one.column === column))
    if (same.includes(undefined)) return []
    return [{ column, values: [...new Set([...values, ...same.flatMap(one => one?.values ?? [])])] }]
  })
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value)
  throw new SyncError('INVALID_CONFIG', 'a filter is an object')
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}
