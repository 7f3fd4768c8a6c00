// The SQLite store: composition of its parts, one method per question of the port. Decides nothing itself.
import { SyncError } from '../../core/index.ts'
import type { Cursor, CursorState, EntityDefinition, Equality } from '../../core/index.ts'
import type { Logger, ServerEnv } from '../env.ts'
import type {
  Accepted,
  Changes,
  Decide,
  EntityInfo,
  Head,
  Identified,
  LookedUp,
  Prepared,
  Ranking,
  Sender,
  ServerStore,
  SnapshotPage,
  StoreStats,
} from '../store.ts'
import { acceptSome } from './accept.ts'
import { Access, Occupied } from './access.ts'
import { forgetOthers, forgetSome, horizonFor } from './cleanup.ts'
import { clientKey, countClients, Owners, readClient, touchClient } from './clients.ts'
import { integer, isSqliteHandle, unsupportedDriver } from './driver.ts'
import type { Connection, SqliteHandle } from './driver.ts'
import { Catalog } from './entity.ts'
import { isBusy, sqliteCode, storeError, textOf } from './failure.ts'
import { foldBatch, foldedTo } from './fold.ts'
import { installAll } from './install.ts'
import { Overlay } from './overlay.ts'
import { readOrdered, readPlaces, readSnapshot } from './pages.ts'
import type { OrderedQuery, PageQuery } from './pages.ts'
import { readChanges, readHead, readRows, readStandings } from './read.ts'
import type { ChangesQuery } from './read.ts'
import { Behind, maxUnfolded, Poisoned, Surprised } from './request.ts'
import type { AcceptRequest } from './request.ts'
import { installTables } from './schema.ts'
import { checkAt, tailHead } from './tail.ts'
import { dropLease, leaseRenewal, renewLease } from './uninstall.ts'
import { Watcher } from './watcher.ts'

export interface SqliteStoreOptions {
  readonly env: ServerEnv
  readonly log?: Logger | undefined
  /** Called on every connection that the store opens: functions and collations that the schema needs, pragmas. */
  readonly configure?: ((handle: SqliteHandle) => void) | undefined
}

/** Entries that a page over a whole table may have to lay over its rows. */
const pageBacklog = 500

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** A store over an open `DatabaseSync` (node:sqlite) or better-sqlite3 `Database`. Throws UNSUPPORTED_DRIVER. */
export function sqliteStore(handle: SqliteHandle, options: SqliteStoreOptions): ServerStore {
  if (!isSqliteHandle(handle)) throw unsupportedDriver()
  return new SqliteStore(handle, options)
}

type Watching = Parameters<ServerStore['watch']>[0]

class SqliteStore implements ServerStore {
  readonly #env: ServerEnv
  readonly #log: Logger
  readonly #access: Access
  readonly #catalog = new Catalog()
  readonly #overlay = new Overlay()
  readonly #owners = new Owners()
  readonly #engine: string
  #watcher: Watcher | null = null
  #cancelLease = (): void => {}

  constructor(handle: SqliteHandle, { env, log, configure }: SqliteStoreOptions) {
    this.#env = env
    this.#log = log ?? silent
    this.#access = new Access(handle, env, configure)
    this.#engine = env.secret(8)
  }

  get entities(): ReadonlyMap<string, EntityInfo> {
    return this.#catalog.infos
  }

  async open(definitions: readonly EntityDefinition[]): Promise<void> {
    await this.#access.write(db => {
      const nowMs = this.#env.now()
      installTables(db, () => this.#env.secret(16), nowMs)
      installAll({ db, catalog: this.#catalog, definitions, engine: this.#engine, log: this.#log, nowMs })
      renewLease(db, this.#engine, nowMs)
    })
    await this.#switchToWal()
    this.#watcher = new Watcher({
      access: this.#access,
      env: this.#env,
      log: this.#log,
      catalog: this.#catalog,
      definitions,
      engine: this.#engine,
      renewed: () => this.#overlay.clear(),
    })
    this.#keepLease()
  }

  /** Readers and writers of a file wait for each other without it. */
  async #switchToWal(): Promise<void> {
    const { path, writer } = this.#access
    if (path === null) return
    try {
      if (writer.value('PRAGMA journal_mode') === 'wal') return
      const mode = writer.value('PRAGMA journal_mode = WAL')
      if (mode === 'wal')
        this.#log.info(
          { path },
          'syncline: switched the database to WAL, so that readers and writers do not wait for each other',
        )
      else
        this.#log.warn(
          { path, mode },
          'syncline: the database cannot use WAL here; readers and writers will wait for each other',
        )
    } catch (error) {
      this.#log.warn({ path, err: error }, 'syncline: could not switch the database to WAL')
    }
  }

  #keepLease(): void {
    this.#cancelLease = this.#env.after(leaseRenewal, () => {
      this.#access
        .write(db => renewLease(db, this.#engine, this.#env.now()))
        .catch((error: unknown) => this.#log.debug({ err: error }, 'syncline: could not renew the lease'))
        .finally(() => {
          if (!this.#access.closed) this.#keepLease()
        })
    })
  }

  head(): Promise<Head> {
    return this.#access.read(readHead)
  }

  verify(cursors: readonly Cursor[]): Promise<CursorState[]> {
    return this.#access.read(db => {
      const head = readHead(db)
      return cursors.map(cursor => stateOf(db, head, cursor))
    })
  }

  changes(query: ChangesQuery): Promise<Changes> {
    return this.#access.read(db => readChanges(db, this.#catalog, query))
  }

  async snapshot(query: PageQuery): Promise<SnapshotPage> {
    await this.#catchUp(pageBacklog)
    return this.#access.read(db => readSnapshot(db, this.#catalog, query))
  }

  ordered(query: OrderedQuery): Promise<Ranking> {
    return this.#access.read(db => readOrdered(db, this.#catalog, query))
  }

  async rowsAbove(query: {
    readonly entity: string
    readonly above: number
    readonly after: string | null
    readonly limit: number
    readonly where?: readonly Equality[]
  }): Promise<SnapshotPage> {
    const { entity, above, after, limit } = query
    if (above < 0) return this.snapshot({ ...query, form: 'values' })
    return this.#access.read(db => {
      this.#catalog.get(entity)
      const from = after === null ? above : Number(after)
      const page = readChanges(db, this.#catalog, { entities: [entity], after: from, limit, form: 'values' })
      const rows = page.rows.flatMap(({ id, seq, json, idJson, reading, temporary }) =>
        json === null ? [] : [{ id, seq, json, idJson, reading, temporary }],
      )
      const { epoch, seq, check } = readHead(db)
      return { rows, next: page.more ? String(page.to.seq) : null, head: { epoch, seq, check } }
    })
  }

  async places(query: {
    readonly entity: string
    readonly after: string | null
    readonly limit: number
  }): ReturnType<ServerStore['places']> {
    await this.#catchUp(pageBacklog)
    return this.#access.read(db => readPlaces(db, this.#catalog, query))
  }

  rowsById(entity: string, ids: readonly string[]): Promise<SnapshotPage['rows']> {
    return this.#access.read(db => readRows(db, this.#catalog, this.#overlay, entity, ids))
  }

  look(entity: string, ids: readonly string[], sender?: Sender): Promise<LookedUp[]> {
    const key = sender === undefined ? null : clientKey(sender)
    return this.#access.read(db => readStandings(db, this.#catalog, this.#overlay, { entity, ids, key }))
  }

  async identify(sender: Sender): Promise<Identified> {
    if (sender.client === null) return { last: 0, lead: 0 }
    const key = clientKey(sender)
    const known = await this.#access.read(db => readClient(db, key))
    const { lead } = sender
    if (lead === null || lead <= known.lead) return known
    // a lead lost in a power cut fences nobody wrongly: whoever leads says hello again
    return this.#access.note(db => {
      const now = readClient(db, key)
      const noted = { last: now.last, lead: Math.max(lead, now.lead) }
      touchClient(db, key, noted, 0, this.#env.now())
      return noted
    })
  }

  async accept(
    sender: Sender,
    mutations: readonly Prepared[],
    decide: Decide,
    acked: number,
  ): Promise<Accepted[]> {
    const accepted: Accepted[] = []
    let poison: AcceptRequest['poison'] = null
    // one at a time, where a constraint fails only at COMMIT and nobody says whose fault it is
    let one = false
    while (accepted.length < mutations.length || mutations.length === 0) {
      const rest: readonly Prepared[] = mutations.slice(
        accepted.length,
        one ? accepted.length + 1 : undefined,
      )
      const request: AcceptRequest = {
        sender,
        mutations: rest,
        decide,
        acked,
        nowMs: this.#env.now(),
        owners: this.#owners,
        poison,
      }
      try {
        if (this.#overlay.size > foldBatch * 4) await this.fold()
        const { accepted: some } = await this.#access.write(
          db => acceptSome(db, this.#catalog, this.#overlay, request),
          done => done.committed(),
        )
        accepted.push(...some)
        poison = null
        if (mutations.length === 0 || some.at(-1)?.kind !== 'result') return accepted
      } catch (error) {
        if (error instanceof Behind) await this.#catchUp(maxUnfolded)
        else if (error instanceof Poisoned) poison = { index: error.index, message: error.message }
        else if (error instanceof Surprised)
          for (const entity of error.entities) this.#catalog.surprising.add(entity)
        else if (failedAtCommit(error)) {
          if (one) poison = { index: 0, message: textOf(error) }
          one = true
        } else throw error
      }
    }
    return accepted
  }

  async fold(): Promise<boolean> {
    try {
      // most wake-ups find nothing, and looking needs no write lock
      if (this.#access.readNow(db => tailHead(db).seq === foldedTo(db))) return false
      const more = this.#access.noteNow(db => {
        const all = this.#overlay.advance(db, this.#catalog, foldBatch)
        this.#overlay.flush(db)
        return !all
      })
      this.#overlay.flushed()
      return more
    } catch (error) {
      if (!isBusy(error) && !(error instanceof Occupied)) throw storeError(error)
      // whoever asks again at once must not spin while another writer holds the lock
      await this.#access.pause(2)
      return true
    }
  }

  /** Folds until little is left; gives up on a database that stays locked, since readers do without. */
  async #catchUp(enough: number): Promise<void> {
    const deadline = this.#env.now() + 2_000
    let left = Infinity
    for (;;) {
      const backlog = await this.#access.read(db => tailHead(db).seq - foldedTo(db))
      if (backlog <= enough || (backlog >= left && this.#env.now() > deadline)) return
      await this.fold()
      await this.#access.pause(backlog >= left ? 5 : 0)
      left = backlog
    }
  }

  async cleanup(beforeMs: number): Promise<number> {
    let total = 0
    await this.#catchUp(0)
    const horizon = await this.#access.read(db => horizonFor(db, beforeMs))
    for (;;) {
      const { forgotten, more } = await this.#access.write(db => forgetSome(db, horizon))
      total += forgotten
      if (!more) break
      await this.#access.pause(0)
    }
    await this.#access.write(db => forgetOthers(db, beforeMs, this.#env.now()))
    return total
  }

  watch(listener: Watching): () => void {
    if (this.#watcher === null) throw new SyncError('CLOSED', 'open the store before watching it')
    return this.#watcher.watch(listener)
  }

  stats(): Promise<StoreStats> {
    return this.#access.read(db => {
      const count = (table: string): number => integer(db.value(`SELECT count(*) FROM _syncline_${table}`))
      return {
        tail: count('tail'),
        rows: count('rows'),
        gone: count('gone'),
        folded: foldedTo(db),
        clients: countClients(db),
      }
    })
  }

  async close(): Promise<void> {
    if (this.#access.closed) return
    this.#cancelLease()
    this.#watcher?.close()
    try {
      this.#access.writeNow(db => dropLease(db, this.#engine))
    } catch (error) {
      this.#log.debug({ err: error }, 'syncline: could not give up the lease; it ends by itself')
    }
    this.#access.close()
  }
}

function failedAtCommit(error: unknown): boolean {
  return error instanceof SyncError && sqliteCode(error.cause) === 'CONSTRAINT'
}

function stateOf(db: Connection, head: Head, cursor: Cursor): CursorState {
  if (cursor.epoch !== head.epoch || cursor.seq > head.seq) return 'off'
  if (cursor.seq < head.horizon) return 'old'
  if (cursor.seq === 0) return 'here'
  const check = checkAt(db, cursor.seq)
  if (check === null) return 'old'
  return check === cursor.check ? 'here' : 'off'
}
