// A user's writes become a pending mutation: cut against the view, numbered, stamped, shown. Rules R5, Q8.
// Neighbours on the line: the client root before it, outbox (and `save`) behind it.
import type { Base, Json, Row, Write } from '../core/index.ts'
import { cut, stampOf, tick } from '../core/index.ts'
import { firstDraft, numbered } from './store.ts'
import type { PendingRecord } from './store.ts'
import { dequeue, enqueue, register, fold } from './queue.ts'
import { renameRecord } from './rename.ts'
import { viewOf, touch } from './state.ts'
import type { Entry, Kept, State } from './state.ts'

export function newEntry(record: PendingRecord, durable: boolean): Entry {
  return { record, durable, sent: false, result: null, doomed: false }
}

/** The draft's number; 0 where nothing changed and so nothing is sent. */
export function write(state: State, writes: readonly Write[]): number {
  const kept: Write[] = []
  const mutation = { n: 0, base: null, stamp: null, writes: kept }
  // each write is cut against the view with the earlier ones of its transaction
  const draft = newEntry({ n: 0, timestamp: 0, mutation }, false)
  for (const one of writes) {
    const entity = state.entities.get(one.entity)
    if (entity === undefined) continue
    touch(entity, one.id, null)
    const left = cutWrite(entity, one, viewWith(state, entity, one.id))
    if (left === null) continue
    kept.push(left)
    const queued = entity.queue.get(left.id)
    if (queued === undefined) entity.queue.set(left.id, [{ entry: draft, write: left }])
    else queued.push({ entry: draft, write: left })
  }
  dequeue(state, draft, null)
  if (kept.length === 0) return 0
  const reading = tick(state.identity.reading, state.now)
  state.identity = { ...state.identity, reading }
  state.saveIdentity = true
  return admit(state, state.now, {
    ...mutation,
    base: baseOf(state, kept),
    stamp: stampOf(reading, state.node),
  })
}

/** A new draft at the end of the queue, on screen, and on its way to disk; the result is its number. */
export function admit(state: State, timestamp: number, mutation: PendingRecord['mutation']): number {
  const n = firstDraft + (state.drafts += 1)
  const entry = newEntry({ n, timestamp, tab: state.node, mutation: { ...mutation, n } }, false)
  state.entries.set(n, entry)
  state.puts.set(n, entry.record)
  enqueue(state, entry, 'local')
  return n
}

/**
 * Drafts have got their places among the mutations of all tabs (rule Q2), and others were put before them. Whatever
 * number is known, every lower one is known too: what is sent in `n` order leaves none behind.
 */
export function place(
  state: State,
  numbers: readonly (readonly [draft: number, n: number])[],
  others: readonly PendingRecord[],
): void {
  const { n: known } = state.identity
  // what is not above was here, and is settled
  for (const other of [...others].sort((a, b) => a.n - b.n).filter(({ n }) => n > known)) {
    // its tab may not have heard yet which temporary ids have become real ones
    let record = other
    for (const [from, to] of state.alias) record = renameRecord(state, record, from, to)
    // a draft of ours, of which we shall hear; what lies behind it must not be sent before it
    if (record.tab === state.node) {
      state.behind = true
      break
    }
    know(state, record.n)
    const entry = newEntry(record, true)
    if (record.dead === undefined) state.entries.set(record.n, entry)
    else state.dead.set(record.n, entry)
    if (record.dead === undefined) enqueue(state, entry, 'tab')
    else register(state, entry)
    // who found it dead may not have stored that
    if (record.dead !== undefined && !state.follows) state.puts.set(record.n, record)
  }
  for (const [draft, n] of numbers) {
    for (const map of [state.entries, state.dead]) {
      const entry = map.get(draft)
      if (entry === undefined) continue
      map.delete(draft)
      map.set(n, entry)
      entry.record = numbered(entry.record, n)
    }
    const put = state.puts.get(draft)
    if (put !== undefined) state.puts.delete(draft)
    if (put !== undefined) state.puts.set(n, numbered(put, n))
    know(state, n)
  }
  const inOrder = [...state.entries].sort(([a], [b]) => a - b)
  state.entries.clear()
  for (const [n, entry] of inOrder) state.entries.set(n, entry)
}

export function know(state: State, n: number): void {
  if (n > state.identity.n) state.identity = { ...state.identity, n }
}

function viewWith(state: State, kept: Kept, id: string): Row | undefined {
  const queued = kept.queue.get(id)
  return queued === undefined ? viewOf(kept, id) : (fold(state, kept, id, queued) ?? undefined)
}

function cutWrite(kept: Kept, write: Write, view: Row | undefined): Write | null {
  // without a cursor nobody knows what the server has
  if (write.action === 'delete') return view === undefined && kept.cursor !== null ? null : write
  if (write.action === 'create' || view === undefined || write.data === undefined) return write
  const data = cut(view, write.data)
  if (data === null) return null
  // what is written over goes along: where the write loses, its record says what its user saw (rule I1)
  const was: Record<string, Json> = {}
  for (const column of Object.keys(data)) was[column] = view[column] ?? null
  return { ...write, data, was }
}

/** The writer's place: the lowest of its entities, on the branch that the server left where one is under repair. */
export function baseOf(state: State, writes: readonly Write[]): Base | null {
  let base: Base | null = null
  for (const { entity } of writes) {
    const kept = state.entities.get(entity)
    const at = kept === undefined ? null : placeOf(state, kept)
    if (at === null) return null
    if (base === null || at.seq < base.seq) base = at
  }
  return base
}

function placeOf(state: State, { cursor, heal }: Kept): Base | null {
  if (cursor === null) return null
  if (heal === null) return { epoch: cursor.epoch, seq: cursor.seq }
  return lowered(state, cursor, heal.common)
}

/** A base on a branch that is no more, as a place on the server's log. */
export function lowered(state: State, base: Base, common: Base | null): Base {
  if (common === null) return { epoch: state.epoch ?? base.epoch, seq: 0 }
  return { epoch: common.epoch, seq: Math.min(base.seq, common.seq) }
}
