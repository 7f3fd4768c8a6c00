// Results come home: overlays go when the cursor is there (rule R2), what was refused for good becomes a dead letter
// with its dependants (Q4), and dead letters are retried or discarded (Q5).
import type { ErrorBody, MutationResult, Write } from '../core/index.ts'
import { isRetryable, isTemporaryId, patched, SyncError } from '../core/index.ts'
import { ask } from './ask.ts'
import { rename } from './rename.ts'
import { dequeue } from './queue.ts'
import type { Entry, Source, State } from './state.ts'
import { firstDraft } from './store.ts'
import type { DeadLetter } from './api.ts'
import type { PendingRecord } from './store.ts'
import { admit, write } from './write.ts'

/** Errors of writes that lost; every other one is of a write that was refused. */
const conflicts: ReadonlySet<string> = new Set(['CONFLICT', 'ROW_DELETED', 'RESOLVER_FAILED'])

export function receiveResults(state: State, results: readonly MutationResult[]): void {
  for (const result of results) {
    const entry = result.n === null ? undefined : state.entries.get(result.n)
    if (entry === undefined || entry.result !== null) continue
    const { status, error } = result
    // a mutation whose first result was lost is answered again, as a duplicate with the error of that time
    if (
      status === 'rejected' ||
      (status === 'duplicate' && error !== undefined && !conflicts.has(error.code))
    ) {
      refused(state, entry, error ?? { code: 'CONSTRAINT_FAILED', message: '' })
    } else {
      settled(state, entry, result)
    }
  }
}

function settled(state: State, entry: Entry, result: MutationResult): void {
  state.waiting += 1
  entry.result = result
  if (result.status !== 'applied' && result.status !== 'merged') return
  for (const { entity, id } of entry.record.mutation.writes) ownUpTo(state, entity, id, result.version)
}

function ownUpTo(state: State, entity: string, id: string, version: number): void {
  const kept = state.entities.get(entity)
  if (kept?.queue.has(id) === true) kept.own.set(id, version)
}

export function refused(state: State, entry: Entry, error: ErrorBody): void {
  if (isRetryable(error.code)) {
    entry.sent = false
    state.out.push({ do: 'pause', ms: error.retry_after_ms ?? 1000 })
  } else {
    die(state, entry, error)
  }
}

/** Into the dead letters, with everything unsent that was built on it. */
export function die(state: State, entry: Entry, error: ErrorBody): void {
  const { record } = entry
  if (!state.entries.delete(record.n)) return
  if (entry.result !== null) state.waiting -= 1
  dequeue(state, entry, 'rollback')
  entry.record = { ...record, dead: { error, at: state.now } }
  entry.durable = false
  if (entry.sent) state.refusals.push(record.n)
  state.dead.set(record.n, entry)
  state.puts.set(record.n, entry.record)
  const { code, message, details } = error
  state.out.push({
    do: 'reject',
    n: record.n,
    record: entry.record,
    error: new SyncError(code, message, { details }),
  })
  for (const other of state.entries.values()) {
    if (other.record.n < record.n || other.result !== null || !dependsOn(other, record.mutation.writes))
      continue
    // what has no number yet dies when it gets one; what has is for the leading tab to bury, which knows what it sent
    if (other.sent || other.record.n >= firstDraft) other.doomed = true
    else if (!state.follows) dieWith(state, other)
  }
}

export function dieWith(state: State, entry: Entry): void {
  die(state, entry, { code: 'DEPENDENCY_FAILED', message: 'what it builds on was refused' })
}

/** The same row, or a temporary id that was to become a row. */
function dependsOn({ record }: Entry, writes: readonly Write[]): boolean {
  return writes.some(({ entity, id }) =>
    record.mutation.writes.some(
      write =>
        (write.entity === entity && write.id === id) ||
        (isTemporaryId(id) && write.data !== undefined && Object.values(write.data).includes(id)),
    ),
  )
}

/**
 * Takes away overlays whose result is in and whose entities are where it says (rule R2), in queue order along each row:
 * below a younger edit that went alone, an older one that waits for another entity would show again.
 */
export function sweep(state: State): void {
  if (state.waiting === 0) return
  const waiting = new Set<string>()
  for (const entry of state.entries.values()) {
    const { result, record } = entry
    const rows = record.mutation.writes.map(({ entity, id }) => `${entity} ${id}`)
    const { writes } = record.mutation
    if (
      result === null ||
      !writes.every(({ entity }) => reached(state, entity, result.version)) ||
      rows.some(row => waiting.has(row))
    ) {
      for (const row of rows) waiting.add(row)
      continue
    }
    for (const [from, to] of Object.entries(result.ids ?? {}))
      renameOwn(state, record.mutation.writes, from, to)
    const lost = result.status === 'conflict' || result.error !== undefined || result.lost !== undefined
    if (!lost) leave(state, record.mutation.writes)
    remove(state, entry, lost ? 'rollback' : null)
    const { status, version, ids = {} } = result
    // reason: what was rejected never gets here, it is a dead letter
    state.out.push({ do: 'settle', n: record.n, settled: { status: status as 'applied', version, ids } })
  }
}

/** Under younger edits of rows that are not wanted here lies what was stored: nobody else will say it. */
function leave(state: State, writes: readonly Write[]): void {
  for (const { entity, id, data } of writes) {
    const gone = state.entities.get(entity)?.gone
    const left = gone?.get(id)
    if (left) gone?.set(id, data ? patched(left, data) : null)
  }
}

/** Another tab settled it, and how is not known here: the confirmed rows show what became of it. */
export function settledElsewhere(state: State, entry: Entry): void {
  const { n, mutation } = entry.record
  remove(state, entry, 'gone')
  const version = state.entities.get(mutation.writes[0]?.entity ?? '')?.cursor?.seq ?? 0
  state.out.push({ do: 'settle', n, settled: { status: 'duplicate', version, ids: {} } })
}

/** What other tabs say is dead is so here, unless the server has been asked already. */
export function bury(state: State, records: readonly PendingRecord[]): void {
  for (const { n, dead } of records) {
    const entry = state.entries.get(n)
    // reason: a dead letter holds the error that it was refused with
    if (dead !== undefined && entry?.sent === false) die(state, entry, dead.error as ErrorBody)
  }
}

function renameOwn(state: State, writes: readonly Write[], from: string, to: string): void {
  const kept = state.entities.get(writes.find(({ id }) => id === from)?.entity ?? '')
  if (kept !== undefined) rename(state, kept, from, to)
}

/** Out of the queue, but not off the disk. */
export function drop(state: State, entry: Entry, source: Source | 'gone' | null = null): void {
  state.entries.delete(entry.record.n)
  if (entry.result !== null) state.waiting -= 1
  dequeue(state, entry, source)
}

function remove(state: State, entry: Entry, source: Source | 'gone' | null): void {
  const { n } = entry.record
  drop(state, entry, source)
  state.puts.delete(n)
  state.removes.push(n)
}

function reached(state: State, entity: string, version: number): boolean {
  const kept = state.entities.get(entity)
  // what nobody brings is as new as it will be
  if (kept === undefined || kept.refused || (kept.where ?? kept.cursor) === null) return true
  // while it is asked for, the place may be of a branch of the log that is no more
  const { cursor, asked } = kept
  if (cursor !== null && cursor.epoch === state.epoch && cursor.seq >= version && !asked) return true
  // nobody tells of what is not followed
  if (!kept.wanted) ask(state, kept)
  return false
}

export function letterOf({ n, mutation: { writes }, dead }: PendingRecord): DeadLetter {
  return { n, writes, error: dead?.error ?? { code: 'INTERNAL', message: '' }, at: dead?.at ?? 0 }
}

/**
 * The new number under which a dead letter is sent again; 0: there is none such. Its base stays what its writer had seen;
 * other writes in the place of its own are written now.
 */
export function retry(state: State, n: number, writes?: readonly Write[]): number {
  const entry = state.dead.get(n)
  if (entry === undefined) return 0
  discard(state, n)
  if (writes) return write(state, writes)
  return admit(state, entry.record.timestamp, entry.record.mutation)
}

export function discard(state: State, n: number): void {
  if (!state.dead.delete(n)) return
  state.puts.delete(n)
  state.discards.push(n)
  state.removes.push(n)
}
