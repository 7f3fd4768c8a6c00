// Wires a replica to its disk, its connection and those who listen; decides nothing. Neighbours: `client` puts the
// public methods on it; `replica` and `link` decide.
import type { Down } from '../core/index.ts'
import { decodeDown, nominalDelay, SyncError } from '../core/index.ts'
import type { ClientEvents, ClientOptions } from './api.ts'
import { createConnector, drive, send, transportOf } from './connector.ts'
import type { Connector, ConnectorEvents } from './connector.ts'
import { connects } from './crew-state.ts'
import type { Crew } from './crew-state.ts'
import type { ClientEnv } from './env.ts'
import { deferred } from './handles.ts'
import type { Deferred } from './handles.ts'
import type { Home } from './home.ts'
import type { LinkState } from './link.ts'
import { createLive } from './live.ts'
import type { Live } from './live.ts'
import { createReplica } from './replica.ts'
import type { Replica, ReplicaEvent } from './replica.ts'
import type { Change, Effect } from './state.ts'
import type { Rooms } from './rooms.ts'
import type { ClientStore, Identity } from './store.ts'
import type { LinkView } from './tabs.ts'
import { wantsOf } from './wants-of.ts'
import type { Wants } from './wants.ts'
import type { Transport } from './transport.ts'

/** What a client is made of; the rest of it is always there. */
export interface Parts {
  /** The world, unless the options bring another one. */
  env(): ClientEnv
  /** Best first. */
  transports(url: string, compress: boolean | undefined): Transport[]
  /** A function loads it: a page that has stored nothing yet can be ready without it. */
  readonly home: Home | (() => Promise<Home>)
  /** Adds methods to the client. */
  more?(engine: Engine): object
}

export interface Engine extends Rooms {
  readonly parts: Parts
  /** Null: not loaded yet. */
  home: Home | null
  /** It is being loaded. */
  coming: Deferred<Home> | null
  /** It could not be loaded. */
  homeless: boolean
  /** Connected before anything of it is stored: what comes is in memory, what is written waits. */
  visiting: boolean
  readonly env: ClientEnv
  readonly options: ClientOptions
  /** What this page wants, of whatever it has named. */
  wants: Wants
  readonly connector: Connector
  readonly live: Live
  readonly ready: Deferred<void>
  readonly listeners: Map<keyof ClientEvents, Set<(detail: never) => void>>
  replica: Replica
  crew: Crew
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
  effects: Effect[]
  busy: boolean
}

export function createEngine(options: ClientOptions, env: ClientEnv, parts: Parts): Engine {
  const home = typeof parts.home === 'function' ? null : parts.home
  const wants = wantsOf(options)
  const engine = {
    parts,
    home,
    coming: null,
    homeless: false,
    visiting: false,
    env,
    options,
    wants,
    ready: deferred<void>(),
    listeners: new Map(),
    crew: { lead: { role: 'alone' }, guest: false, link: null, welcome: null },
    storage: 'memory',
    early: [],
    opening: Promise.resolve(),
    wanted: options.autoConnect !== false,
    closed: false,
    isReady: false,
    lastError: null,
    changes: [],
    effects: [],
    busy: false,
    replica: newReplica(options, wants, env, newIdentity(env), home),
    live: createLive(
      entity => engine.replica.rows(entity),
      error => report(engine, asError(error)),
    ),
    connector: newConnector(() => engine, options, env, parts),
    // reason: what is missing are the rooms, which come with the home
  } as unknown as Engine
  home?.furnish(engine)
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
      if (!connects(engine())) return
      engine().home?.announce(engine(), false)
      moved(engine(), previous)
    },
  }
  const home = typeof parts.home === 'function' ? null : parts.home
  const load = (): Promise<unknown> => callHome(engine())
  return createConnector(
    env,
    transports ?? parts.transports(url, compress),
    home?.upkeep ?? null,
    load,
    events,
    options,
  )
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
  const isOurs = connects(engine)
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
  home: Home | null,
): Replica {
  return createReplica({
    desk: home?.desk ?? null,
    wants,
    identity,
    node: env.unique().slice(0, 12),
    strategy: options.strategy ?? null,
    gather: env.saveData === true ? 1_000 : options.gather,
  })
}

/** One event through the replica, and its effects, unless they are for `carryAll` `later`. */
export function tell(engine: Engine, event: ReplicaEvent, later = false): number {
  const { n, effects } = engine.replica.step(event, engine.env.now())
  for (const effect of effects) if (effect.do === 'changed') engine.live.forget(effect.views)
  engine.effects.push(...effects)
  if (!later) carryAll(engine)
  return n
}

/** Effects in order, also where a listener causes more. */
export function carryAll(engine: Engine): void {
  if (engine.busy) return
  engine.busy = true
  try {
    for (let next = engine.effects.shift(); next !== undefined; next = engine.effects.shift())
      carry(engine, next)
  } finally {
    engine.busy = false
  }
  check(engine)
}

function carry(engine: Engine, effect: Effect): void {
  switch (effect.do) {
    case 'send':
      send(engine.connector, effect.text)
      break
    case 'changed':
      engine.changes.push(...effect.changes)
      engine.live.notify(effect.views)
      for (const change of effect.changes) emit(engine, 'changed', change)
      break
    case 'home':
      void callHome(engine)
      break
    default:
      engine.home?.carry(engine, effect)
  }
}

export const closedError = (): SyncError => new SyncError('CLOSED', 'the client is closed')

/** In memory, until there is a home. */
export function visit(engine: Engine): void {
  engine.visiting = true
  // where it will be kept; if it cannot be, that is told then
  if (typeof indexedDB !== 'undefined') engine.storage = 'indexeddb'
  engine.opening = Promise.resolve().then(() => {
    if (engine.wanted && !engine.closed) drive(engine.connector, { type: 'start' })
    check(engine)
  })
}

/** Once for all who need it, again and again until it is there. */
export function callHome(engine: Engine, attempt = 1): Promise<Home> {
  const { parts, env, connector } = engine
  if (typeof parts.home !== 'function') return Promise.resolve(parts.home)
  if (engine.coming !== null) return engine.coming.promise
  const coming = (engine.coming = deferred<Home>())
  parts.home().then(
    home => {
      if (engine.closed) return
      home.furnish(engine)
      engine.home = home
      drive(connector, { type: 'loaded', upkeep: home.upkeep })
      tell(engine, { type: 'home', desk: home.desk })
      home.open(engine, engine.options.user ?? null)
      coming.resolve(home)
    },
    (error: unknown) => {
      engine.homeless = true
      report(engine, asError(error))
      coming.reject(asError(error))
      // to read, if nothing else
      if (engine.visiting) check(engine)
      else visit(engine)
      env.after(nominalDelay(connector.link.policy, attempt), () => {
        if (engine.closed) return
        engine.coming = null
        void callHome(engine, attempt + 1)
      })
    },
  )
  return coming.promise
}

function receive(engine: Engine, message: Down | undefined, text: string): 'welcome' | 'frame' | null {
  if (message === undefined) return null
  quietly(() => engine.options.debug?.('received', message))
  if (message.type === 'ping') send(engine.connector, '{"type":"ping"}')
  engine.changes = []
  tell(engine, { type: 'frame', message })
  if (message.type === 'welcome') engine.crew.welcome = text
  engine.home?.forward(engine, message, text, engine.changes)
  if (message.type !== 'welcome') return 'frame'
  if (engine.replica.state.identity.user === message.user) engine.home?.welcomed(engine, message.user)
  return 'welcome'
}

/** What waits for the replica or the link is told; called after every event. */
export function check(engine: Engine): void {
  engine.home?.late(engine)
  const link = linkOf(engine)
  engine.home?.answer(engine)
  const { visiting, homeless } = engine
  const { entities, held } = engine.replica.state
  // what the server says may not be understood here, nor will it be soon
  const first = hopeful(engine) && !(homeless && held[0])
  const synced = link.state === 'ready' && [...entities.values()].every(kept => kept.current)
  // without a home there is nothing to be ready with but what the server says
  const isOpen = engine.early === null || homeless
  if (!engine.isReady && (synced ? isOpen || visiting : isOpen && !first)) {
    engine.isReady = true
    emit(engine, 'ready', { storage: engine.storage, synced })
  }
  // what is written from here on is shown at once, and kept; without a home this is as ready as it gets
  if (engine.isReady && isOpen) engine.ready.resolve()
  if (visiting && (synced || !first)) void callHome(engine)
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
