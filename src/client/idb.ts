// The browser's disk: IndexedDB. `_meta` (identity, and per entity its cursor), `_pending` (by `n`), `_optimistic` (what
// the screen shows of pending rows), and the rows: one store per entity, and `_pages` for those that are large, which is
// the matter of `idb-rows`.
// Every save is one short transaction: all its requests are made in one burst and it is committed by hand, so that a
// frozen tab does not hold it open.
import { sameCursor, SyncError } from '../core/index.ts'
import { foldPages } from './idb-fold.ts'
import { readRows, writeRows } from './idb-rows.ts'
import type { Place } from './idb-rows.ts'
import { upgrade } from './idb-upgrade.ts'
import { claimed, fenced, merged, numbered, replaces, standsAs, taken } from './store.ts'
import type {
  Claimed,
  ClientStore,
  EntityCommit,
  Held,
  Identity,
  Loaded,
  PendingRecord,
  Saved,
  Saving,
  Standing,
  StoredRow,
} from './store.ts'

/** The version of a fresh database. A page that needs more stores moves it on by one; `_meta` keeps saying 2. */
const freshVersion = 2
/** Another page may keep an older database open, or be frozen within its own upgrade. */
const openMs = 5_000

interface Handle {
  db: IDBDatabase | null
  /** It has at least this one, as far as this page has heard. */
  version: number
  entities: readonly string[]
  readonly name: string
  readonly after: After
  asked: boolean
  /** Closed; or the browser took it away: what this page would put into another of its name belongs to nobody there. */
  gone: boolean
  /** Null: nothing of it is held yet, so the one in its place does as well. */
  onGone: (() => void) | null
}

type After = (ms: number, run: () => void) => () => void
export interface Meta extends Omit<Held, 'rows'> {
  readonly place?: Place | undefined
}

export function indexedDBStore(name: string, after: After): ClientStore {
  const handle: Handle = {
    db: null,
    version: freshVersion,
    entities: [],
    name,
    after,
    asked: false,
    gone: false,
    onGone: null,
  }
  return {
    kind: 'indexeddb',
    load(entities, known) {
      // whoever only looks for edits of other tabs names none
      if (entities.length > 0) handle.entities = entities
      return attempt(handle, db => read(db, entities, known))
    },
    claim: (fresh, from) => attempt(handle, db => claim(db, fresh, from)),
    async save(work) {
      if (work.news.length > 0 && !handle.asked) {
        handle.asked = true
        askToPersist()
      }
      return attempt(handle, db => write(db, work))
    },
    tidy: () => attempt(handle, db => foldPages(db, handle.entities)),
    clear: () =>
      attempt(handle, db => {
        const names = [...db.objectStoreNames]
        const transaction = db.transaction(names, 'readwrite')
        for (const store of names) transaction.objectStore(store).clear()
        return done(transaction)
      }),
    onGone(listener) {
      handle.onGone = listener
    },
    async close() {
      handle.db?.close()
      handle.db = null
      // whoever is late would open it again, and leave it open
      handle.gone = true
    },
  }
}

function askToPersist(): void {
  if (typeof navigator !== 'undefined') navigator.storage?.persist?.().catch(() => {})
}

/** `run` on the open database; once more where another page made us close it, or it lacks what is named by now. */
async function attempt<T>(handle: Handle, run: (db: IDBDatabase) => Promise<T>): Promise<T> {
  try {
    handle.db ??= await openAll(handle)
    try {
      return await run(handle.db)
    } catch (error) {
      if (!/^(InvalidState|NotFound)Error$/.test(nameOf(error))) throw error
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
  let db = await open(handle, handle.version).catch((error: unknown) => {
    if (nameOf(error) !== 'VersionError') throw error
    return open(handle)
  })
  while (['_pages', ...handle.entities].some(store => !db.objectStoreNames.contains(store))) {
    db.close()
    db = await open(handle, db.version + 1)
  }
  if (handle.gone) {
    db.close()
    throw taken
  }
  const forget = (): void => {
    if (handle.db === db) handle.db = null
  }
  // the browser takes it away, or somebody with its tools
  const gone = (): void => {
    forget()
    handle.gone = handle.onGone !== null
    handle.onGone?.()
  }
  db.onclose = gone
  // another page upgrades: let go, and open again when it is needed
  db.onversionchange = ({ newVersion }) => {
    db.close()
    if (newVersion === null) return gone()
    // asked for by its number: without one, Firefox may keep us waiting for half a minute
    handle.version = newVersion
    forget()
  }
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
    transaction.onabort = () => reject(transaction.error ?? reasons.get(transaction))
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

async function read(
  db: IDBDatabase,
  entities: readonly string[],
  known?: ReadonlyMap<string, Standing>,
): Promise<Loaded> {
  const transaction = db.transaction(['_meta', '_pending', '_pages', ...entities], 'readonly')
  // reason: the DOM types know nothing of what `write` stores
  const pending = transaction.objectStore('_pending').getAll() as IDBRequest<PendingRecord[]>
  const meta = transaction.objectStore('_meta')
  const asked = meta.get('identity')
  const held = new Map<string, Held>()
  const reads: [entity: string, stored: Meta | undefined, rowsOf: () => readonly StoredRow[]][] = []
  for (const entity of entities) {
    const request = meta.get(entityKey(entity))
    request.onsuccess = guarded(transaction, () => {
      const stored = metaIn(request)
      const isKnown = known !== undefined && standsAs(known.get(entity), stored)
      reads.push([entity, stored, isKnown ? () => [] : readRows(transaction, entity)])
    })
  }
  await done(transaction)
  for (const [entity, stored, rowsOf] of reads) {
    const rows = rowsOf()
    if (stored !== undefined || rows.length > 0)
      held.set(entity, { cursor: null, marks: [], shape: null, ...stored, rows })
  }
  return {
    identity: identityIn(asked) ?? null,
    entities: held,
    pending: pending.result,
  }
}

/** The one transaction in which a tab learns who it is, and maybe takes the lead. */
async function claim(db: IDBDatabase, fresh: Identity, from: number | null): Promise<Claimed> {
  const transaction = db.transaction('_meta', 'readwrite', { durability: 'strict' })
  const finished = done(transaction)
  const meta = transaction.objectStore('_meta')
  const request = meta.get('identity')
  let made = claimed(fresh, from)
  request.onsuccess = () => {
    made = claimed(identityIn(request) ?? fresh, from)
    putMeta(meta, 'identity', made.identity)
    transaction.commit()
  }
  await finished
  return made
}

async function write(db: IDBDatabase, work: Saving): Promise<Saved> {
  const { news, puts, removes, commits, overlays } = work
  const names = ['_meta', ...commits.flatMap(({ entity }) => [entity, '_pages'])]
  if (news.length + puts.length + removes.length > 0) names.push('_pending')
  if (overlays.length > 0) names.push('_optimistic')
  const transaction = db.transaction(names, 'readwrite', {
    durability: news.length + puts.length > 0 ? 'strict' : 'relaxed',
  })
  const saved = request(transaction, work)
  await done(transaction)
  return saved()
}

/** All requests of a save; what is stored is read once it is done. */
function request(transaction: IDBTransaction, work: Saving): () => Saved {
  const { news, puts, removes, commits, overlays, lead, known } = work
  const meta = transaction.objectStore('_meta')
  const asked = meta.get('identity')
  let first = 0
  let others: IDBRequest<PendingRecord[]> | undefined
  asked.onsuccess = guarded(transaction, () => {
    let identity = merged(identityIn(asked) ?? null, work)
    if (lead !== null && lead !== (identity?.lead ?? 0)) throw fenced()
    // it was emptied and is not known to be: numbers would begin anew, and be taken for repetitions
    if (identity === null && news.length > 0) throw taken
    first = (identity?.n ?? 0) + 1
    if (identity !== null) identity = { ...identity, n: first + news.length - 1 }
    if (identity !== null && (news.length > 0 || work.identity !== null)) putMeta(meta, 'identity', identity)
    if (news.length + puts.length + removes.length === 0) return commitAll(transaction, meta, commits)
    const pending = transaction.objectStore('_pending')
    // the usual case: nobody else has been given a number that is not known here
    if (news.length > 0 && first > known + 1) others = pending.getAll(IDBKeyRange.lowerBound(known, true))
    for (const [i, record] of news.entries()) pending.put(numbered(record, first + i))
    for (const n of removes) pending.delete(n)
    if (puts.length === 0) return commitAll(transaction, meta, commits)
    const held = pending.getAll()
    held.onsuccess = guarded(transaction, () => {
      // reason: only this function puts records there
      const stored = new Map((held.result as PendingRecord[]).map(record => [record.n, record]))
      for (const record of puts) if (replaces(record, stored.get(record.n))) pending.put(record)
      commitAll(transaction, meta, commits)
    })
  })
  // does not depend on who we are, so it goes while that is on its way
  guarded(transaction, () => {
    for (const { entity, id, row } of overlays) {
      const store = transaction.objectStore('_optimistic')
      if (row === undefined) store.delete([entity, id])
      else store.put({ entity, entity_id: id, data: row, deleted: row === null })
    }
  })()
  return () => ({ first, others: others?.result ?? [] })
}

function commitAll(
  transaction: IDBTransaction,
  meta: IDBObjectStore,
  [commit, ...rest]: readonly EntityCommit[],
): void {
  if (commit === undefined) return transaction.commit()
  const request = meta.get(entityKey(commit.entity))
  request.onsuccess = guarded(transaction, () => {
    const stored = metaIn(request)
    // the local fence: rows are written only on top of the cursor that they belong to
    if (!sameCursor(stored?.cursor ?? null, commit.from))
      throw new SyncError('STORAGE_FAILED', 'another writer moved the cursor')
    const { entity, cursor, marks, shape } = commit
    const place = writeRows(transaction, commit, stored?.place)
    putMeta(meta, entityKey(entity), { cursor, marks, shape, place } satisfies Meta)
    commitAll(transaction, meta, rest)
  })
}

/** What `run` throws ends the transaction, of which nothing is stored, and is what its end is rejected with. */
function guarded(transaction: IDBTransaction, run: () => void): () => void {
  return () => {
    try {
      run()
    } catch (error) {
      reasons.set(transaction, error)
      transaction.abort()
    }
  }
}

const reasons = new WeakMap<IDBTransaction, unknown>()

// reason: `putMeta` puts them there, and nothing else
const identityIn = (request: IDBRequest) => (request.result as { value: Identity } | undefined)?.value
const metaIn = (request: IDBRequest) => (request.result as { value: Meta } | undefined)?.value // reason: as above
