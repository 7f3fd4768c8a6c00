// Opening, changing and leaving the database: which store, whose, and what when it cannot be had.
import { SyncError } from '../core/index.ts'
import { asError, boot, emit, failHandles, report } from './engine.ts'
import { drive } from './connector.ts'
import type { Engine } from './engine.ts'
import { databaseKey, rememberUser, takeLock } from './lead.ts'
import { noStore } from './memory.ts'
import type { ClientStore } from './store.ts'

/** `user` null: the last one of this browser. Connects when the store is open and a connection is wanted. */
export function openDatabase(engine: Engine, user: string | null): void {
  begin(engine, async () => boot(engine, await chooseStore(engine, user), noStore))
}

/** One change of database at a time; what users write meanwhile waits in `early`. */
function begin(engine: Engine, open: () => Promise<void>): void {
  engine.early ??= []
  engine.opening = engine.opening.then(open).then(
    () => {
      if (engine.wanted && !engine.closed) drive(engine.connector, { type: 'start' })
    },
    (cause: unknown) => report(engine, asError(cause)),
  )
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
  if (lease.held) return engine.parts.database(database, (ms, run) => engine.env.after(ms, run))
  emit(engine, 'storage', { storage: 'memory', reason: 'busy', error: null })
  return noStore()
}

/** The server takes this connection for somebody else: on with that user's own database. */
export function switchUser(engine: Engine, user: string): void {
  begin(engine, async () => {
    await leave(engine)
    await boot(engine, await chooseStore(engine, user), noStore)
  })
}

/** Which database is whose is remembered where there is one to come back to. */
export function welcomed(engine: Engine, user: string): void {
  if (engine.storage === 'indexeddb') rememberUser(engine.options.name ?? 'syncline', user, engine.key)
}

export function forget(engine: Engine): Promise<void> {
  drive(engine.connector, { type: 'stop' })
  begin(engine, async () => {
    await engine.disk.idle()
    await engine.store.clear()
    failHandles(engine, new SyncError('DISCARDED', 'the client was cleared'))
    await boot(engine, engine.store, noStore)
  })
  return engine.opening
}

export async function shut(engine: Engine): Promise<void> {
  if (engine.closed) return
  engine.closed = true
  drive(engine.connector, { type: 'stop' })
  await engine.opening
  await leave(engine)
  failHandles(engine, new SyncError('CLOSED', 'the client is closed'))
}

async function leave(engine: Engine): Promise<void> {
  await engine.disk.idle()
  await engine.store.close()
  engine.lease?.release()
}
