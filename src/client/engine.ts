// Wires a replica to its disk, its connection and those who listen; decides nothing. Neighbours: `client` puts the
// public methods on it; `replica` and `link` decide.
import type { Down } from '../core/index.ts'
import { decodeDown, jitteredDelay, SyncError } from '../core/index.ts'
import type { ClientEvents, ClientOptions } from './api.ts'
import { createConnector, drive, send, transportOf } from './connector.ts'
import type { Connector, ConnectorEvents } from './connector.ts'
import type { Disk } from './disk.ts'
import { newDisk } from './engine-disk.ts'
import { announce, forward, leads, need, newCrew, tellOthers } from './crew.ts'
import type { Crew } from './crew.ts'
import { pageNotes } from './env.ts'
import type { ClientEnv, Notes } from './env.ts'
import { deferred, failHandle } from './handles.ts'
import type { Deferred, Handle } from './handles.ts'
import type { Late } from './late.ts'
import type { LinkState } from './link.ts'
import { createLive } from './live.ts'
import type { Live } from './live.ts'
import { noStore } from './memory.ts'
import { createReplica } from './replica.ts'
import type { Replica, ReplicaEvent } from './replica.ts'
import type { Rivals } from './rivals.ts'
import { letterOf } from './settle.ts'
import type { Change, Effect, Healing, Settled } from './state.ts'
import type { ClientStore, Identity } from './store.ts'
import type { LinkView, Lock, TabMessage } from './tabs.ts'
import { wantsOf } from './wants-of.ts'
import type { Wants } from './wants.ts'
import type { Transport } from './transport.ts'

/** What is decided about databases, in `opening`. */
export interface Hooks {
  /** The server takes us for somebody else than the one whose database is open. */
  user(user: string): void
  welcome(user: string): void
  /** Another tab emptied the database. */
  cleared(): void
  /** Another tab wants something of the connection, which is here. */
  asked(what: Extract<TabMessage, { type: 'do' }>['what'], entity: string): void
}

/** What a client is made of; the rest of it is always there. */
export interface Parts {
  /** Best first. */
  transports(url: string, compress: boolean | undefined): Transport[]
  database(name: string, after: ClientEnv['after']): ClientStore
  /** A function loads it when the first reset comes. */
  readonly healing: Healing | (() => Promise<Healing>)
  /** Absent: put into the engine later. */
  readonly late?: Late
  /** Where tabs cannot hear each other: whether this one has the disk alone; null: nobody knows. */
  exclusive(engine: Engine, name: string): Promise<boolean | null>
  adopt(engine: Engine): Promise<number>
  /** Whether it opens the client in its own way, and has. */
  open?(engine: Engine): boolean
  /** How this page says it to the other tabs, which understand every spelling. */
  spelled?(engine: Engine, message: TabMessage): TabMessage
  /** Adds methods to the client. */
  more?(engine: Engine): object
  /** A function loads it when the first transport does not answer. */
  readonly rivals: Rivals | (() => Promise<Rivals>)
}

type Handles = Map<number, Handle>

export interface Engine {
  readonly parts: Parts
  readonly hooks: Hooks
  readonly env: ClientEnv
  readonly options: ClientOptions
  /** What this page wants, of whatever it has named. */
  wants: Wants
  /** What is to be asked of the server, for all tabs; null: what this page wants. */
  desired: Wants | null
  readonly connector: Connector
  /** By `n`, until settled. */
  handles: Handles
  /** Of each client that this page has been: numbers are a client's own. */
  readonly shelves: Map<string, Handles>
  readonly live: Live
  readonly ready: Deferred<void>
  readonly listeners: Map<keyof ClientEvents, Set<(detail: never) => void>>
  replica: Replica
  store: ClientStore
  disk: Disk
  crew: Crew
  /** Where tabs cannot hear each other: of the one that has the disk. */
  exclusive: Lock | null
  /** Why the disk takes nothing any more. */
  broken: SyncError | null
  moulted: boolean
  /** Why confirmed rows are not stored any more. */
  rowsLost: SyncError | null
  /** Null: not loaded yet. */
  late: Late | null
  readonly notes: Notes
  /** How many edits of its own this page has marked, by the client that it was then. */
  readonly marked: Map<string, number>
  /** The database, by its key, that was emptied on purpose. */
  cleared: string | null
  /** Ends the wait for housekeeping. */
  tidying: () => void
  /** The part of the database's name that says whose it is. */
  key: string
  storage: ClientStore['kind']
  /** What was asked of the client before its store was open; null: it is. */
  early: (() => void)[] | null
  /** The store is being opened. */
  opening: Promise<void>
  wanted: boolean
  closed: boolean
  isReady: boolean
  lastError: SyncError | null
  /** What the frame at hand changed. */
  changes: Change[]
  syncs: { readonly entity: string; readonly done: Deferred<void> }[]
  effects: Effect[]
  busy: boolean
  /** The part that heals is being loaded. */
  healing: boolean
}

export function createEngine(options: ClientOptions, env: ClientEnv, parts: Parts, hooks: Hooks): Engine {
  const wants = wantsOf(options)
  const store = noStore()
  const engine: Engine = {
    parts,
    hooks,
    env,
    options,
    wants,
    desired: null,
    store,
    handles: new Map(),
    shelves: new Map(),
    ready: deferred<void>(),
    listeners: new Map(),
    crew: newCrew(),
    exclusive: null,
    broken: null,
    moulted: false,
    rowsLost: null,
    late: parts.late ?? null,
    notes: env.notes ?? pageNotes,
    marked: new Map(),
    cleared: null,
    tidying: () => {},
    key: '',
    storage: store.kind,
    early: [],
    opening: Promise.resolve(),
    wanted: options.autoConnect !== false,
    closed: false,
    isReady: false,
    lastError: null,
    changes: [],
    syncs: [],
    effects: [],
    busy: false,
    healing: false,
    replica: newReplica(options, wants, env, newIdentity(env), parts),
    disk: newDisk(() => engine, store),
    live: createLive(
      entity => engine.replica.rows(entity),
      error => report(engine, asError(error)),
    ),
    connector: newConnector(() => engine, options, env, parts),
  }
  return engine
}

function newConnector(engine: () => Engine, options: ClientOptions, env: ClientEnv, parts: Parts): Connector {
  const { url, transports, enableCompression } = options
  const compress = enableCompression ?? (env.saveData === true || undefined)
  const events: ConnectorEvents = {
    opened: () => tell(engine(), { type: 'opened' }),
    frame: text => receive(engine(), decodeDown(text), text),
    lost() {
      engine().crew.welcome = null
      tell(engine(), { type: 'closed' })
    },
    moved(previous) {
      if (!leads(engine())) return
      announce(engine(), false)
      moved(engine(), previous)
    },
  }
  return createConnector(env, transports ?? parts.transports(url, compress), parts.rivals, events, options)
}

/** The connection's state, attempt or transport is another than before; for a follower, the leader's. */
export function moved(engine: Engine, previous: LinkState): void {
  const { retryAt: nextRetryAt, hope: _, wanted: __, ...link } = linkOf(engine)
  emit(engine, 'state', { ...link, previous, nextRetryAt })
  check(engine)
}

/** This tab's connection, or the leading tab's. */
export function linkOf(engine: Engine): LinkView {
  const { connector, crew, wanted } = engine
  const isOurs = leads(engine)
  if (!isOurs && crew.link) return crew.link
  const { attempt, delay, hope, due, code, reason } = connector.link
  const state = isOurs ? connector.link.state : 'connecting'
  const retryAt = due.get('retry') ?? null
  return { state, ...transportOf(connector), attempt, delay, retryAt, hope, code, reason, wanted }
}

export function newIdentity(env: ClientEnv, user: string | null = null): Identity {
  return { client: env.unique(), n: 0, lead: 0, user, reading: 0 }
}

export function newReplica(
  options: ClientOptions,
  wants: Wants,
  env: ClientEnv,
  identity: Identity,
  { healing }: Parts,
): Replica {
  return createReplica({
    healing: typeof healing === 'function' ? null : healing,
    wants,
    identity,
    node: env.unique().slice(0, 12),
    strategy: options.strategy ?? null,
    gather: env.saveData === true ? 1_000 : options.gather,
  })
}

/** One event through the replica, its effects in order, also where a listener causes more. */
export function tell(engine: Engine, event: ReplicaEvent): number {
  const { n, effects } = engine.replica.step(event, engine.env.now())
  for (const effect of effects) if (effect.do === 'changed') engine.live.forget(effect.views)
  engine.effects.push(...effects)
  if (engine.busy) return n
  engine.busy = true
  try {
    for (let next = engine.effects.shift(); next !== undefined; next = engine.effects.shift())
      carry(engine, next)
  } finally {
    engine.busy = false
  }
  check(engine)
  return n
}

function carry(engine: Engine, effect: Effect): void {
  switch (effect.do) {
    case 'save':
      engine.disk.save(effect.work)
      break
    case 'send':
      send(engine.connector, effect.text)
      break
    case 'changed':
      engine.changes.push(...effect.changes)
      engine.live.notify(effect.views)
      for (const change of effect.changes) emit(engine, 'changed', change)
      break
    case 'settle':
      settle(engine, effect.n, effect.settled)
      break
    case 'reject': {
      const { n, record, error } = effect
      if (leads(engine)) tellOthers(engine, [record])
      engine.handles.get(n)?.done.reject(error)
      engine.handles.delete(n)
      emit(engine, 'rejected', { ...letterOf(record), cause: error })
      break
    }
    case 'pause':
      engine.env.after(effect.ms, () => tell(engine, { type: 'resume' }))
      break
    case 'user':
      drive(engine.connector, { type: 'stop' })
      emit(engine, 'user', effect.user)
      engine.hooks.user(effect.user)
      break
    case 'heal':
      void loadHealing(engine)
      break
    case 'reload':
      need(engine, true)
      break
    case 'error':
      report(engine, effect.error)
      break
  }
}

export function settle({ handles }: Engine, n: number, { status, version, ids }: Settled): void {
  const handle = handles.get(n)
  handle?.done.resolve({ status, version, id: ids[handle.id] ?? handle.id })
  handles.delete(n)
}

/** Whoever waits for a write is told that this client will not tell. */
export function failHandles(handles: Handles, error: SyncError): void {
  for (const handle of handles.values()) failHandle(handle, error)
  handles.clear()
}

/** Once for all who need it, again and again until it is there. */
async function loadHealing(engine: Engine, attempt = 1): Promise<void> {
  const { parts, env, connector } = engine
  if (typeof parts.healing !== 'function' || engine.closed || (engine.healing && attempt === 1)) return
  engine.healing = true
  try {
    const healing = await parts.healing()
    engine.healing = false
    if (engine.replica.state.healing === null) tell(engine, { type: 'healing', healing })
  } catch (error) {
    report(engine, asError(error))
    const ms = jitteredDelay(connector.link.policy, attempt, env.random())
    if (engine.healing) env.after(ms, () => void loadHealing(engine, attempt + 1))
  }
}

function receive(engine: Engine, message: Down | undefined, text: string): 'welcome' | 'frame' | null {
  if (message === undefined) return null
  quietly(() => engine.options.debug?.('received', message))
  if (message.type === 'ping') send(engine.connector, '{"type":"ping"}')
  engine.changes = []
  tell(engine, { type: 'frame', message })
  forward(engine, message, text, engine.changes)
  if (message.type !== 'welcome') return 'frame'
  if (engine.replica.state.identity.user === message.user) engine.hooks.welcome(message.user)
  return 'welcome'
}

/** What waits for the replica or the link is told; called after every event. */
export function check(engine: Engine): void {
  engine.late?.(engine)
  const link = linkOf(engine)
  const { entities } = engine.replica.state
  const first = hopeful(engine)
  engine.syncs = engine.syncs.filter(({ entity, done }) => {
    const ready = link.state === 'ready'
    if (!ready && !first) done.reject(new SyncError('NOT_CONNECTED', 'there is no connection'))
    else if (ready && entities.get(entity)?.current !== false) done.resolve()
    else return true
    return false
  })
  if (engine.isReady || engine.early !== null) return
  const synced = link.state === 'ready' && [...entities.values()].every(kept => kept.current)
  if (!synced && first) return
  engine.isReady = true
  emit(engine, 'ready', { storage: engine.storage, synced })
  engine.ready.resolve()
}

/** The first attempt is to come, or it runs. */
export function hopeful(engine: Engine): boolean {
  const { hope, state } = linkOf(engine)
  return engine.wanted && !engine.closed && hope && state !== 'stopped'
}

export function emit<K extends keyof ClientEvents>(engine: Engine, event: K, detail: ClientEvents[K]): void {
  quietly(() => engine.options.debug?.(event, detail))
  for (const listener of Array.from(engine.listeners.get(event) ?? [])) {
    try {
      // reason: a set holds only listeners of its own event, which a map of sets cannot say
      ;(listener as (detail: ClientEvents[K]) => void)(detail)
    } catch (error) {
      if (event !== 'error') report(engine, asError(error))
    }
  }
}

export function report(engine: Engine, error: SyncError): void {
  engine.lastError = error
  quietly(() => engine.options.onError?.(error))
  emit(engine, 'error', error)
}

/** What those throw who are told of errors can be told to nobody; it must not stop what goes on. */
function quietly(run: () => void): void {
  try {
    run()
  } catch {}
}

export function asError(cause: unknown, code: SyncError['code'] = 'INTERNAL'): SyncError {
  return cause instanceof SyncError ? cause : new SyncError(code, String(cause), { cause })
}
