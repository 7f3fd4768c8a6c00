// The door of the SQLite store.
import type { ServerEnv } from '../env.ts'
import { nodeEnv } from '../env.ts'
import { Access } from './access.ts'
import { Connection, isSqliteHandle, unsupportedDriver } from './driver.ts'
import type { SqliteHandle } from './driver.ts'
import { dropTriggers, removeAll } from './uninstall.ts'

export { isSqliteHandle } from './driver.ts'
export type { SqliteHandle } from './driver.ts'
export { sqliteCleanup, sqliteStatus, sqliteTables } from './offline.ts'
export type { SqliteStatus, SqliteTables } from './offline.ts'
export { sqliteStore } from './store.ts'
export type { SqliteStoreOptions } from './store.ts'

/**
 * Removes every trigger and table of Syncline from the database, and nothing else. Rejects ENGINE_ATTACHED while an
 * engine has it open.
 */
export async function uninstall(handle: SqliteHandle, env: ServerEnv = nodeEnv()): Promise<void> {
  if (!isSqliteHandle(handle)) throw unsupportedDriver()
  const access = new Access(handle, env)
  try {
    await access.write(db => removeAll(db, env.now()))
  } finally {
    access.close()
  }
}

/**
 * Drops the triggers of Syncline on this connection, at once and within its open transaction if there is one. For
 * migrations that SQLite refuses while triggers name a column (`ALTER TABLE ... DROP COLUMN`); an open engine puts them
 * back when the migration is committed, and its subscribers are sent the table again.
 */
export function detach(handle: SqliteHandle): void {
  if (!isSqliteHandle(handle)) throw unsupportedDriver()
  dropTriggers(new Connection(handle))
}
