// The browser's disk: IndexedDB. `_meta` (identity, and per entity its cursor), `_pending` (by `n`), `_optimistic` (what
// the screen shows of pending rows), and the rows: one store per entity, and `_pages` for those that are large, which is
// the matter of `idb-rows`.
// Every save is one short transaction: all its requests are made in one burst and it is committed by hand, so that a
// frozen tab does not hold it open.
import { sameCursor, SyncError } from '../core/index.ts'
import { readRows, writeRows } from './idb-rows.ts'
import type { Place } from './idb-rows.ts'
import { upgrade } from './idb-upgrade.ts'
import type { ClientStore, Held, Identity, Loaded, PendingRecord, Saving } from './store.ts'

/** The version of a fresh database. A page that needs more stores moves it on by one; `_meta` keeps saying 2. */
const freshVersion = 2
/** Another page may keep an older database open, or be frozen within its own upgrade. */
const openMs = 5_000

interface Handle {
  db: IDBDatabase | null
  entities: readonly string[]
  readonly name: string
  readonly after: After
  asked: boolean
}

export type Fold = (db: IDBDatabase, entities: readonly string[]) => Promise<boolean>
type After = (ms: number, run: () => void) => () => void
export interface Meta extends Omit<Held, 'rows'> {
  readonly place?: Place | undefined
}

/** `folding` loads `foldPages`; without it, large entities become slower with every change. */
export function indexedDBStore(name: string, after: After, folding?: () => Promise<Fold>): ClientStore {
  const handle: Handle = { db: null, entities: [], name, after, asked: false }
  return {
    kind: 'indexeddb',
    load(entities) {
      handle.entities = entities
      return attempt(handle, db => read(db, entities))
    },
    async save(work) {
      if (work.puts.length > 0 && !handle.asked) {
        handle.asked = true
        askToPersist()
      }
      await attempt(handle, db => write(db, work))
    },
    async tidy() {
      const fold = await folding?.()
      return fold !== undefined && attempt(handle, db => fold(db, handle.entities))
    },
    clear: () =>
      attempt(handle, db => {
        const names = [...db.objectStoreNames]
        const transaction = db.transaction(names, 'readwrite')
        for (const store of names) transaction.objectStore(store).clear()
        return done(transaction)
      }),
    async close() {
      handle.db?.close()
      handle.db = null
    },
  }
}

function askToPersist(): void {
  if (typeof navigator !== 'undefined') navigator.storage?.persist?.().catch(() => {})
}

/** `run` on the open database; once more where another page made us close it. */
async function attempt<T>(handle: Handle, run: (db: IDBDatabase) => Promise<T>): Promise<T> {
  try {
    handle.db ??= await openAll(handle)
    try {
      return await run(handle.db)
    } catch (error) {
      if (nameOf(error) !== 'InvalidStateError') throw error
      handle.db = await openAll(handle)
      return await run(handle.db)
    }
  } catch (cause) {
    if (cause instanceof SyncError) throw cause
    throw new SyncError(
      nameOf(cause) === 'QuotaExceededError' ? 'STORAGE_FULL' : 'STORAGE_FAILED',
      String(cause),
      { cause },
    )
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error || error instanceof DOMException ? error.name : ''
}

async function openAll(handle: Handle): Promise<IDBDatabase> {
  let db = await open(handle, freshVersion).catch((error: unknown) => {
    if (nameOf(error) !== 'VersionError') throw error
    return open(handle)
  })
  while (['_pages', ...handle.entities].some(store => !db.objectStoreNames.contains(store))) {
    db.close()
    db = await open(handle, db.version + 1)
  }
  const forget = (): void => {
    if (handle.db === db) handle.db = null
  }
  // another page upgrades, or the browser took the database away: let go, and open again when it is needed
  db.onversionchange = () => {
    forget()
    db.close()
  }
  db.onclose = forget
  return db
}

function open({ name, entities, after }: Handle, version?: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version)
    let late = false
    const cancel = after(openMs, () => {
      late = true
      reject(new SyncError('STORAGE_FAILED', 'another page keeps the database from being opened'))
    })
    request.onupgradeneeded = ({ oldVersion }) => {
      // nobody is in the way any more, and much data takes its time
      cancel()
      if (request.transaction !== null) upgrade(request.result, request.transaction, entities, oldVersion)
    }
    request.onerror = () => {
      cancel()
      reject(request.error)
    }
    request.onsuccess = () => {
      cancel()
      if (late) request.result.close()
      else resolve(request.result)
    }
  })
}

/** Resolves when the transaction is durable. */
export function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () =>
      reject(transaction.error ?? new SyncError('STORAGE_FAILED', 'another writer moved the cursor'))
  })
}

/** `_meta` is keyed by its own column, whatever the page that made the database called it. */
function metaKey(meta: IDBObjectStore): string {
  return typeof meta.keyPath === 'string' ? meta.keyPath : 'key'
}

export function putMeta(meta: IDBObjectStore, key: string, value: unknown): void {
  const record = { [metaKey(meta)]: key, value }
  if (meta.keyPath === null) meta.put(record, key)
  else meta.put(record)
}

export const entityKey = (entity: string): string => `entity:${entity}`

async function read(db: IDBDatabase, entities: readonly string[]): Promise<Loaded> {
  const transaction = db.transaction(['_meta', '_pending', '_pages', ...entities], 'readonly')
  // reason: the DOM types know nothing of what `write` stores
  const all = <T>(store: string) => transaction.objectStore(store).getAll() as IDBRequest<T[]>
  const meta = all<{ value: unknown } & Record<string, unknown>>('_meta')
  const pending = all<PendingRecord>('_pending')
  const reads = entities.map(entity => [entity, readRows(transaction, entity)] as const)
  // a finished transaction hands out no stores any more
  const key = metaKey(transaction.objectStore('_meta'))
  await done(transaction)
  const values = new Map(meta.result.map(record => [record[key], record.value]))
  const held = new Map<string, Held>()
  for (const [entity, rowsOf] of reads) {
    const rows = rowsOf()
    const known = values.get(entityKey(entity)) as Meta | undefined // reason: only `write` puts it there
    if (known !== undefined || rows.length > 0)
      held.set(entity, { cursor: null, marks: [], shape: null, ...known, rows })
  }
  const identity = (values.get('identity') as Identity | undefined) ?? null // reason: as above
  return { identity, entities: held, pending: pending.result }
}

async function write(db: IDBDatabase, work: Saving): Promise<void> {
  const { puts, removes, commits, overlays } = work
  const names = ['_meta', ...commits.flatMap(({ entity }) => [entity, '_pages'])]
  if (puts.length + removes.length > 0) names.push('_pending')
  if (overlays.length > 0) names.push('_optimistic')
  const transaction = db.transaction(names, 'readwrite', {
    durability: puts.length > 0 ? 'strict' : 'relaxed',
  })
  const finished = done(transaction)
  try {
    request(transaction, work)
  } catch (error) {
    // what cannot be cloned must not leave half a transaction behind
    finished.catch(() => {})
    transaction.abort()
    throw error
  }
  return finished
}

function request(transaction: IDBTransaction, { identity, puts, removes, commits, overlays }: Saving): void {
  const meta = transaction.objectStore('_meta')
  if (identity !== null) putMeta(meta, 'identity', identity)
  for (const record of puts) transaction.objectStore('_pending').put(record)
  for (const n of removes) transaction.objectStore('_pending').delete(n)
  for (const { entity, id, row } of overlays) {
    const store = transaction.objectStore('_optimistic')
    if (row === undefined) store.delete([entity, id])
    else store.put({ entity, entity_id: id, data: row, deleted: row === null })
  }
  const next = (i: number): void => {
    const commit = commits[i]
    if (commit === undefined) return transaction.commit()
    const request = meta.get(entityKey(commit.entity))
    request.onsuccess = () => {
      // the local fence: rows are written only on top of the cursor that they belong to
      const stored = request.result as { readonly value: Meta } | undefined // reason: only this puts it there
      if (!sameCursor(stored?.value.cursor ?? null, commit.from)) return transaction.abort()
      const { entity, cursor, marks, shape } = commit
      const place = writeRows(transaction, commit, stored?.value.place)
      putMeta(meta, entityKey(entity), { cursor, marks, shape, place } satisfies Meta)
      next(i + 1)
    }
  }
  next(0)
}
