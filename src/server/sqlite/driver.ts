// The two SQLite drivers as one: `node:sqlite` and better-sqlite3, told apart by their shape, never imported.
// For a file the store opens connections of its own with the application's own driver class, so that nothing it reads
// is ever uncommitted. A database in memory has one connection only, which is shared with the application.
import { resolve } from 'node:path'
import { SyncError } from '../../core/index.ts'

export type SqlValue = null | number | bigint | string | Uint8Array

interface DriverStatement {
  all(...params: SqlValue[]): unknown[]
  get(...params: SqlValue[]): unknown
  run(...params: SqlValue[]): unknown
  /** node:sqlite */
  setReturnArrays?(on: boolean): void
  /** better-sqlite3: `reader` statements return rows, and only they may be `raw` (arrays). */
  readonly reader?: boolean
  raw?(on: boolean): unknown
}

/** What is needed of a `DatabaseSync` (node:sqlite) or a `Database` (better-sqlite3). */
export interface SqliteHandle {
  exec(sql: string): unknown
  prepare(sql: string): object
  close(): unknown
}

interface Driver extends SqliteHandle {
  prepare(sql: string): DriverStatement
  function(name: string, options: { deterministic: boolean }, run: (value: unknown) => string): unknown
  /** node:sqlite: null for a database in memory. */
  location?(): string | null
  readonly isTransaction?: boolean
  /** better-sqlite3 */
  readonly name?: string
  readonly memory?: boolean
  readonly readonly?: boolean
  readonly inTransaction?: boolean
}

export function isSqliteHandle(value: unknown): value is SqliteHandle {
  if (typeof value !== 'object' || value === null) return false
  const has = (name: string, type: string): boolean => typeof Reflect.get(value, name) === type
  if (!has('exec', 'function') || !has('prepare', 'function') || !has('close', 'function')) return false
  return has('location', 'function') || (has('inTransaction', 'boolean') && has('name', 'string'))
}

/** The absolute path of the database file; null for one in memory. */
export function pathOfHandle(handle: SqliteHandle): string | null {
  const driver = handle as Driver // reason: the public type is the part that users must see; isSqliteHandle checked the rest
  if (typeof driver.location === 'function') {
    const path = driver.location()
    return path === null || path === '' ? null : path
  }
  const { name = '' } = driver
  return driver.memory === true || name === '' || name.includes(':memory:') ? null : resolve(name)
}

/** A connection with its statements prepared once each. Rows are arrays. */
export class Connection {
  readonly #driver: Driver
  readonly #statements = new Map<string, DriverStatement>()

  constructor(handle: SqliteHandle) {
    this.#driver = handle as Driver // reason: as in pathOfHandle
    // SQLite has no base64; only our own reading SQL calls this, and only for blobs
    this.#driver.function('_syncline_base64', { deterministic: true }, value =>
      value instanceof Uint8Array
        ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
        : '',
    )
  }

  /** A further connection to the same file with the same driver. */
  static open(handle: SqliteHandle, path: string, configure?: (handle: SqliteHandle) => void): Connection {
    // reason: the handle's class is the driver's own; its constructor takes a path in both drivers
    const Driver = handle.constructor as new (path: string) => SqliteHandle
    const opened = new Driver(path)
    configure?.(opened)
    const connection = new Connection(opened)
    connection.exec('PRAGMA busy_timeout = 0')
    return connection
  }

  /** Whether somebody (on the application's connection: perhaps the application) has a transaction open. */
  get inTransaction(): boolean {
    try {
      return this.#driver.isTransaction ?? this.#driver.inTransaction ?? false
    } catch {
      // closed
      return false
    }
  }

  exec(sql: string): void {
    this.#driver.exec(sql)
  }

  all(sql: string, ...params: SqlValue[]): SqlValue[][] {
    return this.#prepared(sql).all(...params) as SqlValue[][] // reason: #prepared asked for arrays
  }

  get(sql: string, ...params: SqlValue[]): SqlValue[] | undefined {
    return this.#prepared(sql).get(...params) as SqlValue[] | undefined // reason: as above
  }

  run(sql: string, ...params: SqlValue[]): void {
    this.#prepared(sql).run(...params)
  }

  /** The single value of a one-row answer. */
  value(sql: string, ...params: SqlValue[]): SqlValue | undefined {
    return this.get(sql, ...params)?.[0]
  }

  #prepared(sql: string): DriverStatement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#driver.prepare(sql)
      if (statement.setReturnArrays !== undefined) statement.setReturnArrays(true)
      else if (statement.reader === true) statement.raw?.(true)
      if (this.#statements.size > 2_000) this.#statements.clear()
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** After a schema change: statements of tables that are no more would only hold memory. */
  forget(): void {
    this.#statements.clear()
  }

  close(): void {
    this.#statements.clear()
    this.#driver.close()
  }
}

export function unsupportedDriver(): SyncError {
  return new SyncError(
    'UNSUPPORTED_DRIVER',
    'the database must be a DatabaseSync of node:sqlite or a Database of better-sqlite3, open',
  )
}

// ---- columns of a row that SQL of ours selected, so that their types are known

export function text(value: SqlValue | undefined): string {
  return typeof value === 'string' ? value : String(value ?? '')
}

export function textOrNull(value: SqlValue | undefined): string | null {
  return value === null || value === undefined ? null : text(value)
}

export function integer(value: SqlValue | undefined): number {
  return typeof value === 'number' ? value : Number(value ?? 0)
}
