// Pending writes by row: linked to their rows, unlinked, and folded over what is confirmed. Neighbours: `write`, `settle` and
// `rename`, which change the queue; `conclude`, which shows what comes of it.
import type { Row } from '../core/index.ts'
import { cut, hides, idInColumn, isTemporaryId, patched } from '../core/index.ts'
import { touch } from './state.ts'
import type { Cause, Entry, Kept, Queued, Source, State } from './state.ts'

/** Links the writes of a pending mutation to their rows. */
export function enqueue(state: State, entry: Entry, source: Source | null): void {
  register(state, entry)
  for (const write of entry.record.mutation.writes) {
    const kept = state.entities.get(write.entity)
    if (kept === undefined) continue
    touch(kept, write.id, source)
    const queued = kept.queue.get(write.id)
    const item = { entry, write }
    if (queued === undefined) kept.queue.set(write.id, [item])
    // a renamed entry comes back to its place
    else if (queued.push(item) > 1) queued.sort((a, b) => a.entry.record.n - b.entry.record.n)
  }
}

/** Notes the temporary ids that it names, to be renamed (rule Q6). */
export function register(state: State, entry: Entry): void {
  for (const write of entry.record.mutation.writes)
    for (const value of [write.id, ...Object.values(write.data ?? {})])
      if (typeof value === 'string' && isTemporaryId(value)) named(state, value).add(entry)
}

function named(state: State, id: string): Set<Entry> {
  let set = state.temporary.get(id)
  if (set === undefined) state.temporary.set(id, (set = new Set()))
  return set
}

/** Unlinks them, so that what lies below shows again. */
export function dequeue(state: State, entry: Entry, source: Cause | null): void {
  for (const { entity, id } of entry.record.mutation.writes) {
    const kept = state.entities.get(entity)
    const queued = kept?.queue.get(id)
    if (kept === undefined || queued === undefined) continue
    touch(kept, id, source)
    const left = queued.filter(item => item.entry !== entry)
    if (left.length > 0) kept.queue.set(id, left)
    else kept.queue.delete(id)
  }
}

/** The row under its pending writes in queue order (rule R1); null: shown as deleted. */
export function fold(state: State, kept: Kept, id: string, queued: readonly Queued[]): Row | null {
  const confirmed = kept.rows.get(id)
  const strategy = state.strategy ?? kept.shape?.strategy
  let row: Row | null = confirmed?.row ?? kept.gone.get(id) ?? null
  let seen = kept.own.get(id) ?? 0
  for (const { entry, write } of queued) {
    const base = entry.record.mutation.base?.seq ?? null
    const data = write.data ?? {}
    if (
      confirmed !== undefined &&
      hides(strategy, base === null ? null : Math.max(base, seen), confirmed.seq)
    ) {
      // what is there as it was written is taken for ours: the result will say so soon
      if (cut(confirmed.row, data) === null) seen = confirmed.seq
    } else if (write.action === 'delete') {
      row = null
    } else if (row !== null) {
      row = patched(row, data)
    } else if (write.action === 'create') {
      row = withKey(kept, id, data)
    } else if (confirmed === undefined && !kept.gone.has(id)) {
      // never seen here, but the server may have it, or takes it as a new row
      row = withKey(kept, id, data)
    }
  }
  return row
}

function withKey(kept: Kept, id: string, data: Row): Row {
  const [key = 'id', ...more] = kept.shape?.key ?? []
  return more.length > 0 || Object.hasOwn(data, key)
    ? data
    : { [key]: idInColumn(id, key, kept.shape), ...data }
}
