// What can be asked of a database without opening an engine on it: for the command line, and for monitoring.
import { defineEntity, SyncError } from '../../core/index.ts'
import type { ErrorCode } from '../../core/index.ts'
import { conflictsTable } from '../conflicts.ts'
import { nodeEnv } from '../env.ts'
import type { ServerEnv } from '../env.ts'
import { Access } from './access.ts'
import { prefix } from './capture.ts'
import { forgetOthers, forgetSome, horizonFor } from './cleanup.ts'
import { countClients } from './clients.ts'
import { describe } from './describe.ts'
import { integer, isSqliteHandle, text, unsupportedDriver } from './driver.ts'
import type { Connection, SqliteHandle } from './driver.ts'
import { foldedTo } from './fold.ts'
import { readHead } from './read.ts'
import { checkLayout, isInstalled } from './schema.ts'
import { othersAttached } from './uninstall.ts'

export interface SqliteTables {
  /** Names that can be given as entities. */
  readonly tables: readonly string[]
  readonly leftOut: readonly { readonly table: string; readonly code: ErrorCode; readonly message: string }[]
}

/** Every table of the file, and whether it can be synced. */
export function sqliteTables(handle: SqliteHandle): Promise<SqliteTables> {
  return withAccess(handle, access => access.read(tablesOf))
}

function tablesOf(db: Connection): SqliteTables {
  const tables: string[] = []
  const leftOut: { table: string; code: ErrorCode; message: string }[] = []
  const found = db.all(
    "SELECT name FROM pragma_table_list WHERE schema='main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
  )
  for (const [name] of found) {
    const table = text(name)
    if (table.startsWith(prefix)) continue
    try {
      describe(db, defineEntity({ name: table, table }))
      tables.push(table)
    } catch (error) {
      if (!(error instanceof SyncError)) throw error
      leftOut.push({ table, code: error.code, message: error.message })
    }
  }
  return { tables, leftOut }
}

export type SqliteStatus =
  | { readonly installed: false }
  | {
      readonly installed: true
      /** The captured tables. */
      readonly tables: readonly string[]
      readonly epoch: string
      readonly head: number
      readonly horizon: number
      readonly tail: number
      readonly unfolded: number
      readonly rows: number
      readonly gone: number
      readonly clients: number
      /** An engine has the file open, or ended without closing a moment ago. */
      readonly attached: boolean
    }

export function sqliteStatus(handle: SqliteHandle, env: ServerEnv = nodeEnv()): Promise<SqliteStatus> {
  return withAccess(handle, access => access.read(db => statusOf(db, env.now())))
}

function statusOf(db: Connection, nowMs: number): SqliteStatus {
  if (!isInstalled(db)) return { installed: false }
  checkLayout(db)
  const count = (table: string): number => integer(db.value(`SELECT count(*) FROM _syncline_${table}`))
  const { epoch, seq, horizon } = readHead(db)
  return {
    installed: true,
    tables: db
      .all('SELECT tbl FROM _syncline_entities WHERE active=1 ORDER BY tbl')
      .map(([table]) => text(table))
      .filter(table => table !== conflictsTable),
    epoch,
    head: seq,
    horizon,
    tail: count('tail'),
    unfolded: seq - foldedTo(db),
    rows: count('rows'),
    gone: count('gone'),
    clients: countClients(db),
    attached: othersAttached(db, '', nowMs),
  }
}

/**
 * Forgets what `engine.cleanup(days)` forgets; the number of entries. What no engine has folded yet stays. Rejects
 * NOT_FOUND where nothing is installed.
 */
export function sqliteCleanup(
  handle: SqliteHandle,
  days: number,
  env: ServerEnv = nodeEnv(),
): Promise<number> {
  return withAccess(handle, async access => {
    if (!(await access.read(isInstalled)))
      throw new SyncError('NOT_FOUND', 'syncline is not installed in this database')
    await access.read(checkLayout)
    const beforeMs = env.now() - days * 86_400_000
    const horizon = await access.read(db => horizonFor(db, beforeMs))
    let total = 0
    for (let more = true; more;) {
      const step = await access.write(db => forgetSome(db, horizon))
      total += step.forgotten
      more = step.more
    }
    await access.write(db => forgetOthers(db, beforeMs, env.now()))
    return total
  })
}

async function withAccess<T>(handle: SqliteHandle, use: (access: Access) => Promise<T>): Promise<T> {
  if (!isSqliteHandle(handle)) throw unsupportedDriver()
  const access = new Access(handle, nodeEnv())
  try {
    return await use(access)
  } finally {
    access.close()
  }
}
