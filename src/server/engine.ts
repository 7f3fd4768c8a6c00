// The server's root: wires store, feeds, hubs, acceptor and routes, and decides nothing about sync.
import { SyncError } from '../core/index.ts'
import { Acceptor } from './accept.ts'
import type { SyncConfig, SyncOptions, Settings } from './config.ts'
import { readConfig } from './config.ts'
import type { BareDialect } from './bare.ts'
import { ByteBudget } from './budget.ts'
import { namesOf } from './conflicts.ts'
import { Connection } from './connection.ts'
import { Connections } from './connections.ts'
import type { Admitted } from './doorkeeper.ts'
import { Doorkeeper } from './doorkeeper.ts'
import type { EngineParts } from './engine-parts.ts'
import { Feed } from './feed.ts'
import { Gate } from './gate.ts'
import type { GateStats } from './gate.ts'
import { Headcount } from './headcount.ts'
import type { Form } from './hub.ts'
import { Hub } from './hub.ts'
import { Maintenance } from './maintenance.ts'
import { Meters } from './meter.ts'
import type { Peer } from './peer.ts'
import { beatMs } from './pulse.ts'
import { makeRoutes } from './routes.ts'
import type { SyncRoutes } from './routes.ts'
import { isSqliteHandle, sqliteStore } from './sqlite/index.ts'
import type { Identified, Sender, ServerStore, StoreStats } from './store.ts'
import { attachUpgrades } from './upgrade.ts'
import type { UpgradableServer } from './upgrade.ts'
import { anybody } from './user.ts'
import type { SignOut, User } from './user.ts'

export interface EngineStats extends StoreStats {
  readonly connections: number
  readonly subscribers: number
  /** Snapshots, catch-ups and repairs: how many are read, how many wait for their turn, and the most at once so far. */
  readonly catchUps: GateStats
  /** Bytes that wait for and from connections. */
  readonly buffered: number
  readonly head: number
  readonly horizon: number
  readonly entities: readonly string[]
}

const forms: readonly Form[] = ['canonical', 'plain', 'field', 'differential']

export class SyncEngine {
  readonly #settings: Settings
  readonly #store: ServerStore
  readonly #parts: EngineParts
  readonly #feeds: Readonly<Record<Form, Feed>>
  readonly #maintenance: Maintenance
  readonly #stops: (() => void)[] = []
  readonly #detach = new Set<() => void>()
  #cancelBeat: () => void = () => {}
  #routes: SyncRoutes | undefined
  #waking: Promise<void> | null = null
  #next: Promise<void> | null = null
  #closing: Promise<void> | null = null

  /**
   * Opens the log in the application's own database and starts to follow it. Rejects with a SyncError: INVALID_CONFIG,
   * UNKNOWN_TABLE, NO_PRIMARY_KEY, UNSUPPORTED_KEY, UNSUPPORTED_DRIVER, RESERVED_NAME, DATABASE_BUSY.
   */
  static async create(config: SyncOptions | SyncConfig): Promise<SyncEngine> {
    const settings = readConfig(config)
    const store = settings.store ?? openStore(settings)
    try {
      await store.open(settings.definitions)
      const engine = new SyncEngine(settings, store)
      await engine.#start()
      return engine
    } catch (error) {
      await store.close()
      throw error
    }
  }

  private constructor(settings: Settings, store: ServerStore) {
    const { env, log, limits } = settings
    this.#settings = settings
    this.#store = store
    const names = settings.definitions.map(definition => definition.name)
    const objects = new Feed(store, 'object', names)
    const values = new Feed(store, 'values', names)
    this.#feeds = { plain: objects, field: objects, canonical: values, differential: values }
    this.#maintenance = new Maintenance(store, env, log, settings.retentionMs)
    this.#parts = {
      env,
      log,
      limits,
      store,
      acceptor: new Acceptor(store, env, log, settings),
      hubs: {
        plain: new Hub(objects, 'plain'),
        field: new Hub(objects, 'field'),
        canonical: new Hub(this.#feeds.canonical, 'canonical'),
        differential: new Hub(this.#feeds.differential, 'differential'),
      },
      connections: new Connections(env),
      doorkeeper: new Doorkeeper(settings.authenticate, env, log),
      headcount: new Headcount(limits),
      meters: new Meters(limits, env),
      budget: new ByteBudget(limits.maxBufferedTotal),
      gate: new Gate(limits, env),
      listening: async form => void (this.#feeds[form].head ?? (await this.#feeds[form].advance())),
      wake: () => this.#wake(),
    }
  }

  async #start(): Promise<void> {
    const { log, bus, signOuts } = this.#settings
    this.#stops.push(
      this.#store.watch({
        wake: seq => this.#noticed(seq),
        schemaChanged: entities => this.#schemaChanged(entities),
        failed: error => log.error({ err: error }, 'syncline: the database cannot be followed; trying again'),
      }),
      bus.subscribe(() => void this.#wake()),
      this.#maintenance.start(),
    )
    if (signOuts !== undefined) this.#stops.push(signOuts(who => void this.signOut(who)))
    this.#stops.push(() => this.#cancelBeat())
    this.#beat()
  }

  #beat(): void {
    this.#cancelBeat = this.#settings.env.after(beatMs, () => {
      this.#checkLife()
      this.#beat()
    })
  }

  /** Reads what is new and hands it out. Calls during a run are answered by one more run. */
  #wake(): Promise<void> {
    if (this.#waking === null) return (this.#waking = this.#run())
    this.#next ??= this.#waking.then(() => {
      this.#next = null
      return (this.#waking = this.#run())
    })
    return this.#next
  }

  /** Most of what the store notices are our own commits, and whoever made one has flushed it. */
  #noticed(seq: number | undefined): void {
    this.#maintenance.noteWrites()
    const { hubs } = this.#parts
    const behind = (form: Form): boolean => hubs[form].size > 0 && this.#feeds[form].head?.seq !== seq
    if (seq === undefined || forms.some(behind)) void this.#wake()
  }

  async #run(): Promise<void> {
    try {
      this.#maintenance.noteWrites()
      for (const feed of new Set(Object.values(this.#feeds))) {
        const hubs = forms.flatMap(form => (this.#feeds[form] === feed ? this.#parts.hubs[form] : []))
        if (hubs.every(hub => hub.size === 0) || !(await feed.advance())) continue
        // also those who came while it was read
        for (const hub of hubs) if (hub.size > 0) hub.flush()
      }
    } catch (error) {
      this.#settings.log.warn({ err: error }, 'syncline: the log could not be read; trying again')
      this.#settings.env.after(250, () => void this.#wake())
    } finally {
      if (this.#next === null) this.#waking = null
    }
  }

  /** Its subscribers hold rows of another shape: they come back with their cursors and are healed. */
  #schemaChanged(entities: readonly string[]): void {
    this.#settings.log.info({ entities }, 'syncline: the schema changed')
    for (const feed of new Set(Object.values(this.#feeds))) feed.reset()
    for (const connection of this.#parts.connections) {
      if (entities.some(entity => connection.session.scopes.has(entity)))
        connection.close(1012, 'the schema changed', 0)
    }
    void this.#wake()
  }

  #checkLife(): void {
    for (const connection of this.#parts.connections) connection.beat()
    this.#parts.connections.beat()
    this.#parts.meters.beat()
  }

  /**
   * A connection of any kind: give its frames to what is returned. `again`: asks who it is from now and then. `dialect`:
   * how changes are told to it until it says `hello`. Throws CLOSED, and where there are too many, OVERLOADED or RATE_LIMITED.
   */
  connect(
    peer: Peer,
    user: User = anybody,
    again?: Admitted['again'],
    dialect: BareDialect = 'plain',
  ): Connection {
    if (this.#closing !== null) throw new SyncError('CLOSED', 'the engine is closed')
    const left = this.#parts.headcount.enter(user.id, peer.address)
    const connection = new Connection(this.#parts, peer, user, dialect)
    this.#parts.connections.add(connection, again, left)
    return connection
  }

  /** Closes the live connections of a user or of a sign-in (4401) at once; the number of them. */
  signOut(who: SignOut): number {
    this.#parts.doorkeeper.signedOut(who)
    return this.#parts.connections.signOut(who)
  }

  /** Node/Express middleware `(req, res, next)` that also carries `.fetch(request)`; foreign paths are passed on. */
  routes(): SyncRoutes {
    return (this.#routes ??= makeRoutes(this, this.#parts, this.#settings))
  }

  /** Lets WebSocket connections in on the sync paths of an HTTP server; the result undoes it. */
  attach(server: UpgradableServer): () => void {
    const routes = this.routes()
    const undo = attachUpgrades(server, (...upgrade) => routes.upgrade(...upgrade), this.#settings)
    this.#detach.add(undo)
    return () => {
      undo()
      this.#detach.delete(undo)
    }
  }

  /** Forgets superseded log entries and deletes older than `days`; resolves to how many. */
  cleanup(days: number): Promise<number> {
    return this.#maintenance.cleanup(days * 86_400_000)
  }

  async stats(): Promise<EngineStats> {
    const [stats, head] = await Promise.all([this.#store.stats(), this.#store.head()])
    return {
      ...stats,
      connections: this.#parts.connections.size,
      subscribers: forms.reduce((sum, form) => sum + this.#parts.hubs[form].size, 0),
      catchUps: this.#parts.gate.stats,
      buffered: this.#parts.budget.used,
      head: head.seq,
      horizon: head.horizon,
      entities: namesOf(this.#store),
    }
  }

  /** What the server remembers of a client. */
  identify(sender: Sender): Promise<Identified> {
    return this.#store.identify(sender)
  }

  /** Ends streams and sockets (1012), stores what was received, closes what the engine opened; never the app's handle. */
  close(): Promise<void> {
    return (this.#closing ??= this.#shutDown())
  }

  async #shutDown(): Promise<void> {
    for (const undo of this.#detach) undo()
    for (const stop of this.#stops) stop()
    const connections = [...this.#parts.connections]
    const drained = Promise.all(connections.map(connection => connection.settled()))
    await Promise.race([drained, new Promise<void>(resolve => this.#settings.env.after(3000, resolve))])
    const spread = Math.min(3000, connections.length * 2)
    for (const connection of connections)
      connection.close(1012, 'server restarting', Math.round(this.#settings.env.random() * spread))
    await this.#maintenance.settled()
    await this.#settings.bus.close()
    await this.#store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function openStore(settings: Settings): ServerStore {
  if (isSqliteHandle(settings.handle))
    return sqliteStore(settings.handle, { env: settings.env, log: settings.log })
  throw new SyncError(
    'UNSUPPORTED_DRIVER',
    'db must be an open DatabaseSync of node:sqlite or a better-sqlite3 Database',
  )
}

/** The same as `SyncEngine.create`. */
export const createSyncEngine = (config: SyncOptions | SyncConfig): Promise<SyncEngine> =>
  SyncEngine.create(config)
