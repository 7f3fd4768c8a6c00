// A browser's copy as a machine: events in, effects out; touches neither clock, storage nor network. Neighbours on the
// lines: the client root, which feeds it and carries its effects out; `state` holds what it remembers.
import type { Down, Row, Write } from '../core/index.ts'
import { receiveBatch } from './apply.ts'
import { hello, lost, receiveWelcome } from './greet.ts'
import { conclude } from './conclude.ts'
import type { Books, Desk } from './desk.ts'
import { shownOf, unheard, viewOf } from './state.ts'
import type { Effect, Kept, State } from './state.ts'
import type { Numbers } from './disk.ts'
import type { Told } from './tabs.ts'
import type { Identity, Loaded, PendingRecord } from './store.ts'
import type { Wants } from './wants.ts'

export type ReplicaEvent =
  /** What the disk held; first of all. */
  | {
      readonly type: 'loaded'
      readonly loaded: Loaded
      /** In the place of another. */ readonly anew?: boolean
    }
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
  /** It is loaded; whoever opens what it needs takes in what waited for it. */
  | { readonly type: 'home'; readonly desk: Desk }
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
  return {
    state,
    step(event, nowMs) {
      state.now = nowMs
      const n = handle(state, event)
      state.desk?.after(state, event, options.gather)
      return { n, effects: conclude(state) }
    },
    view(entity, id) {
      const kept = state.entities.get(entity)
      const real = state.alias.get(id) ?? id
      return kept && shownOf(kept, real, viewOf(kept, real))
    },
    rows: entity => rowsOf(state, state.entities.get(entity)),
    realId: id => state.alias.get(id) ?? id,
  }
}

function newState({ wants, identity, node, strategy = null, desk }: ReplicaOptions): State {
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
    held: [],
    open: false,
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

function rowsOf({ desk }: State, kept: Kept | undefined): Row[] {
  if (kept === undefined) return []
  if (desk !== null) return desk.rows(kept)
  return Array.from(kept.rows.values()).flatMap(({ id, row }) => (kept.shows(id, row) ? [row] : []))
}

function handle(state: State, event: ReplicaEvent): number {
  switch (event.type) {
    case 'opened':
      hello(state)
      return 0
    case 'frame':
      receive(state, event.message)
      return 0
    case 'closed':
      lost(state)
      return 0
    case 'home':
      event.desk.begin(state)
      state.desk = event.desk
      return 0
    case 'part':
      event.step(state)
      return 0
    default:
      return state.desk?.handle(state, event) ?? 0
  }
}

function receive(state: State, message: Down): void {
  const { type } = message
  const { desk, held, identity } = state
  const isOurs = type === 'batch' || (type === 'welcome' && (identity.user ?? message.user) === message.user)
  if (type === 'ping' || type === 'pong') return
  if (desk === null && (held.length > 0 || !isOurs)) {
    // and what comes after it: a batch may be the answer to it
    held.push(message)
    state.out.push({ do: 'home' })
  } else if (type === 'batch') receiveBatch(state, message)
  else if (type === 'welcome') {
    receiveWelcome(state, message)
    state.open = state.identity.user === message.user && !state.follows
  } else desk?.hear(state, message)
}
