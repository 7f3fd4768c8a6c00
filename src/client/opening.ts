// Opening, changing and leaving the database: which store, whose, and what when it cannot be had.
import { SyncError } from '../core/index.ts'
import { leave as leaveCrew, need, post, rejoin, suspend } from './crew.ts'
import { connects, leads } from './crew-state.ts'
import { boot } from './boot.ts'
import { asError, closedError, emit, tell } from './engine.ts'
import { storageFailed } from './engine-disk.ts'
import { drive } from './connector.ts'
import type { Engine } from './engine.ts'
import { exclusive } from './exclusive.ts'
import { indexedDBStore } from './idb.ts'
import { noStore } from './memory.ts'
import { openMemory } from './open-memory.ts'
import type { ClientStore } from './store.ts'
import { defaultName } from './env.ts'
import type { Hint } from './env.ts'
import { databaseKey, rememberUser } from './users.ts'
import { failHandles } from './writing.ts'

/** `user` null: the last one of this browser. Connects when the store is open and a connection is wanted. */
export function openDatabase(engine: Engine, user: string | null): void {
  engine.deafen = engine.env.onHint(hint => hear(engine, hint))
  if (!openMemory(engine)) void begin(engine, () => openStore(engine, user))
  // somebody else may have signed in meanwhile: their database comes after the one of those who were here
  for (const message of engine.replica.state.held.splice(0)) tell(engine, { type: 'frame', message })
}

function hear(engine: Engine, hint: Hint): void {
  if (engine.closed) return
  if (hint === 'suspend') suspend(engine)
  if (hint === 'resume') rejoin(engine)
  if (connects(engine)) drive(engine.connector, { type: 'hint', hint })
  // who slept may have missed something
  else if (hint !== 'hide' && hint !== 'suspend') need(engine, hint === 'resume')
}

/**
 * One change of database at a time; what users write meanwhile waits in `early`. No connection lives through a change,
 * and none is made before the last one. The result is of `open`; where it fails, all goes on in memory.
 */
function begin(engine: Engine, open: () => Promise<void>): Promise<void> {
  engine.early ??= []
  const opened = engine.opening.then(() => {
    engine.early ??= []
    if (!engine.visiting) drive(engine.connector, { type: 'stop' })
    return open()
  })
  const mine: Promise<void> = opened
    .catch(async (cause: unknown) => {
      const error = asError(cause, 'STORAGE_FAILED')
      failHandles(engine.handles, error)
      leaveCrew(engine)
      if (!engine.visiting) drive(engine.connector, { type: 'stop' })
      await boot(engine, noStore(), null)
      storageFailed(engine, error)
    })
    .then(() => {
      const { state } = engine.connector.link
      // one that visited before has its connection, or a reason to have none
      if (engine.opening === mine && engine.wanted && !engine.closed && leads(engine) && state === 'idle')
        drive(engine.connector, { type: 'start' })
    })
  engine.opening = mine
  return opened
}

/** `whose`: as the server calls them, where it has said so. */
async function openStore(engine: Engine, user: string | null, whose: string | null = null): Promise<void> {
  const { store = 'auto', name = defaultName, user: told } = engine.options
  const own = (made: ClientStore): Promise<void> => boot(engine, made, null, whose)
  if (store === 'memory') return own(noStore())
  // another user's rows never come into a store that was made for this one
  if (typeof store === 'object') return own(user === null ? store : noStore())
  if (typeof store === 'string' && typeof indexedDB === 'undefined') {
    if (store === 'indexeddb') emit(engine, 'storage', { storage: 'memory', reason: 'failed', error: null })
    return own(noStore())
  }
  engine.key = databaseKey(engine.notes, name, user ?? told ?? null)
  const database = databaseOf(engine, engine.key)
  const shared = channelOf(database)
  const { tabs } = engine.env
  const probe = tabs?.channel(shared, () => {}) ?? null
  probe?.close()
  if (probe !== null || (typeof store === 'function' && tabs === undefined))
    return boot(engine, storeOf(engine, database), probe === null ? null : shared, whose)
  // tabs that cannot hear each other: the first that has the lock has the disk, the others work in memory
  const held = await exclusive(engine, shared)
  if (held === true) return own(storeOf(engine, database))
  emit(engine, 'storage', { storage: 'memory', reason: held === null ? 'failed' : 'busy', error: null })
  return own(noStore())
}

export function databaseOf({ options: { name = defaultName } }: Engine, key: string): string {
  return `${name}-${key}`
}

/** The name under which the tabs with this database hear each other. */
export function channelOf(database: string): string {
  return `syncline:${database}`
}

export function storeOf({ options: { store }, env }: Engine, database: string): ClientStore {
  return typeof store === 'function'
    ? store(database)
    : indexedDBStore(database, (ms, run) => env.after(ms, run))
}

/** The server takes this connection for somebody else: on with that user's own database. */
export function switchUser(engine: Engine, user: string): void {
  // while another database is being opened: what was written before is for that one
  engine.early?.push(() => void (engine.early ??= []))
  openAnother(engine, user)
}

export function openAnother(engine: Engine, user: string): void {
  void begin(engine, async () => {
    await leave(engine)
    await openStore(engine, user, user)
  })
}

/** Which database is whose is remembered where there is one to come back to. */
export function welcomed(engine: Engine, user: string): void {
  if (engine.storage === 'indexeddb' && !engine.visiting) noteOwner(engine, user)
}

export function noteOwner(engine: Engine, user: string): void {
  const { name = defaultName, user: said } = engine.options
  // a page may know people whom the server does not tell apart
  const whose = said && databaseKey(engine.notes, name, said) === engine.key ? said : user
  rememberUser(engine.notes, name, whose, engine.key)
}

export async function forget(engine: Engine): Promise<void> {
  await begin(engine, async () => {
    await engine.disk.idle()
    await engine.store.clear()
    post(engine, { type: 'cleared' })
    await again(engine)
  })
  await engine.opening
}

/** Another tab emptied the database. */
export function cleared(engine: Engine): void {
  void begin(engine, () => again(engine))
}

async function again(engine: Engine): Promise<void> {
  const { crew, store, replica } = engine
  engine.cleared = engine.key
  failHandles(engine.handles, new SyncError('DISCARDED', 'the client was cleared'))
  leaveCrew(engine)
  await boot(engine, store, crew.name || null, replica.state.identity.user)
}

export async function close(engine: Engine): Promise<void> {
  engine.deafen()
  try {
    await leave(engine)
  } finally {
    for (const handles of engine.shelves.values()) failHandles(handles, closedError())
  }
}

async function leave(engine: Engine): Promise<void> {
  await engine.disk.idle()
  engine.tidying()
  leaveCrew(engine)
  await engine.store.close()
  engine.exclusive?.release()
}
