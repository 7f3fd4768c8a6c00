// The session machine: what one connection asked for, and what to do about each message. Decides, touches nothing; the
// connection carries the effects out. A table of handlers by message type; what is in no table is answered, not punished.
// Neighbours on the lines: dialect before it; accept (B) and hub, feed (A) behind it.
import { protocolVersion, SyncError, unscoped } from '../core/index.ts'
import type {
  CloseCode,
  Cursor,
  CursorState,
  EntityShape,
  ErrorBody,
  FieldPush,
  Hello,
  Listen,
  Mutate,
  Mutation,
  Pull,
  Push,
  Reconcile,
  RhtmxUp,
  Row,
  ScopeRequest,
  Subscribe,
  Unsubscribe,
  Up,
} from '../core/index.ts'
import type { BareDialect } from './bare.ts'

/** What may come up a connection. */
export type Message = Up | RhtmxUp | FieldPush

/** asked: being verified. reading: a job reads the store for it. comparing: the client owes its hashes. live: in the hub. */
export type Phase = 'asked' | 'reading' | 'comparing' | 'live'

export interface ScopeState {
  readonly phase: Phase
  readonly turn: number
}

export interface Session {
  /** `canonical` after a `hello`; the bare protocol until then, in the spelling of the door. */
  dialect: BareDialect | 'canonical'
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
}

export function openSession(user: string, dialect: BareDialect = 'plain'): Session {
  return { dialect, user, client: null, lead: null, scopes: new Map(), turn: 0, clamps: new Map() }
}

/** What the world must offer the machine: names it may know. */
export interface Known {
  shapeOf(entity: string): EntityShape | undefined
  /** From now on only these rows of an entity are wanted; why not, where that cannot be. */
  narrow(entity: string, where: Row | undefined): ErrorBody | null
}

export type SessionEvent =
  | { readonly type: 'up'; readonly message: Message }
  | { readonly type: 'identified'; readonly hello: Hello; readonly lead: number }
  | {
      readonly type: 'verified'
      readonly scopes: readonly VerifiedScope[]
      readonly head: Cursor
      readonly turn: number
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
  | { readonly type: 'verify'; readonly scopes: readonly ScopeRequest[]; readonly turn: number }
  | {
      readonly type: 'catchUp'
      readonly entities: readonly string[]
      readonly from: Cursor
      readonly turn: number
    }
  | { readonly type: 'snapshot'; readonly entity: string; readonly turn: number }
  | {
      readonly type: 'repair'
      readonly entity: string
      readonly above: number
      /** The shape of what the client holds, where that differs only in which rows were wanted. */
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
      readonly reply: 'results' | 'acks' | FieldPush
    }
  | { readonly type: 'listen'; readonly entities: readonly string[] }
  | { readonly type: 'pull'; readonly entity: string; readonly since: number; readonly batch: boolean }
  | { readonly type: 'join'; readonly entities: readonly string[]; readonly at: Cursor }
  | { readonly type: 'leave'; readonly entities: readonly string[] }
  | { readonly type: 'send'; readonly message: object }
  | { readonly type: 'fail'; readonly error: ErrorBody; readonly re: string; readonly entity?: string }
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
  push: (_session, message) => push(message),
  pushFields: (_session, message) => [
    { type: 'accept', mutations: message.mutations, acked: 0, reply: message },
  ],
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

function subscribe(session: Session, message: Subscribe, known: Known): Effect[] {
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
    else effects.push({ type: 'fail', error, re: 'subscribe', entity })
  }
  const entities = fresh.map(scope => scope.entity)
  const again = entities.filter(entity => session.scopes.has(entity))
  if (again.length > 0) effects.push({ type: 'leave', entities: again })
  const turn = ++session.turn
  for (const entity of entities) session.scopes.set(entity, { phase: 'asked', turn })
  if (fresh.length > 0) effects.push({ type: 'verify', scopes: fresh, turn })
  return effects
}

function verified(
  session: Session,
  event: Extract<SessionEvent, { type: 'verified' }>,
  known: Known,
): Effect[] {
  const { head, turn } = event
  const effects: Effect[] = []
  const continuing = new Map<string, { cursor: Cursor; entities: string[] }>()
  for (const { request, state, common } of event.scopes) {
    const { entity, cursor } = request
    const shape = known.shapeOf(entity)
    if (shape === undefined || session.scopes.get(entity)?.turn !== turn) continue
    session.scopes.set(entity, { phase: 'reading', turn })
    if (cursor === null) {
      effects.push({ type: 'snapshot', entity, turn })
    } else if (state === 'here' && request.shape === shape.hash) {
      const key = `${cursor.seq}`
      const group = continuing.get(key)
      if (group === undefined) continuing.set(key, { cursor, entities: [entity] })
      else group.entities.push(entity)
    } else {
      const healing = { entity, cursor, state, common, shape, had: request.shape }
      effects.push(...heal(session, healing, head, turn))
    }
  }
  const groups = Array.from(continuing.values(), ({ cursor, entities }): Effect => ({
    type: 'catchUp',
    entities,
    from: cursor,
    turn,
  }))
  return [...groups, ...effects]
}

interface Healing {
  readonly entity: string
  readonly cursor: Cursor
  readonly state: CursorState
  readonly common: Cursor | null
  readonly shape: EntityShape
  /** The shape of the rows that the client holds. */
  readonly had: string | null
}

/**
 * Rule S7, step 1: what the log can name above the common place, or everything where the shape changed. Where only
 * other rows are wanted (V11), those that are held are right, and what is sent besides is what comes in.
 */
function heal(session: Session, healing: Healing, head: Cursor, turn: number): Effect[] {
  const { entity, cursor, state, common, shape, had } = healing
  const reshaped = unscoped(had) !== unscoped(shape.hash)
  const reset = {
    type: 'reset',
    entity,
    state: state === 'here' ? 'shape' : state,
    common: state === 'off' ? common : cursor,
    shape,
  }
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
  const entities = event.entities.filter(entity => {
    const scope = session.scopes.get(entity)
    return scope?.phase === 'reading' && scope.turn === turn
  })
  const phase = event.repair ? 'comparing' : 'live'
  for (const entity of entities) session.scopes.set(entity, { phase, turn })
  return event.repair || entities.length === 0 ? [] : [{ type: 'join', entities, at }]
}

function reconcile(session: Session, message: Reconcile, known: Known): Effect[] {
  if (known.shapeOf(message.entity) === undefined) return [unknownEntity(message.entity, 'reconcile')]
  if (!session.scopes.has(message.entity))
    return [fail('INVALID_MESSAGE', 'subscribe to the entity before reconciling it', 'reconcile')]
  session.clamps.delete(message.entity)
  if (message.hashes !== undefined) {
    return [{ type: 'compare', entity: message.entity, cursor: message.cursor, hashes: message.hashes }]
  }
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
  session.scopes.set(entity, { phase: 'reading', turn: scope.turn })
  return [{ type: 'catchUp', entities: [entity], from: cursor, turn: scope.turn }]
}

function unsubscribe(session: Session, message: Unsubscribe): Effect[] {
  const entities = message.entities.filter(entity => session.scopes.delete(entity))
  return entities.length === 0 ? [] : [{ type: 'leave', entities }]
}

function mutate(session: Session, message: Mutate): Effect[] {
  if (session.client === null) return [fail('INVALID_MESSAGE', 'say hello before mutating', 'mutate')]
  const mutations =
    session.clamps.size === 0
      ? message.mutations
      : message.mutations.map(mutation => clampBase(session, mutation))
  return [{ type: 'accept', mutations, acked: message.acked, reply: 'results' }]
}

function clampBase(session: Session, mutation: Mutation): Mutation {
  if (mutation.base === null) return mutation
  let seq = mutation.base.seq
  for (const write of mutation.writes) seq = Math.min(seq, session.clamps.get(write.entity) ?? seq)
  return { ...mutation, base: { epoch: mutation.base.epoch, seq } }
}

function listen(session: Session, message: Listen, known: Known): Effect[] {
  const named = [...new Set(message.entities)]
  const unknown = named.filter(entity => known.shapeOf(entity) === undefined)
  const entities = named.filter(entity => known.shapeOf(entity) !== undefined)
  for (const entity of entities) session.scopes.set(entity, { phase: 'live', turn: session.turn })
  return [...unknown.map(entity => unknownEntity(entity, 'subscribe')), { type: 'listen', entities }]
}

function pull(message: Pull, known: Known): Effect[] {
  if (known.shapeOf(message.entity) === undefined) return [unknownEntity(message.entity, 'sync')]
  return [{ type: 'pull', entity: message.entity, since: message.since, batch: message.batch }]
}

function push(message: Push): Effect[] {
  return [{ type: 'accept', mutations: message.mutations, acked: 0, reply: 'acks' }]
}

function unknownEntity(entity: string, re: string): Effect {
  const { error } = fail('UNKNOWN_ENTITY', `no entity '${entity.slice(0, 80)}' is synced here`, re)
  return { type: 'fail', error, re, entity: entity.slice(0, 128) }
}

function fail(code: ErrorBody['code'], message: string, re: string): Extract<Effect, { type: 'fail' }> {
  return { type: 'fail', error: new SyncError(code, message).toJSON(), re }
}
