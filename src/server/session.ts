// The session machine: what one connection asked for, and what to do about each message. Decides, touches nothing; the
// connection carries the effects out. A table of handlers by message type; what is in no table is answered, not punished.
// Neighbours on the lines: dialect before it; accept (B) and hub, feed (A) behind it.
import { protocolVersion, unscoped } from '../core/index.ts'
import type {
  Asked,
  CloseCode,
  Cursor,
  CursorState,
  DifferentialUp,
  EntityShape,
  ErrorBody,
  FieldPush,
  Hello,
  Mutation,
  Reconcile,
  RhtmxUp,
  Row,
  ScopeRequest,
  Subscribe,
  SyncRequest,
  Up,
} from '../core/index.ts'
import type { BareDialect } from './bare.ts'
import type { About } from './inbox.ts'
import { fail, follow, listen, pull, push, unfollow, unknownEntity, unsubscribe } from './session-bare.ts'
import type { LiveReply } from './session-bare.ts'
import { mutate } from './session-mutate.ts'

/** What may come up a connection. */
export type Message = Up | RhtmxUp | FieldPush | DifferentialUp

/** asked: being verified. reading: a job reads the store for it. comparing: the client owes its hashes. live: in the hub. */
export type Phase = 'asked' | 'reading' | 'comparing' | 'live'

export interface ScopeState {
  readonly phase: Phase
  readonly turn: number
  /** Up to now, and then no more. */
  readonly once?: boolean
}

export interface Session {
  /**
   * `canonical` after a `hello`, `differential` after a `sync:subscribe`; the bare protocol until then, in the spelling of
   * the door.
   */
  dialect: BareDialect | 'canonical' | 'differential'
  readonly user: string
  client: string | null
  lead: number | null
  readonly scopes: Map<string, ScopeState>
  /** Counts subscribes: what was begun for an earlier one is over when its entity is subscribed again. */
  turn: number
  /**
   * Entities whose cursor was off this log, with the common place: mutations that were sent before the client knew
   * have bases on a branch that is no more, and are judged from the common place.
   */
  readonly clamps: Map<string, number>
  /**
   * Entities that are or were healed: what their client holds above its place may be newer than that, or of a branch that
   * is no more, so no catch-up may build on it.
   */
  readonly mended: Set<string>
}

export function openSession(user: string, dialect: BareDialect = 'plain'): Session {
  return {
    dialect,
    user,
    client: null,
    lead: null,
    scopes: new Map(),
    turn: 0,
    clamps: new Map(),
    mended: new Set(),
  }
}

/** What the world must offer the machine: names it may know. */
export interface Known {
  shapeOf(entity: string): EntityShape | undefined
  /** From now on only these rows of an entity are wanted; why not, where that cannot be. */
  narrow(entity: string, where: Row | undefined): ErrorBody | null
  /** Which of its rows are wanted depends on others: no place in the log tells which a client holds. */
  hasWindows(entity: string): boolean
}

export type SessionEvent =
  | { readonly type: 'up'; readonly message: Message }
  | { readonly type: 'identified'; readonly hello: Hello; readonly lead: number }
  | {
      readonly type: 'verified'
      readonly scopes: readonly VerifiedScope[]
      readonly head: Cursor
      readonly turn: number
      readonly asked?: Asked | undefined
    }
  | {
      readonly type: 'read'
      readonly entities: readonly string[]
      readonly at: Cursor
      readonly repair: boolean
      readonly turn: number
    }
  | { readonly type: 'repaired'; readonly entity: string; readonly cursor: Cursor }
  | {
      readonly type: 'compared'
      readonly entity: string
      readonly cursor: Cursor
      readonly buckets: readonly number[]
    }

export interface VerifiedScope {
  readonly request: ScopeRequest
  readonly state: CursorState
  /** The newest of its cursor and marks that is on this log. */
  readonly common: Cursor | null
}

export type Effect =
  | { readonly type: 'identify'; readonly hello: Hello }
  | { readonly type: 'welcome' }
  | {
      readonly type: 'verify'
      readonly scopes: readonly ScopeRequest[]
      readonly turn: number
      readonly asked: Asked | undefined
    }
  | {
      readonly type: 'catchUp'
      readonly entities: readonly string[]
      readonly from: Cursor
      /** Only whole rows: what is held of them may not be as it was there. */
      readonly whole: boolean
      readonly turn: number
      /** Of one entity: print it as an answer to this. */
      readonly asked?: Asked | undefined
    }
  | { readonly type: 'snapshot'; readonly entity: string; readonly turn: number }
  | {
      readonly type: 'repair'
      readonly entity: string
      readonly above: number
      /** What the client holds, where only its rows are others. */
      readonly had: string | null
      readonly to: Cursor
      readonly turn: number
    }
  | {
      readonly type: 'compare'
      readonly entity: string
      readonly cursor: Cursor
      readonly hashes: readonly number[]
    }
  | { readonly type: 'repairHeld'; readonly message: Reconcile }
  | {
      readonly type: 'accept'
      readonly mutations: readonly Mutation[]
      readonly acked: number
      /** Or of fields: by one ack that counts them. */
      readonly reply: 'results' | 'acks' | 'sync:ack' | FieldPush
    }
  | {
      readonly type: 'listen'
      readonly entities: readonly string[]
      readonly reply: LiveReply
    }
  | { readonly type: 'request'; readonly request: SyncRequest }
  | { readonly type: 'pull'; readonly entity: string; readonly since: number; readonly batch: boolean }
  | { readonly type: 'join'; readonly entities: readonly string[]; readonly at: Cursor }
  | { readonly type: 'leave'; readonly entities: readonly string[] }
  | { readonly type: 'send'; readonly message: object }
  | { readonly type: 'fail'; readonly error: ErrorBody; readonly about: About }
  | { readonly type: 'close'; readonly code: CloseCode; readonly reason: string }

export function step(session: Session, event: SessionEvent, known: Known): Effect[] {
  switch (event.type) {
    case 'up':
      return handle(session, event.message, known)
    case 'identified':
      return identified(session, event.hello, event.lead)
    case 'verified':
      return verified(session, event, known)
    case 'read':
      return finishedReading(session, event)
    case 'compared':
      return compared(session, event)
    case 'repaired':
      return healed(session, event.entity, event.cursor)
  }
}

type Handlers = {
  readonly [Type in Message['type']]: (
    session: Session,
    message: Extract<Message, { type: Type }>,
    known: Known,
  ) => Effect[]
}

const handlers: Handlers = {
  hello: (session, message) => hello(session, message),
  ping: () => [{ type: 'send', message: { type: 'pong' } }],
  subscribe: (session, message, known) => subscribe(session, message, known),
  unsubscribe: (session, message) => unsubscribe(session, message),
  mutate: (session, message) => mutate(session, message),
  reconcile: (session, message, known) => reconcile(session, message, known),
  listen: (session, message, known) => listen(session, message, known),
  pull: (_session, message, known) => pull(message, known),
  push: (_session, message) => push(message, 'acks'),
  pushFields: (_session, message) => [
    { type: 'accept', mutations: message.mutations, acked: 0, reply: message },
  ],
  'sync:request': (session, message, known) => request(session, message, known),
  'sync:subscribe': (session, message, known) => follow(session, message, known),
  'sync:unsubscribe': (session, message) => unfollow(session, message),
  'sync:delta': (_session, message) => push(message, 'sync:ack'),
  'sync:ping': () => [{ type: 'send', message: { type: 'sync:pong' } }],
}

function handle(session: Session, message: Message, known: Known): Effect[] {
  // reason: the table is typed per key; TypeScript cannot follow the correlation of key and argument through an index
  const handler = handlers[message.type] as (session: Session, message: Message, known: Known) => Effect[]
  return handler(session, message, known)
}

function hello(session: Session, message: Hello): Effect[] {
  if (message.protocol !== protocolVersion) {
    const reason = `this server speaks protocol ${protocolVersion}, not ${message.protocol}: reload the page`
    return [fail('UPGRADE_REQUIRED', reason, 'hello'), { type: 'close', code: 4400, reason }]
  }
  if (session.client !== null || session.scopes.size > 0)
    return [fail('INVALID_MESSAGE', 'hello must be the first message of a connection', 'hello')]
  session.dialect = 'canonical'
  session.client = message.client
  session.lead = message.lead
  return [{ type: 'identify', hello: message }]
}

function identified(session: Session, message: Hello, lead: number): Effect[] {
  if (lead > message.lead)
    return [{ type: 'close', code: 4409, reason: `lead ${lead} was seen, ${message.lead} is over` }]
  session.lead = message.lead
  return [{ type: 'welcome' }]
}

function subscribe(session: Session, message: Subscribe, known: Known, asked?: Asked): Effect[] {
  const effects: Effect[] = []
  if (session.dialect !== 'canonical')
    return [fail('INVALID_MESSAGE', 'say hello before subscribing to scopes', 'subscribe')]
  const fresh: ScopeRequest[] = []
  // once each, as it was said last: one frame could ask for the same table a thousand times
  const wanted = new Map(message.scopes.map(scope => [scope.entity, scope]))
  for (const scope of wanted.values()) {
    const { entity, where } = scope
    if (known.shapeOf(entity) === undefined) {
      effects.push(unknownEntity(entity, 'subscribe'))
      continue
    }
    const error = known.narrow(entity, where)
    if (error === null) fresh.push(scope)
    else effects.push({ type: 'fail', error, about: { re: 'subscribe', entity } })
  }
  const entities = fresh.map(scope => scope.entity)
  const again = entities.filter(entity => session.scopes.has(entity))
  if (again.length > 0) effects.push({ type: 'leave', entities: again })
  const turn = ++session.turn
  for (const { entity, once = false } of fresh) session.scopes.set(entity, { phase: 'asked', turn, once })
  if (fresh.length > 0) effects.push({ type: 'verify', scopes: fresh, turn, asked })
  return effects
}

function verified(
  session: Session,
  event: Extract<SessionEvent, { type: 'verified' }>,
  known: Known,
): Effect[] {
  const { head, turn, asked } = event
  const effects: Effect[] = []
  const continuing = new Map<string, { cursor: Cursor; entities: string[]; whole: boolean }>()
  for (const { request, state, common } of event.scopes) {
    const { entity, cursor } = request
    const shape = known.shapeOf(entity)
    const scope = session.scopes.get(entity)
    if (shape === undefined || scope?.turn !== turn) continue
    session.scopes.set(entity, { ...scope, phase: 'reading' })
    if (cursor === null) {
      effects.push({ type: 'snapshot', entity, turn })
    } else if (state === 'here' && request.shape === shape.hash && !known.hasWindows(entity)) {
      const whole = session.mended.has(entity)
      const key = `${cursor.seq} ${whole}`
      const group = continuing.get(key)
      if (group === undefined) continuing.set(key, { cursor, entities: [entity], whole })
      else group.entities.push(entity)
    } else {
      const healing = { entity, cursor, state, common, shape, had: request.shape }
      effects.push(...heal(session, healing, head, turn))
    }
  }
  const groups = Array.from(continuing.values(), ({ cursor, entities, whole }): Effect => ({
    type: 'catchUp',
    entities,
    from: cursor,
    whole,
    turn,
    asked,
  }))
  return [...groups, ...effects]
}

interface Healing {
  readonly entity: string
  readonly cursor: Cursor
  readonly state: CursorState
  readonly common: Cursor | null
  readonly shape: EntityShape
  readonly had: string | null
}

// Rule S7, step 1: what the log can name above the common place, or everything where the shape changed. Where only
// other rows are wanted (V11), those that are held are right, and what is sent besides is what comes in.
function heal(session: Session, healing: Healing, head: Cursor, turn: number): Effect[] {
  const { entity, cursor, state, common, shape, had } = healing
  const reshaped = unscoped(had) !== unscoped(shape.hash)
  const reset = {
    type: 'reset',
    entity,
    state: state !== 'here' ? state : had === shape.hash ? 'check' : 'shape',
    common: state === 'off' ? common : cursor,
    shape,
  }
  session.mended.add(entity)
  if (state === 'off') session.clamps.set(entity, common?.seq ?? 0)
  // an old cursor is on this branch as far as can be known; rows above it are named by their own seq
  const above = reshaped ? -1 : state === 'off' ? (common?.seq ?? -1) : cursor.seq
  return [
    { type: 'send', message: reset },
    { type: 'repair', entity, above, had: reshaped ? null : had, to: head, turn },
  ]
}

function finishedReading(session: Session, event: Extract<SessionEvent, { type: 'read' }>): Effect[] {
  const { at, turn } = event
  const joining: string[] = []
  for (const entity of event.entities) {
    const scope = session.scopes.get(entity)
    if (scope?.phase !== 'reading' || scope.turn !== turn) continue
    if (event.repair) session.scopes.set(entity, { ...scope, phase: 'comparing' })
    else if (scope.once) session.scopes.delete(entity)
    else {
      session.scopes.set(entity, { ...scope, phase: 'live' })
      joining.push(entity)
    }
  }
  return joining.length === 0 ? [] : [{ type: 'join', entities: joining, at }]
}

function reconcile(session: Session, message: Reconcile, known: Known): Effect[] {
  if (known.shapeOf(message.entity) === undefined) return [unknownEntity(message.entity, 'reconcile')]
  if (!session.scopes.has(message.entity))
    return [fail('INVALID_MESSAGE', 'subscribe to the entity before reconciling it', 'reconcile')]
  session.clamps.delete(message.entity)
  if (message.hashes !== undefined)
    return [{ type: 'compare', entity: message.entity, cursor: message.cursor, hashes: message.hashes }]
  return [{ type: 'repairHeld', message }]
}

function compared(
  session: Session,
  event: { entity: string; cursor: Cursor; buckets: readonly number[] },
): Effect[] {
  const { entity, cursor, buckets } = event
  const answer: Effect = { type: 'send', message: { type: 'mismatch', entity, cursor, buckets } }
  return buckets.length > 0 ? [answer] : [answer, ...healed(session, entity, cursor)]
}

/** The client stands at `cursor` now; a scope that was live all the time (a self-check) goes on as it is. */
function healed(session: Session, entity: string, cursor: Cursor): Effect[] {
  const scope = session.scopes.get(entity)
  if (scope?.phase !== 'comparing') return []
  session.scopes.set(entity, { ...scope, phase: 'reading' })
  return [{ type: 'catchUp', entities: [entity], from: cursor, whole: true, turn: scope.turn }]
}

/** A client that said hello is answered like a subscriber, once, or anew where it is live; anybody else just reads. */
function request(session: Session, message: SyncRequest, known: Known): Effect[] {
  const { mutations, scope } = message
  const { entity } = scope
  if (known.shapeOf(entity) === undefined) return [unknownEntity(entity, 'sync:request', message)]
  const pushed = mutations.length > 0 ? push(message, 'sync:ack') : []
  if (session.dialect !== 'canonical') {
    // nothing is remembered of whoever said no hello: what leaves their part could not be told
    if (scope.where === undefined) return [...pushed, { type: 'request', request: message }]
    return [fail('INVALID_MESSAGE', 'say hello before asking for a part', 'sync:request', message)]
  }
  const live = session.scopes.get(entity)
  const asked: ScopeRequest = live === undefined || live.once === true ? { ...scope, once: true } : scope
  return [...pushed, ...subscribe(session, { type: 'subscribe', scopes: [asked] }, known, message)]
}
