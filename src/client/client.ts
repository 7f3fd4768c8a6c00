// The client's public methods, on whatever parts it is made of. Wires and decides nothing.
import type { EntitySource, Row, Write } from '../core/index.ts'
import { SyncError, temporaryPrefix } from '../core/index.ts'
import type {
  BareClient,
  ClientEvents,
  ClientOptions,
  Id,
  RowsOf,
  Status,
  Transaction,
  WriteHandle,
} from './api.ts'
import { drive } from './connector.ts'
import { encodeId, encodeRow } from './encode.ts'
import { connects } from './crew-state.ts'
import { callHome, check, closedError, createEngine, hopeful, linkOf, visit } from './engine.ts'
import type { Engine, Parts } from './engine.ts'
import { defaultName, recall } from './env.ts'
import { deferred, failHandle, newHandle } from './handles.ts'

type AnyClient = BareClient

/** `createClient` brings all parts; a script that must be small brings some of them later. */
export function clientOf<const S extends readonly EntitySource[]>(
  options: ClientOptions<S>,
  parts: Parts,
): BareClient<RowsOf<S>> {
  const env = options.env ?? parts.env()
  const engine = createEngine(options, env, parts)
  begin(engine)
  const client: AnyClient = {
    ...writing(engine),
    ...reading(engine),
    ...connecting(engine),
    get online() {
      const { state } = linkOf(engine)
      return env.online() && (state === 'ready' ? engine.wanted : hopeful(engine) && state !== 'waiting')
    },
    clear: async () => (engine.home ?? (await callHome(engine))).forget(engine),
    adopt: async () => (engine.home ?? (await callHome(engine))).adopt(engine),
    close: () => shut(engine),
  }
  // reason: inside, every row is a Row; what they are outside is the caller's definition
  return Object.assign(client, parts.more?.(engine)) as unknown as BareClient<RowsOf<S>>
}

/**
 * Where nothing says that there is a database of this name, and what it takes to open one is not loaded yet, the first copy
 * comes from the server.
 */
function begin(engine: Engine): void {
  const { options, home, env } = engine
  const { name = defaultName } = options
  if (home !== null) return home.open(engine, options.user ?? null)
  if (!engine.wanted || (env.notes ? env.notes.get(name) : recall(name)) !== null)
    return void callHome(engine)
  visit(engine)
}

async function shut(engine: Engine): Promise<void> {
  if (engine.closed) return
  engine.closed = true
  // whoever waits for a home waits for nothing
  ;(engine.coming ??= deferred()).reject(closedError())
  drive(engine.connector, { type: 'stop' })
  await engine.opening
  try {
    await engine.home?.close(engine)
  } finally {
    // nobody will take what waits for a home
    if (engine.home === null) for (const run of engine.early ?? []) run()
    check(engine)
    // it will never be, and nobody need wait for it
    engine.ready.resolve()
  }
}

type Writing = Pick<
  AnyClient,
  'create' | 'update' | 'delete' | 'transaction' | 'pending' | 'deadLetters' | 'retry' | 'discard'
>

function writing(engine: Engine): Writing {
  const one = (run: (tx: Transaction<Record<string, Row>>) => void): WriteHandle => {
    const writes: Write[] = []
    run(collector(engine, writes))
    return submit(engine, writes)
  }
  return {
    create: (entity, row, options) => one(tx => tx.create(entity, row, options)),
    update: (entity, id, patch) => one(tx => tx.update(entity, id, patch)),
    delete: (entity, id) => one(tx => tx.delete(entity, id)),
    transaction: one,
    pending: () => engine.home?.pending(engine) ?? [],
    deadLetters: () => engine.home?.deadLetters(engine) ?? [],
    retry(n, writes) {
      if (engine.home === null) throw new SyncError('NOT_FOUND', `no dead letter ${n}`)
      return engine.home.retry(engine, n, writes)
    },
    discard: n => engine.home?.discard(engine, n),
  }
}

/** Encodes each write at its call; ids as they are known now. */
function collector(engine: Engine, writes: Write[]): Transaction<Record<string, Row>> {
  const add = (entity: string, write: Omit<Write, 'entity'>): void => {
    checkEntity(engine, entity)
    writes.push({ entity, ...write })
  }
  const encoded = (row: object): Row => {
    const data = encodeRow(row)
    return engine.home?.withRealIds(engine, data) ?? data
  }
  const idOf = (id: Id): string => engine.replica.realId(encodeId(id))
  return {
    create(entity, row, options) {
      const data = encoded(row)
      const key = engine.replica.state.entities.get(entity)?.shape?.key ?? ['id']
      const values = key.map(column => data[column] ?? null)
      const named = !values.includes(null)
      const id = named
        ? encodeId(values.length > 1 ? values : values[0])
        : temporaryPrefix + engine.env.unique()
      add(entity, { id, action: 'create', data, ...(options?.upsert === true ? { upsert: true } : {}) })
      return id
    },
    update: (entity, id, patch) => add(entity, { id: idOf(id), action: 'update', data: encoded(patch) }),
    delete: (entity, id) => add(entity, { id: idOf(id), action: 'delete' }),
  }
}

function submit(engine: Engine, writes: readonly Write[]): WriteHandle {
  const [first] = writes
  const handle = newHandle(first?.id ?? '')
  const go = (): void => {
    if (engine.home === null) failHandle(handle, closedError())
    else engine.home.put(engine, handle, { type: 'write', writes }, first)
  }
  if (engine.closed) failHandle(handle, closedError())
  else if (engine.early === null) go()
  else {
    engine.early.push(go)
    void callHome(engine)
  }
  return handle
}

export function checkEntity(engine: Engine, entity: string): void {
  if (!Object.hasOwn(engine.wants, entity))
    throw new SyncError('UNKNOWN_ENTITY', `'${entity}' is not among this client's entities`)
}

type Reading = Pick<AnyClient, 'get' | 'getAll' | 'subscribe' | 'shape' | 'on' | 'status' | 'ready'>

function reading(engine: Engine): Reading {
  return {
    get: (entity, id) => engine.replica.view(entity, encodeId(id)),
    getAll: entity => engine.live.all(entity),
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
    leader: connects(engine),
  }
}

type Connecting = Pick<AnyClient, 'sync' | 'connect' | 'disconnect'>

function connecting(engine: Engine): Connecting {
  return {
    async sync(entity) {
      checkEntity(engine, entity)
      return (engine.home ?? (await callHome(engine))).sync(engine, entity)
    },
    connect: () => connect(engine),
    disconnect: () => disconnect(engine),
  }
}

export function connect(engine: Engine): void {
  if (engine.closed) return
  engine.wanted = true
  const { home, early, visiting } = engine
  if (!connects(engine)) {
    home?.post(engine, { type: 'do', what: 'connect', entity: '' })
    home?.need(engine, false)
  } else if (early === null || visiting) drive(engine.connector, { type: 'start' })
}

export function disconnect(engine: Engine): void {
  engine.wanted = false
  if (connects(engine)) drive(engine.connector, { type: 'stop' })
  else engine.home?.post(engine, { type: 'do', what: 'disconnect', entity: '' })
}
