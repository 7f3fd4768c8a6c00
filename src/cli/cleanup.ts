// `syncline cleanup`: what `engine.cleanup(days)` does, for a file that no engine serves (or that one does: both may).
import type { DatabaseSync } from 'node:sqlite'
import { createSyncEngine, SyncError, sqliteStatus } from '../server/index.ts'

export async function cleanup(db: DatabaseSync, days: number): Promise<number> {
  const { installed, entities } = sqliteStatus(db)
  if (!installed || entities.length === 0) throw new SyncError('NOT_FOUND', 'syncline is not installed in this file')
  await using engine = await createSyncEngine({ db, entities, retentionDays: false })
  return await engine.cleanup(days)
}
