// Temporary ids become real ones (rule Q6).
import { idInColumn } from '../core/index.ts'
import type { Mutation, Row, Write } from '../core/index.ts'
import { dequeue, enqueue } from './queue.ts'
import { touch } from './state.ts'
import type { Entry, Kept, State } from './state.ts'

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

/** Everybody's temporary ids come with the rows: those of others are nowhere here, and would only fill the memory. */
function known(state: State, { queue, overlays }: Kept, id: string): boolean {
  return state.temporary.has(id) || queue.has(id) || overlays.has(id)
}

function renameEntry(state: State, entry: Entry, from: string, to: string): void {
  const { record } = entry
  const queued = state.entries.get(record.n) === entry
  if (!queued && state.dead.get(record.n) !== entry) return
  const writes = record.mutation.writes.map(write => renameWrite(state, write, from, to))
  const mutation: Mutation = { ...record.mutation, writes }
  if (queued) dequeue(state, entry, null)
  entry.record = { ...record, mutation }
  if (queued) enqueue(state, entry, null)
  state.puts.set(record.n, entry.record)
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
