// Tables of the memory database: what a column holds, what a row must satisfy, what its id is. Values are held in their
// JSON form (rule L8): integers beyond 2^53 as text, blobs as {"$blob"}.
import { SyncError, idOfRow, nativeId } from '../core/index.ts'
import type { ColumnKind, Json, Row } from '../core/index.ts'

export interface ColumnSpec {
  readonly kind: ColumnKind
  readonly notNull?: boolean
  /** What an insert stores that does not name the column; null where this is absent. */
  readonly default?: Json
}

export interface Reference {
  readonly column: string
  /** The table whose (single) key it names. */
  readonly table: string
  readonly onDelete: 'cascade' | 'restrict' | 'set null'
}

export interface TableSpec {
  readonly name: string
  readonly columns: { readonly [column: string]: ColumnSpec }
  readonly key: readonly string[]
  readonly unique?: readonly (readonly string[])[]
  readonly references?: readonly Reference[]
  /** A CHECK constraint. */
  readonly check?: (row: Row) => boolean
  /** The user's own trigger: what it makes of a row that is written, such as `updated_at` or a normalised value. */
  readonly trigger?: (row: Row, old: Row | null, nowMs: number) => Row
}

export type Refusal = 'unique' | 'not null' | 'foreign key' | 'check' | 'type'

/** What a database answers to a statement that breaks a constraint: the statement did nothing. */
export class ConstraintError extends Error {
  override readonly name = 'ConstraintError'
  readonly refusal: Refusal

  constructor(refusal: Refusal, message: string) {
    super(message)
    this.refusal = refusal
  }
}

/** The row is being written by another open transaction; a real database would wait for it. */
export class LockedError extends Error {
  override readonly name = 'LockedError'
}

export function integerKeyOf(spec: TableSpec): boolean {
  return spec.key.length === 1 && spec.columns[spec.key[0] ?? '']?.kind === 'integer'
}

/** The key columns of an id, typed as the table wants them; null: no id of this table. */
export function keyOfId(spec: TableSpec, id: string): Row | null {
  const [only] = spec.key
  if (spec.key.length === 1 && only !== undefined) return keyed(spec, [only], [id])
  try {
    const parts: unknown = JSON.parse(id)
    return Array.isArray(parts) && parts.length === spec.key.length ? keyed(spec, spec.key, parts) : null
  } catch {
    return null
  }
}

function keyed(spec: TableSpec, columns: readonly string[], values: readonly Json[]): Row | null {
  const key: Record<string, Json> = {}
  for (const [i, column] of columns.entries()) {
    const value = values[i] ?? null
    const stored = typedValue(spec.columns[column]?.kind ?? 'any', value)
    if (stored === undefined || stored === null) return null
    key[column] = stored
  }
  return key
}

export function idOf(spec: TableSpec, row: Row): string {
  const id = idOfRow(row, spec.key)
  if (id === null) throw new ConstraintError('not null', `${spec.name} needs its key ${spec.key.join(', ')}`)
  return id
}

/** A full row in column order, typed, with defaults. Throws INVALID_VALUE's cousin of the database. */
export function typedRow(spec: TableSpec, given: Row): Row {
  const row: Record<string, Json> = {}
  for (const [column, { kind, default: fallback }] of Object.entries(spec.columns)) {
    const value = Object.hasOwn(given, column) ? given[column] : fallback
    const stored = typedValue(kind, value ?? null)
    if (stored === undefined)
      throw new ConstraintError('type', `${spec.name}.${column} cannot hold ${JSON.stringify(value)}`)
    row[column] = stored
  }
  for (const column of Object.keys(given)) {
    if (!Object.hasOwn(spec.columns, column))
      throw new SyncError('UNKNOWN_FIELD', `${spec.name} has no column '${column}'`)
  }
  return row
}

export function checkRow(spec: TableSpec, row: Row): void {
  for (const [column, { notNull }] of Object.entries(spec.columns)) {
    if (notNull === true && row[column] === null)
      throw new ConstraintError('not null', `NOT NULL: ${spec.name}.${column}`)
  }
  if (spec.check?.(row) === false) throw new ConstraintError('check', `CHECK: ${spec.name}`)
}

/** As the column holds it; undefined where the column cannot. */
function typedValue(kind: ColumnKind, value: Json): Json | undefined {
  if (value === null) return null
  switch (kind) {
    case 'integer':
      return typedInteger(value)
    case 'real':
      return typeof value === 'number' ? value : undefined
    case 'text':
      return typeof value === 'string' ? value : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : value === 0 || value === 1 ? value === 1 : undefined
    case 'blob':
      return typeof value === 'object' && '$blob' in value ? value : undefined
    case 'json':
    case 'any':
      return value
  }
}

function typedInteger(value: Json): Json | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return undefined
  return nativeId(value, true)
}

/** What `rowName` was made of. */
export function rowOfName(key: string): readonly [table: string, id: string] {
  const end = key.indexOf('\n')
  return [key.slice(0, end), key.slice(end + 1)]
}
