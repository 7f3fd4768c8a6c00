// Leaving the database as if we had never been there (rule C10).
import { SyncError } from '../../core/index.ts'
import { prefix } from './capture.ts'
import { text } from './driver.ts'
import type { Connection } from './driver.ts'
import { isInstalled } from './schema.ts'
import { literal, name } from './sql.ts'

/** An engine that did not say so for this long is gone. Milliseconds. */
export const leaseFresh = 30_000
export const leaseRenewal = 10_000

export function renewLease(db: Connection, engine: string, nowMs: number): void {
  db.run('INSERT OR REPLACE INTO _syncline_meta(key, value) VALUES(?,?)', `lease:${engine}`, nowMs)
}

export function dropLease(db: Connection, engine: string): void {
  db.run('DELETE FROM _syncline_meta WHERE key=?', `lease:${engine}`)
}

/** Whether an engine other than `engine` has this database open. */
export function othersAttached(db: Connection, engine: string, nowMs: number): boolean {
  return (
    db.value(
      "SELECT 1 FROM _syncline_meta WHERE key LIKE 'lease:%' AND key<>? AND value>? LIMIT 1",
      `lease:${engine}`,
      nowMs - leaseFresh,
    ) === 1
  )
}

/**
 * Drops our triggers and nothing else: for a migration that SQLite would refuse because of them (ALTER TABLE ... DROP
 * COLUMN). Whoever has an engine open renews them at its next look and sends the tables' subscribers everything again.
 */
export function dropTriggers(db: Connection): void {
  dropAll(db, 'trigger')
}

function dropAll(db: Connection, type: 'trigger' | 'table'): void {
  const like = literal(`${prefix}%`.replaceAll('_', '\\_'))
  for (const [found] of db.all(
    `SELECT name FROM sqlite_master WHERE type='${type}' AND name LIKE ${like} ESCAPE '\\'`,
  )) {
    db.exec(`DROP ${type} ${name(text(found))}`)
  }
}

/** Inside an immediate transaction. Throws ENGINE_ATTACHED. */
export function removeAll(db: Connection, nowMs: number): void {
  if (!isInstalled(db)) return
  if (othersAttached(db, '', nowMs)) {
    throw new SyncError(
      'ENGINE_ATTACHED',
      `an engine has this database open, or ended without closing less than ${leaseFresh / 1000} s ago; close it first`,
    )
  }
  dropAll(db, 'trigger')
  dropAll(db, 'table')
}
