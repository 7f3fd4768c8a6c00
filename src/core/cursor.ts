// How much of a log one has seen, and what the other side lacks.

/**
 * `seq` is a place in the log of `epoch`; `check` is the random nonce of the entry there, so that a log which was
 * restored from a backup and written on is recognised although its numbers look right. `seq` 0 is the log's beginning.
 */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
  readonly check: number
}

/** What a server says of a cursor: on its log; older than what the log still holds; on a branch that it never had. */
export type CursorState = 'here' | 'old' | 'off'

export const maxSeq: number = Number.MAX_SAFE_INTEGER

export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 // reason: isSafeInteger is no type guard
}

export function sameCursor(a: Cursor | null, b: Cursor | null): boolean {
  if (a === null || b === null) return a === b
  return a.epoch === b.epoch && a.seq === b.seq && a.check === b.check
}

/** What to do with a batch that goes `from` → `to` at a replica that stands `at`. */
export type Contiguity = 'apply' | 'overtaken' | 'gap'

/**
 * `from` null begins a snapshot and fits only a replica that has nothing. A batch that ends at or before the replica's
 * place was overtaken over another transport; one that begins elsewhere left a gap, and one that ends at the same number
 * on another branch of the log has to: ask again.
 */
export function contiguity(at: Cursor | null, from: Cursor | null, to: Cursor): Contiguity {
  if (sameCursor(at, from)) return 'apply'
  const behind = at !== null && at.epoch === to.epoch && to.seq < at.seq
  if (behind || sameCursor(at, to)) return 'overtaken'
  return 'gap'
}

/** How many older cursors a replica keeps to find the branching point with a restored log. */
export const maxMarks = 24

/** Between two kept marks lies at most this many times the way from the newer one to now. */
const spread = 3

/**
 * Older cursors, newest first, thinned so that their distances grow with their age: few marks reach far back (24 of
 * them some 4^12 places), and the one found is at most a few times older than the true branching point. `at` becomes a
 * mark when the replica moves on from it. A mark goes only when its neighbours are close enough to do without it;
 * dropping whatever is too near the mark before it would never let any grow old.
 */
export function keepMark(marks: readonly Cursor[], at: Cursor): Cursor[] {
  const older = marks.filter(mark => mark.epoch === at.epoch && mark.seq < at.seq)
  const kept: Cursor[] = [at]
  let newer = at
  for (const [i, mark] of older.entries()) {
    const next = older[i + 1]
    if (next !== undefined && newer.seq - next.seq <= spread * (at.seq - newer.seq)) continue
    kept.push(mark)
    newer = mark
  }
  return kept.slice(0, maxMarks)
}
