// A browser's copy as a machine: events in, effects out; touches neither clock, storage nor network. Neighbours on the
// lines: the client root, which feeds it and carries its effects out; `state` holds what it remembers.
import type { Down, Failure, Row, Write } from '../core/index.ts'
import { isRetryable, SyncError } from '../core/index.ts'
import { receiveBatch } from './apply.ts'
import { answered, ask, askAll, want } from './ask.ts'
import { hello, lost, receiveWelcome } from './greet.ts'
import { conclude } from './conclude.ts'
import type { Books, Desk } from './desk.ts'
import { shownOf, unheard, viewOf } from './state.ts'
import type { Effect, Healing, Kept, State } from './state.ts'
import type { Numbers } from './disk.ts'
import type { Told } from './tabs.ts'
import type { Identity, Loaded, PendingRecord } from './store.ts'
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
  /** Numbers are given under it from now on; nothing has one yet. */
  | { readonly type: 'identity'; readonly identity: Identity }
  | { readonly type: 'role'; readonly follows: boolean; readonly lead: number }
  /** A step of a part that not every page has; pure like all others. */
  | { readonly type: 'part'; readonly step: (state: State) => void }
  /** A connection is open: say hello. */
  | { readonly type: 'opened' }
  | { readonly type: 'frame'; readonly message: Down }
  | { readonly type: 'closed' }
  /** The pause is over. */
  | { readonly type: 'resume' }
  /** It is loaded: what was to be healed meanwhile is asked for again. */
  | { readonly type: 'home'; readonly desk: Desk; readonly healing: Healing }
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
  /** Null: to come. */
  readonly desk: Desk | null
  readonly healing?: Healing | null
  /** So many milliseconds edits wait for others to go with. */
  readonly gather?: number | undefined
}

/** A frame in flight: its first and its last `n`. */
export interface Frame {
  readonly first: number
  readonly last: number
}

export interface Outbox {
  /** Welcomed, every scope answered, not paused: frames may go. */
  open: boolean
  paused: boolean
  frames: Frame[]
  /** A frame was refused as a whole: one mutation at a time until this `n`, to find the one. */
  single: number
}

function newOutbox(): Outbox {
  return { open: false, paused: false, frames: [], single: 0 }
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
      state.desk?.after(state, box, event, options.gather)
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

function newState({ wants, identity, node, strategy = null, desk, healing = null }: ReplicaOptions): State {
  const state: Omit<State, keyof Books> = {
    entities: new Map(
      Object.entries(wants).map(([name, filters]) => [name, newKept(name, filters[0] ?? null)]),
    ),
    entries: new Map(),
    dead: new Map(),
    identity,
    strategy,
    node,
    now: 0,
    follows: false,
    shapes: {},
    parted: false,
    epoch: null,
    head: unheard,
    maxPayload: Infinity,
    alias: new Map(),
    desk,
    healing,
    out: [],
    replaced: new Map(),
    saveIdentity: false,
  }
  desk?.begin(state)
  // reason: without a desk nobody asks for its books
  return state as State
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
    case 'home':
      event.desk.begin(state)
      state.desk = event.desk
      state.healing = event.healing
      askAll(
        state,
        [...state.entities.values()].filter(kept => kept.again),
      )
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
    default:
      return state.desk?.handle(state, event) ?? 0
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
      state.desk?.results(state, message.results)
      break
    case 'reset': {
      const kept = state.entities.get(message.entity)
      if (state.healing !== null) state.healing.reset(state, message)
      else if (kept !== undefined) {
        kept.asked = kept.again = true
        state.out.push({ do: 'heal' })
      }
      break
    }
    case 'mismatch':
      state.healing?.mismatch(state, message)
      break
    case 'error':
      if (message.re === 'mutate') state.desk?.refused(state, box, message)
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
