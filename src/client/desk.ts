// A user's own writes, and the disk and the other tabs that they pass through: what the replica does about them. A part of its
// own: a page that has just come reads without it, and what is written there waits until it is loaded. Neighbours: `replica`,
// which asks it; `write`, `outbox`, `settle`, `rename` and `reload`, which know how.
import type { Cursor, Failure, MutationResult, Row, Welcome } from '../core/index.ts'
import { conflictsName, sameCursor, sameJson } from '../core/index.ts'
import { ackedOf, frameRefused, pump } from './outbox.ts'
import { enqueue, fold, register } from './queue.ts'
import { receiveReload } from './reload.ts'
import { rename } from './rename.ts'
import type { Outbox, ReplicaEvent } from './replica.ts'
import { bury, dieWith, discard, drop, receiveResults, retry, sweep } from './settle.ts'
import { unheard } from './state.ts'
import type { Change, Kept, State, Work } from './state.ts'
import { firstDraft } from './store.ts'
import type { Loaded, StoredRow } from './store.ts'
import { know, newEntry, place, write } from './write.ts'

/** Of a replica's events those that are not of its connection. */
export type DeskEvent = Extract<
  ReplicaEvent,
  {
    type:
      | 'loaded'
      | 'write'
      | 'durable'
      | 'reloaded'
      | 'gone'
      | 'moult'
      | 'identity'
      | 'role'
      | 'retry'
      | 'discard'
  }
>

/** `net`: null for rows that went. */
export interface Step {
  readonly from: Cursor | null
  readonly to: Cursor
  readonly net: ReadonlyMap<string, StoredRow | null>
  /** What was there before is not there any more. */
  readonly replace: boolean
  /** Its shape is another one. */
  readonly reshaped: boolean
}

export interface Desk {
  /** From here on there are books. */
  begin(state: object): void
  /** The number of the mutation that it made, or 0. */
  handle(state: State, event: DeskEvent): number
  /** Every result up to here is on disk or needed no more. */
  acked(state: State): number
  welcomed(state: State, welcome: Welcome): void
  results(state: State, results: readonly MutationResult[]): void
  /** A whole frame of mutations was. */
  refused(state: State, box: Outbox, failure: Failure): void
  rename(state: State, kept: Kept, from: string, to: string): void
  /** Rows have changed, and the cursor has moved on: that goes to disk (rule R7). */
  commit(state: State, kept: Kept, step: Step): void
  /** After every event: what is settled goes, what may be sent goes out. */
  after(state: State, box: Outbox, event: ReplicaEvent, gather: number | undefined): void
  /** Of these rows of `kept`, the temporary ids that became theirs in this event. */
  replaced(state: State, kept: Kept, ids: readonly string[]): Pick<Change, 'replaced'>
  /** A row as its pending writes make it; null: deleted; undefined: it has none. */
  fold(state: State, kept: Kept, id: string, before: Row | undefined): Row | null | undefined
  /** What has come together for the disk; null: nothing. Views of what is lost change with dead letters (rule I2). */
  work(state: State, views: Map<string, ReadonlySet<string> | null>): Work | null
}

export const desk: Desk = {
  begin(state) {
    const books: Books = {
      ...nothing(),
      behind: false,
      drafts: 0,
      temporary: new Map(),
      waiting: 0,
      letters: '',
    }
    Object.assign(state, books)
  },
  handle(state, event) {
    switch (event.type) {
      case 'write':
        return write(state, event.writes)
      case 'retry':
        return retry(state, event.n, event.writes)
      default:
        fromDisk(state, event)
        return 0
    }
  },
  acked: ackedOf,
  welcomed,
  results: receiveResults,
  refused: frameRefused,
  rename,
  commit(state, { name: entity, rows, marks, shape }, { from, to: cursor, net, replace, reshaped }) {
    if (sameCursor(from, cursor) && net.size === 0 && !reshaped) return
    const puts: StoredRow[] = []
    const deletes: string[] = []
    for (const [id, row] of net) {
      if (row !== null) puts.push(row)
      else if (!replace) deletes.push(id)
    }
    const all = replace ? [...rows.values()] : puts
    state.commits.push({ entity, replace, puts: all, deletes, from, cursor, marks, shape })
  },
  after(state, box, { type }, gather) {
    if (gather !== undefined && type === 'durable' && !box.paused) {
      box.paused = true
      state.out.push({ do: 'pause', ms: gather })
    }
    sweep(state)
    // what was written just now is not durable yet
    if (type !== 'write') pump(state, box)
  },
  replaced(state, kept, ids) {
    const renamed = state.replaced.get(kept)
    if (renamed === undefined) return {}
    const own = new Set(ids)
    const replaced = Array.from(renamed, ([from, to]) => ({ from, to })).filter(({ to }) => own.has(to))
    return replaced.length === 0 ? {} : { replaced }
  },
  fold(state, kept, id, before) {
    const { name: entity, queue, overlays } = kept
    const queued = queue.get(id)
    const old = overlays.get(id)
    if (queued === undefined) {
      overlays.delete(id)
      kept.own.delete(id)
      kept.gone.delete(id)
      if (old !== undefined) state.overlays.push({ entity, id, row: undefined })
      return undefined
    }
    let after = fold(state, kept, id, queued)
    if (before !== undefined && sameJson(before, after)) after = before
    overlays.set(id, after)
    if (old === undefined || !sameJson(old, after)) state.overlays.push({ entity, id, row: after })
    return after
  },
  work(state, views) {
    const letters = [...state.dead.keys()].join()
    if (letters !== state.letters) views.set(conflictsName, null)
    state.letters = letters
    const { puts, removes, discards, refusals, commits, overlays, saveIdentity } = state
    if (puts.size + removes.length + commits.length + overlays.length === 0 && !saveIdentity) return null
    const identity = saveIdentity ? state.identity : null
    Object.assign(state, nothing(), { saveIdentity: false })
    return { identity, puts: [...puts.values()], removes, discards, refusals, commits, overlays }
  },
}

/** What the desk alone keeps of a replica's state. */
export type Books = Pick<
  State,
  | 'behind'
  | 'drafts'
  | 'temporary'
  | 'waiting'
  | 'letters'
  | 'puts'
  | 'removes'
  | 'discards'
  | 'refusals'
  | 'commits'
  | 'overlays'
>

const nothing = (): Pick<Books, 'puts' | 'removes' | 'discards' | 'refusals' | 'commits' | 'overlays'> => ({
  puts: new Map(),
  removes: [],
  discards: [],
  refusals: [],
  commits: [],
  overlays: [],
})

function welcomed(state: State, { last, head }: Welcome): void {
  for (const entry of state.entries.values()) {
    // a backup was put in place: the result is of a branch of the log that is no more, and its version may never come
    const { result, record } = entry
    if (result !== null && (record.n > last || (result.version > head && !state.follows))) {
      entry.result = null
      state.waiting -= 1
    }
    // what was processed is sent again all the same: only its result says whether it was refused (rule Q3)
    const unsent = record.n > last && record.n < firstDraft
    // a follower may hear of a welcome that is older than the results that it has
    if (entry.doomed && entry.result === null && unsent && !state.follows) dieWith(state, entry)
  }
}

/** What the disk has taken, and what other tabs have put there. */
function fromDisk(state: State, event: Exclude<DeskEvent, { type: 'write' | 'retry' }>): void {
  switch (event.type) {
    case 'loaded':
      load(state, event.loaded)
      return
    case 'discard':
      discard(state, event.n)
      return
    case 'identity':
      state.identity = event.identity
      state.saveIdentity = true
      return
    case 'durable':
      place(state, event.numbers ?? [], event.others ?? [])
      bury(state, event.others ?? [])
      for (const n of event.ns) {
        const entry = state.entries.get(n) ?? state.dead.get(n)
        if (entry === undefined) continue
        entry.durable = true
        if (entry.doomed && !entry.sent && entry.result === null) dieWith(state, entry)
      }
      return
    case 'reloaded':
      receiveReload(state, event.loaded, event.told)
      return
    case 'gone':
      for (const n of event.ns) {
        // its result was missed: the disk has it and the rows that go with it
        if (state.entries.get(n)?.result === null) state.out.push({ do: 'reload' })
        state.dead.delete(n)
      }
      return
    case 'moult':
      state.follows = false
      state.identity = { ...state.identity, client: event.client, lead: 1 }
      state.saveIdentity = true
      for (const entry of state.entries.values()) {
        if (entry.record.n >= firstDraft) state.puts.set(entry.record.n, entry.record)
        else drop(state, entry)
      }
      return
    case 'role':
      // a connection that goes on is where it was
      if (state.follows || event.follows) state.head = unheard
      state.follows = event.follows
      state.identity = { ...state.identity, lead: event.lead }
      return
  }
}

function load(state: State, { entities, pending, identity }: Loaded): void {
  if (identity !== null) state.identity = identity
  for (const [name, held] of entities) {
    const kept = state.entities.get(name)
    if (kept === undefined) continue
    kept.cursor = held.cursor
    kept.marks = held.marks
    kept.shape = held.shape
    kept.rows = new Map(held.rows.map(row => [row.id, row]))
  }
  for (const record of pending) {
    const entry = newEntry(record, true)
    know(state, record.n)
    if (record.dead !== undefined) {
      state.dead.set(record.n, entry)
      register(state, entry)
      continue
    }
    state.entries.set(record.n, entry)
    enqueue(state, entry, null)
    for (const { entity, id, action } of record.mutation.writes) {
      const kept = state.entities.get(entity)
      const base = record.mutation.base?.seq ?? -1
      // what was updated and is not there now was deleted since
      if (action === 'update' && kept?.rows.has(id) === false && base < (kept.cursor?.seq ?? -1))
        kept.gone.set(id, null)
    }
  }
}
