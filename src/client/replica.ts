// A browser's copy as a machine: events in, effects out; touches neither clock, storage nor network. Neighbours on the
// lines: the client root, which feeds it and carries its effects out; `state` holds what it remembers.
import type { Down, Failure, Row, Write } from '../core/index.ts'
import { isRetryable, SyncError } from '../core/index.ts'
import { receiveBatch } from './apply.ts'
import { answered, ask, askAll, want } from './ask.ts'
import { hello, lost, receiveWelcome } from './greet.ts'
import { frameRefused, newOutbox, pump } from './outbox.ts'
import type { Outbox } from './outbox.ts'
import { bury, dieWith, discard, drop, receiveResults, retry, sweep } from './settle.ts'
import { conclude } from './conclude.ts'
import { enqueue, nothingYet, register, shownOf, unheard, viewOf } from './state.ts'
import type { Effect, Healing, Kept, State } from './state.ts'
import type { Numbers } from './disk.ts'
import { receiveReload } from './reload.ts'
import { firstDraft } from './store.ts'
import type { Told } from './tabs.ts'
import type { Identity, Loaded, PendingRecord } from './store.ts'
import { know, newEntry, place, write } from './write.ts'
import type { Wants } from './wants.ts'

export type ReplicaEvent =
  /** What the disk held; first of all. */
  | { readonly type: 'loaded'; readonly loaded: Loaded }
  | { readonly type: 'write'; readonly writes: readonly Write[] }
  /** The newest records of these are durable, drafts under the numbers that they got; `others` were put by other tabs. */
  | {
      readonly type: 'durable'
      readonly ns: readonly number[]
      readonly numbers?: Numbers
      readonly others?: readonly PendingRecord[]
    }
  /** What the disk has now, and where the leader stands (null: that is us). */
  | { readonly type: 'reloaded'; readonly loaded: Loaded; readonly told: Told | null }
  /** Mutations that are over: another tab discarded them, or stored what became of them. */
  | { readonly type: 'gone'; readonly ns: readonly number[] }
  /** On as another client, with what has no number yet; what has one is another tab's affair. */
  | { readonly type: 'moult'; readonly client: string }
  | { readonly type: 'role'; readonly follows: boolean; readonly lead: number }
  /** A step of a part that not every page has; pure like all others. */
  | { readonly type: 'part'; readonly step: (state: State) => void }
  /** A connection is open: say hello. */
  | { readonly type: 'opened' }
  | { readonly type: 'frame'; readonly message: Down }
  | { readonly type: 'closed' }
  /** The pause is over. */
  | { readonly type: 'resume' }
  /** It is loaded: what waits for it asks again. */
  | { readonly type: 'healing'; readonly healing: Healing }
  /** `again`: whatever was asked before is lost. */
  | { readonly type: 'ask'; readonly entity: string; readonly again?: boolean }
  /** From now on it is followed, or not. */
  | { readonly type: 'want'; readonly entity: string; readonly wanted: boolean }
  /** `writes`: in the place of its own. */
  | { readonly type: 'retry'; readonly n: number; readonly writes?: readonly Write[] | undefined }
  | { readonly type: 'discard'; readonly n: number }

export interface ReplicaOptions {
  /** As many filters as are wanted together are put together by whoever asks for that (`wanting`). */
  readonly wants: Wants
  readonly identity: Identity
  readonly node: string
  /** Overrides, for display only, what the server says of an entity. */
  readonly strategy?: string | null
  readonly healing?: Healing | null
  /** So many milliseconds edits wait for others to go with. */
  readonly gather?: number | undefined
}

export interface Replica {
  readonly state: State
  /** The number of the mutation that the event made, and what to do. */
  step(event: ReplicaEvent, nowMs: number): { readonly n: number; readonly effects: Effect[] }
  view(entity: string, id: string): Row | undefined
  /** Every row on screen, in no promised order. */
  rows(entity: string): Row[]
  /** The real id of a temporary one. */
  realId(id: string): string
}

export function createReplica(options: ReplicaOptions): Replica {
  const state = newState(options)
  const box = newOutbox()
  return {
    state,
    step(event, nowMs) {
      state.now = nowMs
      const n = handle(state, box, event)
      if (options.gather !== undefined && event.type === 'durable' && !box.paused) {
        box.paused = true
        state.out.push({ do: 'pause', ms: options.gather })
      }
      sweep(state)
      // what was written just now is not durable yet
      if (event.type !== 'write') pump(state, box)
      return { n, effects: conclude(state) }
    },
    view(entity, id) {
      const kept = state.entities.get(entity)
      const real = state.alias.get(id) ?? id
      return kept && shownOf(kept, real, viewOf(kept, real))
    },
    rows: entity => rowsOf(state.entities.get(entity)),
    realId: id => state.alias.get(id) ?? id,
  }
}

function newState({ wants, identity, node, strategy = null, healing = null }: ReplicaOptions): State {
  return {
    entities: new Map(
      Object.entries(wants).map(([name, filters]) => [name, newKept(name, filters[0] ?? null)]),
    ),
    entries: new Map(),
    dead: new Map(),
    letters: '',
    identity,
    strategy,
    node,
    now: 0,
    behind: false,
    drafts: 0,
    follows: false,
    shapes: {},
    parted: false,
    epoch: null,
    head: unheard,
    maxPayload: Infinity,
    alias: new Map(),
    temporary: new Map(),
    healing,
    waiting: 0,
    ...nothingYet(),
  }
}

export function newKept(name: string, where: string | null): Kept {
  return {
    name,
    cursor: null,
    marks: [],
    shape: null,
    rows: new Map(),
    queue: new Map(),
    overlays: new Map(),
    gone: new Map(),
    own: new Map(),
    touched: new Map(),
    where,
    shows: () => true,
    loading: false,
    fresh: false,
    stage: null,
    heal: null,
    wanted: true,
    asked: false,
    shifting: false,
    again: false,
    current: false,
    refused: false,
  }
}

function rowsOf(kept: Kept | undefined): Row[] {
  const rows: Row[] = []
  if (kept === undefined) return rows
  const { overlays } = kept
  for (const { id, row } of kept.rows.values()) {
    const over = overlays.size === 0 ? undefined : overlays.get(id)
    const shown = shownOf(kept, id, over === null ? undefined : (over ?? row))
    if (shown) rows.push(shown)
  }
  for (const [id, over] of overlays)
    if (over !== null && !kept.rows.has(id) && kept.shows(id, over)) rows.push(over)
  return rows
}

function handle(state: State, box: Outbox, event: ReplicaEvent): number {
  switch (event.type) {
    case 'loaded':
      load(state, event.loaded)
      return 0
    case 'write':
      return write(state, event.writes)
    case 'durable':
    case 'reloaded':
    case 'gone':
    case 'moult':
    case 'role':
      fromDisk(state, event)
      return 0
    case 'opened':
      hello(state)
      return 0
    case 'frame':
      receive(state, box, event.message)
      return 0
    case 'closed':
      lost(state)
      state.head = unheard
      Object.assign(box, newOutbox())
      return 0
    case 'resume':
      box.paused = false
      askAll(
        state,
        [...state.entities.values()].filter(kept => kept.again),
      )
      return 0
    case 'healing':
      state.healing = event.healing
      for (const kept of state.entities.values()) if (kept.asked) askAll(state, [kept])
      return 0
    case 'ask': {
      const kept = state.entities.get(event.entity)
      if (kept === undefined) return 0
      if (event.again === true) kept.asked = kept.refused = false
      ask(state, kept)
      return 0
    }
    case 'want': {
      const kept = state.entities.get(event.entity)
      if (kept !== undefined) want(state, kept, event.wanted, box.open)
      return 0
    }
    case 'part':
      event.step(state)
      return 0
    case 'retry':
      return retry(state, event.n, event.writes)
    case 'discard':
      discard(state, event.n)
      return 0
  }
}

/** What the disk has taken, and what other tabs have put there. */
function fromDisk(
  state: State,
  event: Extract<ReplicaEvent, { type: 'durable' | 'reloaded' | 'gone' | 'moult' | 'role' }>,
): void {
  switch (event.type) {
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
      state.follows = event.follows
      state.head = unheard
      state.identity = { ...state.identity, lead: event.lead }
      return
  }
}

function receive(state: State, box: Outbox, message: Down): void {
  switch (message.type) {
    case 'welcome':
      receiveWelcome(state, message)
      box.open = state.identity.user === message.user && !state.follows
      break
    case 'batch':
      receiveBatch(state, message)
      break
    case 'results':
      receiveResults(state, message.results)
      break
    case 'reset': {
      const kept = state.entities.get(message.entity)
      if (state.healing !== null) state.healing.reset(state, message)
      else if (kept !== undefined) {
        kept.asked = true
        state.out.push({ do: 'heal' })
      }
      break
    }
    case 'mismatch':
      state.healing?.mismatch(state, message)
      break
    case 'error':
      if (message.re === 'mutate') frameRefused(state, box, message)
      if (message.re === 'subscribe' || (message.re === 'reconcile' && message.entity !== undefined))
        scopesFailed(state, message)
      state.out.push({
        do: 'error',
        error: new SyncError(message.code, message.message, { details: message.details }),
      })
      break
    case 'pong':
    case 'ping':
      break
  }
  for (const effect of state.out) if (effect.do === 'pause') box.paused = true
}

/** A scope could not be read: for good, or for now. */
function scopesFailed(state: State, failure: Failure): void {
  const { entity, code, retry_after_ms: ms = 1000 } = failure
  const again = isRetryable(code)
  for (const kept of state.entities.values()) {
    // without a name it is of any that was asked for; those under repair were taken already
    const meant = entity === undefined ? again || kept.heal === null : kept.name === entity
    if (!kept.asked || !meant) continue
    kept.heal = null
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
