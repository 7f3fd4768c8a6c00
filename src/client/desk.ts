// A user's own writes, and the disk and the other tabs that they pass through: what the replica does about them. A part of its
// own: a page that has just come reads without it, and what is written there waits until it is loaded. Neighbours: `replica`,
// which asks it; `write`, `outbox`, `settle`, `rename` and `reload`, which know how.
import type { Cursor, Down, Failure, Row, Welcome } from '../core/index.ts'
import { conflictsName, isRetryable, sameCursor, sameJson, SyncError } from '../core/index.ts'
import { answered, ask, askAll } from './ask.ts'
import { healing } from './heal.ts'
import { ackedOf, frameRefused, newOutbox, pump } from './outbox.ts'
import { enqueue, fold, register } from './queue.ts'
import { receiveReload } from './reload.ts'
import { tellReplaced, rename } from './rename.ts'
import type { ReplicaEvent } from './replica.ts'
import { bury, dieWith, discard, drop, receiveResults, retry, sweep } from './settle.ts'
import { send, shownOf, unheard } from './state.ts'
import type { Change, Healing, Kept, State, Work } from './state.ts'
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
      | 'resume'
      | 'ask'
      | 'want'
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
  /** What the server says beside welcomes and batches. */
  hear(state: State, message: Down): void
  /** The connection is lost, and what it had in flight. */
  lost(state: State): void
  readonly healing: Healing
  rename(state: State, kept: Kept, from: string, to: string): void
  /** Rows have changed, and the cursor has moved on: that goes to disk (rule R7). */
  commit(state: State, kept: Kept, step: Step): void
  /** After every event: what is settled goes, what may be sent goes out. */
  after(state: State, event: ReplicaEvent, gather: number | undefined): void
  /** Of these rows of `kept`, the temporary ids that became theirs in this event. */
  replaced(state: State, kept: Kept, ids: readonly string[]): Pick<Change, 'replaced'>
  /** Every row on screen, in no promised order. */
  rows(kept: Kept): Row[]
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
      told: 0,
      toldAt: 0,
      drafts: 0,
      temporary: new Map(),
      waiting: 0,
      letters: '',
      box: newOutbox(),
    }
    Object.assign(state, books)
  },
  handle(state, event) {
    switch (event.type) {
      case 'write':
        return write(state, event.writes)
      case 'retry':
        return retry(state, event.n, event.writes)
      case 'resume':
      case 'ask':
      case 'want':
        asked(state, event)
        return 0
      default:
        fromDisk(state, event)
        return 0
    }
  },
  acked: ackedOf,
  welcomed,
  healing,
  hear(state, message) {
    if (message.type === 'results') receiveResults(state, message.results)
    else if (message.type === 'reset') this.healing.reset(state, message)
    else if (message.type === 'mismatch') this.healing.mismatch(state, message)
    else if (message.type === 'error') failed(state, message)
    for (const effect of state.out) if (effect.do === 'pause') state.box.paused = true
  },
  lost(state) {
    state.box = newOutbox()
    for (const entry of state.entries.values()) entry.sent = false
  },
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
  after(state, { type }, gather) {
    if (gather !== undefined && type === 'durable' && !state.box.paused) {
      state.box.paused = true
      state.out.push({ do: 'pause', ms: gather })
    }
    sweep(state)
    tellReplaced(state)
    // what was written just now is not durable yet
    if (type !== 'write') pump(state)
  },
  replaced(state, kept, ids) {
    const renamed = state.replaced.get(kept)
    if (renamed === undefined) return {}
    const own = new Set(ids)
    const replaced = Array.from(renamed, ([from, to]) => ({ from, to })).filter(({ to }) => own.has(to))
    return replaced.length === 0 ? {} : { replaced }
  },
  rows(kept) {
    const rows: Row[] = []
    const { overlays } = kept
    for (const { id, row } of kept.rows.values()) {
      const over = overlays.size === 0 ? undefined : overlays.get(id)
      const shown = shownOf(kept, id, over === null ? undefined : (over ?? row))
      if (shown) rows.push(shown)
    }
    for (const [id, over] of overlays)
      if (over !== null && !kept.rows.has(id) && kept.shows(id, over)) rows.push(over)
    return rows
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
  | 'told'
  | 'toldAt'
  | 'drafts'
  | 'temporary'
  | 'waiting'
  | 'letters'
  | 'box'
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

/** Something is to be asked of the server, or nothing any more. */
function asked(state: State, event: Extract<DeskEvent, { type: 'resume' | 'ask' | 'want' }>): void {
  if (event.type === 'resume') {
    state.box.paused = false
    askAll(
      state,
      [...state.entities.values()].filter(kept => kept.again),
    )
    return
  }
  const kept = state.entities.get(event.entity)
  if (kept === undefined) return
  if (event.type === 'want') return want(state, kept, event.wanted)
  if (event.again === true) kept.asked = kept.refused = false
  // the answer to what was asked before is still to come
  if (kept.asked && !state.follows) kept.current = false
  ask(state, kept)
}

/** Whether it is followed. What is held of it stays, and so do unsent edits. */
function want(state: State, kept: Kept, wanted: boolean): void {
  if (kept.wanted === wanted) return
  kept.wanted = wanted
  kept.heal = null
  // what is staged stays: the last part of an answer may be on its way, and would be taken for the whole (rule R4)
  kept.asked = kept.again = kept.shifting = false
  kept.current = true
  if (!state.open || kept.refused) return
  if (wanted) ask(state, kept)
  else send(state, { type: 'unsubscribe', entities: [kept.name] })
}

function failed(state: State, failure: Failure): void {
  const { re, entity, code, message, details } = failure
  if (re === 'mutate') frameRefused(state, failure)
  if (re === 'subscribe' || (re === 'reconcile' && entity !== undefined)) scopesFailed(state, failure)
  state.out.push({ do: 'error', error: new SyncError(code, message, { details }) })
}

/** A scope could not be read: for good, or for now. */
function scopesFailed(state: State, failure: Failure): void {
  const { entity, code, retry_after_ms: ms = 1000 } = failure
  const again = isRetryable(code)
  for (const kept of state.entities.values()) {
    // without a name it is of any that was asked for; those under repair were taken already
    const meant = entity === undefined ? again || kept.heal === null : kept.name === entity
    if (!kept.asked || !meant) continue
    // of this answer nothing more comes
    kept.heal = kept.stage = null
    kept.shifting = false
    if (again) {
      kept.again = true
    } else {
      answered(kept)
      kept.refused = failure
    }
  }
  if (again) state.out.push({ do: 'pause', ms })
}

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

/** What is known of it. */
const headOf = ({ head }: State): number => (head === unheard ? 0 : head)

/** What the disk has taken, and what other tabs have put there. */
function fromDisk(
  state: State,
  event: Exclude<DeskEvent, { type: 'write' | 'retry' | 'resume' | 'ask' | 'want' }>,
): void {
  switch (event.type) {
    case 'loaded':
      load(state, event.loaded, event.anew)
      return
    case 'discard':
      discard(state, event.n)
      return
    case 'identity':
      state.told = Math.max(
        headOf(state),
        ...Array.from(state.entities.values(), ({ cursor }) => cursor?.seq ?? 0),
      )
      state.toldAt = state.now
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
      if (state.told > 0) state.told = event.follows ? Math.max(state.told, headOf(state)) : 0
      // a connection that goes on is where it was
      if (state.follows || event.follows) state.head = unheard
      state.follows = event.follows
      state.identity = { ...state.identity, lead: event.lead }
      return
  }
}

function load(state: State, { entities, pending, identity }: Loaded, anew = false): void {
  if (identity !== null) state.identity = identity
  for (const [name, held] of entities) {
    const kept = state.entities.get(name)
    if (kept === undefined) continue
    kept.cursor = held.cursor
    kept.marks = held.marks
    kept.shape = held.shape
    kept.rows = new Map(held.rows.map(row => [row.id, row]))
    kept.fresh = anew
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
