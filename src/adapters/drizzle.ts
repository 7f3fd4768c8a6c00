// A Drizzle SQLite table as an entity: the model that the application already has gives names, types and validation.
// By structure: drizzle-orm is not imported, so its version is the application's affair.
import { defineEntity, SyncError } from '../core/index.ts'
import type { EntityDefinition, EntityOptions, Row, StandardIssue, StandardSchema } from '../core/index.ts'

interface ColumnConfig {
  readonly name: string
  readonly columnType: string
  readonly notNull: boolean
  readonly data: unknown
}

/** A column, as far as it is needed. */
export interface DrizzleColumn {
  readonly _: ColumnConfig
  readonly name: string
  readonly columnType: string
  readonly notNull: boolean
  readonly primary: boolean
  readonly hasDefault: boolean
  readonly generated: unknown
  readonly enumValues: readonly string[] | undefined
}

/** What `sqliteTable(...)` returns, as far as it is needed. */
export interface DrizzleTable {
  readonly _: { readonly name: string }
}

/** Rows travel under the database's column names with the values that the database stores: dates and booleans as numbers. */
export type DrizzleRow<T> = {
  [K in keyof T as T[K] extends { readonly _: ColumnConfig } ? T[K]['_']['name'] : never]: T[K] extends {
    readonly _: ColumnConfig
  }
    ? Stored<T[K]['_']> | (T[K]['_']['notNull'] extends true ? never : null)
    : never
}

type Stored<C extends ColumnConfig> = C['columnType'] extends
  | 'SQLiteInteger'
  | 'SQLiteBoolean'
  | 'SQLiteTimestamp'
  | 'SQLiteReal'
  ? number
  : C['columnType'] extends 'SQLiteText'
    ? C['data']
    : C['columnType'] extends `SQLiteBlob${string}` | 'SQLiteBigInt'
      ? { readonly $blob: string }
      : C['columnType'] extends 'SQLiteNumeric' | 'SQLiteTextJson'
        ? string
        : unknown

type TableName<T> = T extends { readonly _: { readonly name: infer Name extends string } } ? Name : string

/**
 * `entities: [fromDrizzle(users)]`. The entity is called as the table is, unless `name` says otherwise. Throws
 * INVALID_CONFIG for what is no Drizzle table.
 */
export function fromDrizzle<T extends DrizzleTable, const Name extends string = TableName<T>>(
  table: T,
  options: Omit<EntityOptions<Name, StandardSchema<DrizzleRow<T>>>, 'name' | 'table' | 'schema'> & {
    readonly name?: Name
  } = {},
): EntityDefinition<Name, DrizzleRow<T>> {
  const named: unknown = Reflect.get(table, Symbol.for('drizzle:Name'))
  const columns: unknown = Reflect.get(table, Symbol.for('drizzle:Columns'))
  if (typeof named !== 'string' || typeof columns !== 'object' || columns === null) {
    throw new SyncError('INVALID_CONFIG', 'fromDrizzle takes a table made by sqliteTable(...)')
  }
  // reason: drizzle keeps its columns under this symbol; the two checks above are all that can be asked of it
  const list = Object.values(columns) as DrizzleColumn[]
  // reason: the table's own name is the default of Name
  const name = options.name ?? (named as Name)
  const definition = defineEntity({ ...options, name, table: named, schema: schemaOf<DrizzleRow<T>>(list) })
  // reason: defineEntity says the same of a schema's rows, through a conditional type that is not resolved for a generic T
  return definition as EntityDefinition<Name, DrizzleRow<T>>
}

/** Judges the kinds of values and what must not be missing; the database judges the rest. */
function schemaOf<T>(columns: readonly DrizzleColumn[]): StandardSchema<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'syncline-drizzle',
      validate(value) {
        // reason: accept hands rows in, never anything else
        const row = value as Row
        const issues = columns.flatMap(column => issueOf(column, row))
        // reason: every column that T names was looked at
        return issues.length > 0 ? { issues } : { value: value as T }
      },
    },
  }
}

function issueOf(column: DrizzleColumn, row: Row): StandardIssue[] {
  const value = Object.hasOwn(row, column.name) ? row[column.name] : undefined
  const issue = (message: string): StandardIssue[] => [{ message, path: [column.name] }]
  if (value === undefined) {
    const optional = !column.notNull || column.hasDefault || column.primary || column.generated !== undefined
    return optional ? [] : issue('is required')
  }
  if (value === null) return column.notNull ? issue('must not be null') : []
  if (column.enumValues !== undefined && column.enumValues.length > 0) {
    return typeof value === 'string' && column.enumValues.includes(value)
      ? []
      : issue(`must be one of ${column.enumValues.join(', ')}`)
  }
  const wanted = kindOf(column.columnType)
  return wanted === null || wanted.test(value) ? [] : issue(`must be ${wanted.name}`)
}

interface Kind {
  readonly name: string
  test(value: unknown): boolean
}

/** Null: a column type that is not known here, which the database judges alone. */
function kindOf(columnType: string): Kind | null {
  switch (columnType) {
    case 'SQLiteInteger':
    case 'SQLiteTimestamp':
      // beyond 2^53 an integer travels as a string of digits
      return {
        name: 'an integer',
        test: value => Number.isInteger(value) || (typeof value === 'string' && /^-?\d{16,19}$/.test(value)),
      }
    case 'SQLiteBoolean':
      return {
        name: 'true, false, 0 or 1',
        test: value => typeof value === 'boolean' || value === 0 || value === 1,
      }
    case 'SQLiteReal':
      return { name: 'a number', test: value => typeof value === 'number' }
    case 'SQLiteText':
    case 'SQLiteTextJson':
      return { name: 'a text', test: value => typeof value === 'string' }
    default:
      return null
  }
}
