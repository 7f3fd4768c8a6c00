// Opening, changing and leaving the database: which store, whose, and what when it cannot be had.
import { SyncError } from '../core/index.ts'
import { asError, boot, check, emit, failHandles, storageFailed } from './engine.ts'
import { drive } from './connector.ts'
import type { Engine } from './engine.ts'
import { databaseKey, rememberUser, takeLock } from './lead.ts'
import { noStore } from './memory.ts'
import type { ClientStore } from './store.ts'

/** `user` null: the last one of this browser. Connects when the store is open and a connection is wanted. */
export function openDatabase(engine: Engine, user: string | null): void {
  void begin(engine, async () => boot(engine, await chooseStore(engine, user), noStore))
}

/**
 * One change of database at a time; what users write meanwhile waits in `early`. No connection lives through a change,
 * and none is made before the last one. The result is of `open`; where it fails, all goes on in memory.
 */
function begin(engine: Engine, open: () => Promise<void>): Promise<void> {
  engine.early ??= []
  const opened = engine.opening.then(() => {
    engine.early ??= []
    drive(engine.connector, { type: 'stop' })
    return open()
  })
  const mine: Promise<void> = opened
    .catch(async (cause: unknown) => {
      const error = asError(cause, 'STORAGE_FAILED')
      failHandles(engine.handles, error)
      await boot(engine, noStore(), noStore)
      storageFailed(engine, error)
    })
    .then(() => {
      if (engine.opening === mine && engine.wanted && !engine.closed)
        drive(engine.connector, { type: 'start' })
    })
  engine.opening = mine
  return opened
}

async function chooseStore(engine: Engine, user: string | null): Promise<ClientStore> {
  const { store = 'auto', name = 'syncline' } = engine.options
  if (store === 'memory') return noStore()
  // another user's rows never come into a store that was made for this one
  if (typeof store === 'object') return user === null ? store : noStore()
  if (typeof store === 'string' && typeof indexedDB === 'undefined') {
    if (store === 'indexeddb') emit(engine, 'storage', { storage: 'memory', reason: 'failed', error: null })
    return noStore()
  }
  engine.key = databaseKey(name, user)
  const database = `${name}-${engine.key}`
  if (typeof store === 'function') return store(database)
  const lease = await takeLock(`syncline:${database}`, () => {
    emit(engine, 'storage', { storage: 'memory', reason: 'free', error: null })
  })
  engine.lease = lease
  if (lease?.held === true) return engine.parts.database(database, (ms, run) => engine.env.after(ms, run))
  emit(engine, 'storage', { storage: 'memory', reason: lease === null ? 'failed' : 'busy', error: null })
  return noStore()
}

/** The server takes this connection for somebody else: on with that user's own database. */
export function switchUser(engine: Engine, user: string): void {
  void begin(engine, async () => {
    await leave(engine)
    await boot(engine, await chooseStore(engine, user), noStore)
  })
}

/** Which database is whose is remembered where there is one to come back to. */
export function welcomed(engine: Engine, user: string): void {
  if (engine.storage !== 'indexeddb') return
  const { name = 'syncline', user: said } = engine.options
  // a page may know people whom the server does not tell apart
  const whose = said && databaseKey(name, said) === engine.key ? said : user
  rememberUser(name, whose, engine.key)
}

export async function forget(engine: Engine): Promise<void> {
  drive(engine.connector, { type: 'stop' })
  await begin(engine, async () => {
    await engine.disk.idle()
    await engine.store.clear()
    failHandles(engine.handles, new SyncError('DISCARDED', 'the client was cleared'))
    await boot(engine, engine.store, noStore)
  })
  await engine.opening
}

export async function shut(engine: Engine): Promise<void> {
  if (engine.closed) return
  engine.closed = true
  drive(engine.connector, { type: 'stop' })
  await engine.opening
  try {
    await leave(engine)
  } finally {
    const error = new SyncError('CLOSED', 'the client is closed')
    for (const handles of engine.shelves.values()) failHandles(handles, error)
    check(engine)
    // it will never be, and nobody need wait for it
    engine.ready.resolve()
  }
}

async function leave(engine: Engine): Promise<void> {
  await engine.disk.idle()
  await engine.store.close()
  engine.lease?.release()
}
