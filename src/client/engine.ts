// Wires a replica to its disk, its connection and those who listen; decides nothing. Neighbours: `client` puts the
// public methods on it; `replica` and `link` decide.
import type { Down } from '../core/index.ts'
import { decodeDown, SyncError } from '../core/index.ts'
import type { ClientEvents, ClientOptions } from './api.ts'
import { createConnector, drive, send } from './connector.ts'
import type { Connector } from './connector.ts'
import { createDisk } from './disk.ts'
import type { Disk } from './disk.ts'
import type { ClientEnv } from './env.ts'
import { deferred, failHandle } from './handles.ts'
import type { Deferred, Handle } from './handles.ts'
import type { Lease } from './lead.ts'
import type { LinkState } from './link.ts'
import { createLive } from './live.ts'
import type { Live } from './live.ts'
import { noStore } from './memory.ts'
import { createReplica } from './replica.ts'
import type { Replica, ReplicaEvent } from './replica.ts'
import type { Effect, Healing, Settled } from './state.ts'
import type { ClientStore, Identity, Loaded } from './store.ts'
import type { Transport } from './transport.ts'

/** What is decided about databases, in `opening`. */
export interface Hooks {
  /** The server takes us for somebody else than the one whose database is open. */
  user(user: string): void
  welcome(user: string): void
}

/** What a client is made of; the rest of it is always there. */
export interface Parts {
  /** Best first. */
  transports(url: string): Transport[]
  database(name: string, after: ClientEnv['after']): ClientStore
  /** A function loads it when the first reset comes. */
  readonly healing: Healing | (() => Promise<Healing>)
}

export interface Engine {
  readonly parts: Parts
  readonly hooks: Hooks
  readonly env: ClientEnv
  readonly options: ClientOptions
  readonly entities: readonly string[]
  readonly connector: Connector
  /** By `n`, until settled. */
  readonly handles: Map<number, Handle>
  readonly live: Live
  readonly ready: Deferred<void>
  readonly listeners: Map<keyof ClientEvents, Set<(detail: never) => void>>
  replica: Replica
  store: ClientStore
  disk: Disk
  lease: Lease | null
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
  syncs: { readonly entity: string; readonly done: Deferred<void> }[]
  effects: Effect[]
  busy: boolean
}

export function createEngine(options: ClientOptions, env: ClientEnv, parts: Parts, hooks: Hooks): Engine {
  const entities = options.entities.map(source => (typeof source === 'string' ? source : source.name))
  const store = noStore()
  const engine: Engine = {
    parts,
    hooks,
    env,
    options,
    entities,
    store,
    handles: new Map(),
    ready: deferred<void>(),
    listeners: new Map(),
    lease: null,
    key: '',
    storage: store.kind,
    early: [],
    opening: Promise.resolve(),
    wanted: options.autoConnect !== false,
    closed: false,
    isReady: false,
    lastError: null,
    syncs: [],
    effects: [],
    busy: false,
    replica: newReplica(options, entities, env, newIdentity(env), parts),
    disk: newDisk(() => engine, store),
    live: createLive(
      entity => engine.replica.rows(entity),
      error => report(engine, asError(error)),
    ),
    connector: createConnector(env, options.transports ?? parts.transports(options.url), {
      opened: () => tell(engine, { type: 'opened' }),
      frame: text => receive(engine, decodeDown(text)),
      lost: () => tell(engine, { type: 'closed' }),
      moved: previous => moved(engine, previous),
    }),
  }
  return engine
}

function moved(engine: Engine, previous: LinkState): void {
  const { state, attempt, delay, retryAt: nextRetryAt, code, reason } = engine.connector.link
  emit(engine, 'state', {
    state,
    previous,
    transport: transportOf(engine),
    attempt,
    delay,
    nextRetryAt,
    code,
    reason,
  })
  check(engine)
}

export function transportOf({ connector: { link, transports } }: Engine): Transport['name'] {
  return transports[link.transport]?.name ?? 'local'
}

function newIdentity(env: ClientEnv): Identity {
  return { client: env.unique(), n: 0, lead: 0, user: null, reading: 0 }
}

function newReplica(
  options: ClientOptions,
  entities: readonly string[],
  env: ClientEnv,
  identity: Identity,
  { healing }: Parts,
): Replica {
  return createReplica({
    healing: typeof healing === 'function' ? null : healing,
    entities,
    identity,
    node: env.unique().slice(0, 12),
    strategy: options.strategy ?? null,
  })
}

function newDisk(engine: () => Engine, store: ClientStore): Disk {
  return createDisk(store, {
    durable(ns, error) {
      for (const n of ns) {
        const handle = engine().handles.get(n)
        if (error === null) handle?.onDisk.resolve()
        else handle?.onDisk.reject(error)
      }
      tell(engine(), { type: 'durable', ns })
    },
    failed(error, everything) {
      if (everything) engine().storage = 'memory'
      emit(engine(), 'storage', { storage: engine().storage, reason: 'failed', error })
      report(engine(), error)
    },
  })
}

/** Begins with what `store` holds; pending promises stay with the store that holds their mutations. */
export async function boot(engine: Engine, store: ClientStore, fallback: () => ClientStore): Promise<void> {
  let loaded: Loaded
  try {
    loaded = await store.load(engine.entities)
  } catch (cause) {
    store = fallback()
    loaded = await store.load(engine.entities)
    const error = asError(cause, 'STORAGE_FAILED')
    emit(engine, 'storage', { storage: store.kind, reason: 'failed', error })
    report(engine, error)
  }
  const known = loaded.identity ?? newIdentity(engine.env)
  // each load of a page is a lead of its own: what an older one still sends is fenced
  const identity = { ...known, lead: known.lead + 1 }
  engine.store = store
  engine.storage = store.kind
  engine.disk = newDisk(() => engine, store)
  engine.replica = newReplica(engine.options, engine.entities, engine.env, identity, engine.parts)
  engine.disk.save({ identity, puts: [], removes: [], commits: [], overlays: [] })
  tell(engine, { type: 'loaded', loaded: { ...loaded, identity } })
  const all = new Map(engine.entities.map(entity => [entity, null]))
  engine.live.forget(all)
  engine.live.notify(all)
  const { early } = engine
  engine.early = null
  for (const run of early ?? []) run()
  check(engine)
  await engine.disk.idle()
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
      engine.live.notify(effect.views)
      for (const change of effect.changes) emit(engine, 'changed', change)
      break
    case 'settle':
      settle(engine, effect.n, effect.settled)
      break
    case 'reject': {
      const { n, record, error } = effect
      engine.handles.get(n)?.done.reject(error)
      engine.handles.delete(n)
      emit(engine, 'rejected', {
        n,
        writes: record.mutation.writes,
        error: error.toJSON(),
        at: record.dead?.at ?? 0,
        cause: error,
      })
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
export function failHandles({ handles }: Engine, error: SyncError): void {
  for (const handle of handles.values()) failHandle(handle, error)
  handles.clear()
}

async function loadHealing(engine: Engine): Promise<void> {
  const { healing } = engine.parts
  try {
    if (typeof healing === 'function') tell(engine, { type: 'healing', healing: await healing() })
  } catch (error) {
    // the next connection brings the next reset, and with it the next try
    report(engine, asError(error))
  }
}

function receive(engine: Engine, message: Down | undefined): 'welcome' | 'frame' | null {
  if (message === undefined) return null
  engine.options.debug?.('received', message)
  if (message.type === 'ping') send(engine.connector, '{"type":"ping"}')
  tell(engine, { type: 'frame', message })
  if (message.type !== 'welcome') return 'frame'
  if (engine.replica.state.identity.user === message.user) engine.hooks.welcome(message.user)
  return 'welcome'
}

/** What waits for the replica or the link is told; called after every event. */
function check(engine: Engine): void {
  const { link } = engine.connector
  const { entities } = engine.replica.state
  engine.syncs = engine.syncs.filter(({ entity, done }) => {
    if (link.state !== 'ready') done.reject(new SyncError('NOT_CONNECTED', 'the connection was lost'))
    else if (entities.get(entity)?.current !== false) done.resolve()
    else return true
    return false
  })
  if (engine.isReady || engine.early !== null) return
  const synced = link.state === 'ready' && [...entities.values()].every(kept => kept.current)
  if (!synced && engine.wanted && link.attempt === 0 && link.state !== 'stopped') return
  engine.isReady = true
  emit(engine, 'ready', { storage: engine.storage, synced })
  engine.ready.resolve()
}

export function emit<K extends keyof ClientEvents>(engine: Engine, event: K, detail: ClientEvents[K]): void {
  engine.options.debug?.(event, detail)
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
  engine.options.onError?.(error)
  emit(engine, 'error', error)
}

export function asError(cause: unknown, code: SyncError['code'] = 'INTERNAL'): SyncError {
  return cause instanceof SyncError ? cause : new SyncError(code, String(cause), { cause })
}
