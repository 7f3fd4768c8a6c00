// Temporary ids become real ones (rule Q6).
import { idInColumn } from '../core/index.ts'
import type { Row, Write } from '../core/index.ts'
import { dequeue, enqueue } from './queue.ts'
import { shownOf, touch, viewOf } from './state.ts'
import type { Entry, Kept, State } from './state.ts'
import type { PendingRecord } from './store.ts'

/** A temporary id has become a real one: in later ids, and in values that point to it (rule Q6). */
export function rename(state: State, kept: Kept, from: string, to: string): void {
  if (state.alias.has(from) || !known(state, kept, from)) return
  state.alias.set(from, to)
  touch(kept, from, null)
  // what was refused in the same event shows under the new id that it went back
  touch(kept, to, kept.touched.get(from)?.source === 'rollback' ? 'rollback' : 'server')
  for (const entry of state.temporary.get(from) ?? []) renameEntry(state, entry, from, to)
  state.temporary.delete(from)
  state.replaced.set(kept, (state.replaced.get(kept) ?? new Map<string, string>()).set(from, to))
}

/**
 * At the end of an event: whoever watches is told what has become of each temporary id. Of a row that is gone by the time it
 * has its real one they are told under the one that they know.
 */
export function tellReplaced(state: State): void {
  for (const [kept, ids] of state.replaced)
    for (const [from, to] of ids) {
      const there = kept.touched.get(to)
      state.desk?.fold(state, kept, to, there?.before)
      const shown = shownOf(kept, to, viewOf(kept, to))
      if (!shown) ids.delete(from)
      // nothing else of it would be told
      else if (there?.source === 'gone' && there.seen === shown) there.source = 'server'
    }
}

/** Everybody's temporary ids come with the rows: those of others are nowhere here, and would only fill the memory. */
function known(state: State, { queue, overlays }: Kept, id: string): boolean {
  return state.temporary.has(id) || queue.has(id) || overlays.has(id)
}

function renameEntry(state: State, entry: Entry, from: string, to: string): void {
  const { record } = entry
  const queued = state.entries.get(record.n) === entry
  if (!queued && state.dead.get(record.n) !== entry) return
  if (queued) dequeue(state, entry, null)
  entry.record = renameRecord(state, record, from, to)
  if (queued) enqueue(state, entry, null)
  state.puts.set(record.n, entry.record)
}

export function renameRecord(state: State, record: PendingRecord, from: string, to: string): PendingRecord {
  const writes = record.mutation.writes.map(write => renameWrite(state, write, from, to))
  return { ...record, mutation: { ...record.mutation, writes } }
}

function renameWrite(state: State, write: Write, from: string, to: string): Write {
  const kept = state.entities.get(write.entity)
  let data: Row | undefined = write.data
  for (const [column, value] of Object.entries(data ?? {})) {
    if (value === from) data = { ...data, [column]: idInColumn(to, column, kept?.shape) }
  }
  if (data === write.data && write.id !== from) return write
  return { ...write, id: write.id === from ? to : write.id, ...(data === undefined ? {} : { data }) }
}
