// Forgetting (rule L5). Superseded entries and deletes older than a date go, in small steps; what living rows are stays in
// their lines, and the newest entry of the log stays, because it holds the numbering.
import { readingOfMs } from '../../core/index.ts'
import { clientRetention } from './clients.ts'
import { integer } from './driver.ts'
import type { Connection } from './driver.ts'
import { foldedTo } from './fold.ts'
import { meta, setMeta } from './schema.ts'
import { boundLimit } from './sql.ts'
import { tailHead } from './tail.ts'

/** Entries per transaction. */
const step = 2_000

/** The last entry that may go; 0: none. Inside a transaction. */
export function horizonFor(db: Connection, beforeMs: number): number {
  const last = Math.min(foldedTo(db), tailHead(db).seq - 1)
  // clocks rise with seq, so the first young entry bounds them all
  const young = db.value(
    'SELECT seq FROM _syncline_tail WHERE clock>=? ORDER BY seq LIMIT 1',
    readingOfMs(beforeMs),
  )
  return Math.max(0, young === undefined ? last : Math.min(last, integer(young) - 1))
}

/** Inside an immediate transaction. How many were forgotten, and whether there is more. */
export function forgetSome(db: Connection, horizon: number): { forgotten: number; more: boolean } {
  if (horizon > Number(meta(db, 'horizon'))) setMeta(db, 'horizon', horizon)
  const end = db.value(
    `SELECT max(seq) FROM (SELECT seq FROM _syncline_tail WHERE seq<=? ORDER BY seq ${boundLimit})`,
    horizon,
    step,
  )
  if (end === null || end === undefined) return { forgotten: 0, more: false }
  const to = integer(end)
  // the entry that made a living row what it is was written down by the fold: it goes, but nothing is forgotten
  const forgotten = integer(
    db.value(
      `SELECT count(*) FROM _syncline_tail AS e WHERE e.seq<=? AND (e.op<>'?' OR EXISTS(SELECT 1 FROM _syncline_gone AS g WHERE g.ent=e.ent AND g.seq=e.seq))
       AND NOT EXISTS(SELECT 1 FROM _syncline_rows AS r WHERE r.ent=e.ent AND r.seq=e.seq)`,
      to,
    ),
  )
  for (const [ent] of db.all('SELECT ent FROM _syncline_entities'))
    db.run('DELETE FROM _syncline_gone WHERE ent=? AND seq<=?', integer(ent), to)
  db.run('DELETE FROM _syncline_tail WHERE seq<=?', to)
  return { forgotten, more: to < horizon }
}

/** Inside an immediate transaction: what the log does not need, as old as `beforeMs` or as half a year. */
export function forgetOthers(db: Connection, beforeMs: number, nowMs: number): void {
  forgetClients(db, nowMs)
  forgetConflicts(db, beforeMs, nowMs)
}

/** Records that were settled before, and those that nobody settled for half a year. */
function forgetConflicts(db: Connection, beforeMs: number, nowMs: number): void {
  db.run(
    "DELETE FROM _syncline_conflicts WHERE (status='resolved' AND resolved_at<?) OR at<?",
    beforeMs,
    nowMs - clientRetention,
  )
}

/** Clients that were not heard of for half a year. */
function forgetClients(db: Connection, nowMs: number): void {
  const before = nowMs - clientRetention
  for (const table of ['commits', 'named', 'ids']) db.run(`DELETE FROM _syncline_${table} WHERE at<?`, before)
}
