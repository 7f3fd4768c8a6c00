// The client's public methods, on whatever parts it is made of. Wires and decides nothing.
import type { EntitySource, Json, Row, Write } from '../core/index.ts'
import { SyncError, temporaryPrefix } from '../core/index.ts'
import type {
  BareClient,
  ClientEvents,
  ClientOptions,
  Id,
  RowsOf,
  Status,
  Target,
  Transaction,
  WriteHandle,
} from './api.ts'
import { drive } from './connector.ts'
import { encodeId, encodeRow } from './encode.ts'
import { leads, need, post, rejoin, suspend } from './crew.ts'
import { check, createEngine, linkOf, settle, tell } from './engine.ts'
import type { Engine, Parts } from './engine.ts'
import { platformEnv } from './env.ts'
import { deferred, failHandle, newHandle } from './handles.ts'
import type { ReplicaEvent } from './replica.ts'
import { letterOf } from './settle.ts'
import { cleared, forget, openDatabase, shut, switchUser, welcomed } from './opening.ts'

type AnyClient = BareClient

/** `createClient` brings all parts; a script that must be small brings some of them later. */
export function clientOf<const S extends readonly EntitySource[]>(
  options: ClientOptions<S>,
  parts: Parts,
): BareClient<RowsOf<S>> {
  const env = options.env ?? platformEnv()
  const engine = createEngine(options, env, parts, {
    user: user => switchUser(engine, user),
    welcome: user => welcomed(engine, user),
    cleared: () => cleared(engine),
    asked(what, entity) {
      if (what !== 'sync') client[what]()
      else tell(engine, { type: 'ask', entity })
    },
  })
  const stopHints = env.onHint(hint => {
    if (hint === 'suspend') suspend(engine)
    if (hint === 'resume') rejoin(engine)
    if (leads(engine)) drive(engine.connector, { type: 'hint', hint })
    // who slept may have missed something
    else if (hint !== 'hide' && hint !== 'suspend') need(engine, hint === 'resume')
  })
  openDatabase(engine, options.user ?? null)
  const client: AnyClient = {
    ...writing(engine),
    ...reading(engine),
    ...connecting(engine),
    get online() {
      const { state, hope } = linkOf(engine)
      return (
        env.online() &&
        engine.wanted &&
        (state === 'ready' || (hope && state !== 'stopped' && state !== 'waiting'))
      )
    },
    clear: () => forget(engine),
    adopt: () => parts.adopt(engine),
    close: () => {
      stopHints()
      return shut(engine)
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
  // reason: inside, every row is a Row; what they are outside is the caller's definition
  return Object.assign(client, parts.more?.(engine)) as unknown as BareClient<RowsOf<S>>
}

type Writing = Pick<
  AnyClient,
  'create' | 'update' | 'delete' | 'transaction' | 'pending' | 'deadLetters' | 'retry' | 'discard'
>

function writing(engine: Engine): Writing {
  const one = (run: (tx: Transaction<Record<string, Row>>) => void): WriteHandle => {
    const writes: Write[] = []
    run(collector(engine, writes))
    return submit(engine, { type: 'write', writes }, writes[0])
  }
  return {
    create: (entity, row, options) => one(tx => tx.create(entity, row, options)),
    update: (entity, id, patch) => one(tx => tx.update(entity, id, patch)),
    delete: (entity, id) => one(tx => tx.delete(entity, id)),
    transaction: one,
    pending: () =>
      Array.from(engine.replica.state.entries.values(), ({ record, sent }) => ({
        n: record.n,
        writes: record.mutation.writes,
        at: record.timestamp,
        sent,
      })),
    deadLetters: () => Array.from(engine.replica.state.dead.values(), ({ record }) => letterOf(record)),
    retry(n, writes) {
      const first = engine.replica.state.dead.get(n)?.record.mutation.writes[0]
      if (!first) throw new SyncError('NOT_FOUND', `no dead letter ${n}`)
      const handle = submit(engine, { type: 'retry', n, writes }, first)
      post(engine, { type: 'discarded', ns: [n] })
      return handle
    },
    discard(n) {
      tell(engine, { type: 'discard', n })
      post(engine, { type: 'discarded', ns: [n] })
    },
  }
}

/** Encodes each write at its call; ids as they are known now. */
function collector(engine: Engine, writes: Write[]): Transaction<Record<string, Row>> {
  const add = (entity: string, write: Omit<Write, 'entity'>): void => {
    checkEntity(engine, entity)
    writes.push({ entity, ...write })
  }
  const idOf = (id: Id): string => engine.replica.realId(encodeId(id))
  return {
    create(entity, row, options) {
      const data = withRealIds(engine, encodeRow(row))
      const key = engine.replica.state.entities.get(entity)?.shape?.key ?? ['id']
      const values = key.map(column => data[column] ?? null)
      const named = !values.includes(null)
      const id = named
        ? encodeId(values.length > 1 ? values : values[0])
        : temporaryPrefix + engine.env.unique()
      add(entity, { id, action: 'create', data, ...(options?.upsert === true ? { upsert: true } : {}) })
      return id
    },
    update: (entity, id, patch) =>
      add(entity, { id: idOf(id), action: 'update', data: withRealIds(engine, encodeRow(patch)) }),
    delete: (entity, id) => add(entity, { id: idOf(id), action: 'delete' }),
  }
}

/** A temporary id that a page still holds, where it has become a real one meanwhile. */
function withRealIds(engine: Engine, row: Row): Row {
  const { alias } = engine.replica.state
  if (alias.size === 0) return row
  const real: Record<string, Json> = { ...row }
  for (const [column, value] of Object.entries(row))
    if (typeof value === 'string') real[column] = alias.get(value) ?? value
  return real
}

/** `first`: of what is written. */
function submit(engine: Engine, event: ReplicaEvent, first?: Write): WriteHandle {
  const handle = newHandle(first?.id ?? '')
  const go = (): void => {
    const n = tell(engine, event)
    engine.handles.set(n, handle)
    if (n > 0) return
    // nothing changed: nothing to send, settled as it stands
    handle.onDisk.resolve()
    settle(engine, 0, {
      status: 'applied',
      version: engine.replica.state.entities.get(first?.entity ?? '')?.cursor?.seq ?? 0,
      ids: {},
    })
  }
  if (engine.closed) failHandle(handle, new SyncError('CLOSED', 'the client is closed'))
  else if (engine.early === null) go()
  else engine.early.push(go)
  return handle
}

export function checkEntity(engine: Engine, entity: string): void {
  if (!Object.hasOwn(engine.wants, entity))
    throw new SyncError('UNKNOWN_ENTITY', `'${entity}' is not among this client's entities`)
}

type Reading = Pick<
  AnyClient,
  'get' | 'getAll' | 'getSnapshot' | 'subscribe' | 'shape' | 'on' | 'status' | 'ready'
>

function reading(engine: Engine): Reading {
  const get = (entity: string, id: Id): Row | undefined => engine.replica.view(entity, encodeId(id))
  return {
    get,
    getAll: entity => engine.live.all(entity),
    // reason: the overloads say which target gives what
    getSnapshot: ((target: Target<Record<string, Row>>) =>
      typeof target === 'string'
        ? engine.live.all(target)
        : get(target.entity, target.id)) as AnyClient['getSnapshot'],
    subscribe(target, listener) {
      const [entity, id] = typeof target === 'string' ? [target, null] : [target.entity, encodeId(target.id)]
      checkEntity(engine, entity)
      return engine.live.subscribe(entity, id, listener)
    },
    shape: entity => engine.replica.state.entities.get(entity)?.shape ?? null,
    on(event, listener) {
      const set = engine.listeners.get(event) ?? new Set()
      engine.listeners.set(event, set)
      const own = (detail: ClientEvents[typeof event]): void => listener(detail)
      set.add(own)
      return () => set.delete(own)
    },
    status: () => statusOf(engine),
    ready: engine.ready.promise,
  }
}

function statusOf(engine: Engine): Status {
  const { state, attempt, retryAt, transport, trying } = linkOf(engine)
  const { entries, dead, entities, identity } = engine.replica.state
  const [oldest] = entries.values()
  return {
    state,
    transport,
    trying,
    attempt,
    nextRetryAt: retryAt,
    pending: entries.size,
    deadLetters: dead.size,
    oldestUnsentAt: oldest?.record.timestamp ?? null,
    cursors: Object.fromEntries(Array.from(entities.values(), ({ name, cursor }) => [name, cursor])),
    storage: engine.storage,
    client: identity.client,
    user: identity.user,
    lastError: engine.lastError,
    leader: leads(engine),
  }
}

type Connecting = Pick<AnyClient, 'sync' | 'connect' | 'disconnect'>

function connecting(engine: Engine): Connecting {
  return {
    async sync(entity) {
      checkEntity(engine, entity)
      const done = deferred<void>()
      // a welcome asks for everything
      if (!leads(engine)) post(engine, { type: 'do', what: 'sync', entity })
      if (linkOf(engine).state === 'ready') tell(engine, { type: 'ask', entity })
      engine.syncs.push({ entity, done })
      check(engine)
      return done.promise
    },
    connect() {
      engine.wanted = true
      if (leads(engine)) {
        if (engine.early === null) drive(engine.connector, { type: 'start' })
        return
      }
      post(engine, { type: 'do', what: 'connect', entity: '' })
      need(engine, false)
    },
    disconnect() {
      engine.wanted = false
      if (!leads(engine)) post(engine, { type: 'do', what: 'disconnect', entity: '' })
      else drive(engine.connector, { type: 'stop' })
    },
  }
}
