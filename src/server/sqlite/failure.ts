// What SQLite's errors mean to us: transient, final, or the fault of one mutation.
import { SyncError } from '../../core/index.ts'
import type { ErrorCode } from '../../core/index.ts'

/** Primary result codes of SQLite, by number (node:sqlite) and name (better-sqlite3). */
const codes = {
  1: 'ERROR',
  5: 'BUSY',
  6: 'LOCKED',
  7: 'NOMEM',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  17: 'SCHEMA',
  18: 'TOOBIG',
  19: 'CONSTRAINT',
  20: 'MISMATCH',
  26: 'NOTADB',
} as const

export type SqliteCode = (typeof codes)[keyof typeof codes] | 'OTHER'

/** Null: not an error of SQLite. */
export function sqliteCode(error: unknown): SqliteCode | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  if (error.code === 'ERR_SQLITE_ERROR' && 'errcode' in error) {
    const primary = Number(error.errcode) & 0xff
    for (const [number, name] of Object.entries(codes)) if (Number(number) === primary) return name
    return 'OTHER'
  }
  if (typeof error.code !== 'string' || !error.code.startsWith('SQLITE_')) return null
  const name = error.code.slice('SQLITE_'.length).split('_', 1)[0]
  for (const known of Object.values(codes)) if (known === name) return known
  return 'OTHER'
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === 'BUSY' || code === 'LOCKED'
}

/** The whole transaction failed for a reason that lies in no single mutation. */
export function isGlobal(error: unknown): boolean {
  switch (sqliteCode(error)) {
    case 'CONSTRAINT':
    case 'MISMATCH':
    case 'TOOBIG':
      return false
    case 'ERROR':
      // a user trigger or a generated column that does not work is the mutation's affair, a missing log is ours
      return textOf(error).includes('_syncline')
    default:
      return true
  }
}

const advice: { readonly [code in SqliteCode]?: readonly [ErrorCode, string] } = {
  BUSY: ['DATABASE_BUSY', 'another process holds the write lock'],
  LOCKED: ['DATABASE_BUSY', 'another connection holds a lock'],
  FULL: ['DATABASE_FULL', 'the disk or the database is full'],
  IOERR: ['DATABASE_FAILED', 'the disk failed; check the file system and its free space'],
  CORRUPT: ['DATABASE_FAILED', 'the database file is damaged; restore a backup'],
  NOTADB: ['DATABASE_FAILED', 'the file is no SQLite database'],
  READONLY: [
    'DATABASE_FAILED',
    'the database is read-only; check the permissions of the file and of its directory',
  ],
  CANTOPEN: ['DATABASE_FAILED', 'the database file cannot be opened; check its path and permissions'],
}

/** As a SyncError: what callers of the port are promised. */
export function storeError(error: unknown): unknown {
  if (error instanceof SyncError) return error
  const code = sqliteCode(error)
  if (code === null) return error
  const [synced, help] = advice[code] ?? (['DATABASE_FAILED', 'SQLite refused a statement'] as const)
  return new SyncError(synced, `${help} (${textOf(error)})`, { cause: error })
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
