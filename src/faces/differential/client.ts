// `DifferentialSyncClient`: the documented names over the one client. Wires and decides nothing: connection, queue, cursor
// and rows are the core's.
import { SyncError } from '../../core/index.ts'
import type { Cursor, Delta, SyncAnswer, VectorClock } from '../../core/index.ts'
import { bytesIn, closedError, follow, owe, Quality } from '../../client/index.ts'
import type { BareClient, Conflicts, Engine, Patience } from '../../client/index.ts'
import { Announcer } from './announce.ts'
import type { CodecHost } from './codec.ts'
import { Connecting } from './connection.ts'
import { makeCore, switchedEnv } from './core.ts'
import type { SwitchedEnv } from './core.ts'
import { debounced } from './debounce.ts'
import type { DebouncedUpdate } from './debounce.ts'
import { Emitter } from './emitter.ts'
import type { Listener } from './emitter.ts'
import type { DifferentialEvents } from './events.ts'
import { healthOf } from './health.ts'
import type { Figures, Health } from './health.ts'
import { LocalStates } from './local.ts'
import type { LocalState, StatePatch } from './local.ts'
import { readOptions } from './options.ts'
import type { DifferentialSyncClientOptions, Settings } from './options.ts'
import { asReported } from './reported.ts'
import { keptOf, Requests } from './requests.ts'
import { statsOf } from './status.ts'
import type { ConnectionStats, SyncStatus } from './status.ts'
import { Subscriptions } from './subscriptions.ts'

type Events = DifferentialEvents

export class DifferentialSyncClient {
  /** The whole client: typed writes, transactions, dead letters. */
  readonly client: BareClient
  /** What this user wrote and did not survive, to be settled; what the server refused is in it too. */
  readonly conflicts: Conflicts
  readonly #settings: Settings
  readonly #env: SwitchedEnv
  readonly #engine: Engine
  readonly #events: Emitter<Events>
  readonly #debug: (line: string, detail?: unknown) => void
  readonly #locals: LocalStates
  readonly #announcer: Announcer
  readonly #requests: Requests
  readonly #quality: Quality
  readonly #connecting: Connecting
  readonly #subscriptions: Subscriptions
  readonly #node: string
  readonly #waiting = new Set<DebouncedUpdate>()
  readonly #told = new WeakSet<SyncError>()
  #managed: (() => void)[] = []
  #cleanups: (() => void)[] = []
  #error: SyncError | null = null

  /** Throws INVALID_CONFIG. Nothing is connected before `connect()`. */
  constructor(options: DifferentialSyncClientOptions) {
    const settings = readOptions(options, warnOfEntityType)
    this.#settings = settings
    this.#debug = options.debug ?? ((): void => {})
    this.#env = switchedEnv(options.env, () => settings.autoReconnect || this.#connecting.connected)
    this.#node = `${settings.clientId}-${this.#env.unique().slice(0, 8)}`
    this.#quality = new Quality(this.#env, () => {
      if (settings.qualityMonitoring) this.#events.emit('quality:updated', this.#quality.metrics)
    })
    const core = makeCore(settings, options, this.#env, this.#quality, this.#codecHost())
    const { client, engine } = core
    this.#events = new Emitter<Events>(
      (error, event) => {
        if (event === 'error') this.#debug('a listener of errors threw', error)
        else this.#fail(asReported(error, { event }))
      },
      event => event === 'conflict' && core.watch(conflict => this.#events.emit('conflict', conflict)),
    )
    this.client = client
    this.conflicts = core.conflicts
    this.#engine = engine
    this.#locals = new LocalStates(client, settings.entityTypes, () => this.#env.now())
    const patience = { answerMs: settings.syncTimeout, policy: settings.retries }
    this.#requests = this.#makeRequests(patience)
    this.#subscriptions = new Subscriptions(
      {
        engine,
        patience,
        connected: () => this.#connecting.connected,
        fail: error => this.#fail(error),
        dropped: type => this.#requests.drop(type),
      },
      this.#events,
    )
    this.#announcer = new Announcer(this.#locals, this.#events, {
      clockOf: type => this.#clockOf(type),
      request: type => this.#requests.answering(type),
      respond: (request, deltas) => this.#requests.respond(request, deltas),
    })
    this.#connecting = new Connecting({
      client,
      env: this.#env,
      settings,
      events: this.#events,
      fail: error => this.#fail(error),
    })
    for (const type of settings.entityTypes) follow(engine, type, false)
    client.on('changed', change => {
      // records of conflicts are no state
      if (settings.entityTypes.includes(change.entity)) this.#announcer.note(change)
    })
    client.on('storage', detail => this.#events.emit('storage', detail))
    client.on('error', error => void this.#fail(asReported(error)))
    client.on('rejected', ({ n, writes, cause }) => {
      const [write] = writes
      this.#fail(asReported(cause, { n, entityType: write?.entity, entityId: write?.id }))
    })
  }

  #codecHost(): CodecHost {
    return {
      // an answer once would leave it unfollowed
      requested: type => (this.#subscriptions.isBegun(type) ? undefined : this.#requests.get(type)?.syncId),
      owed: (type, owed) => owe(this.#engine, type, owed),
      placeOf: type => keptOf(this.#engine, type)?.cursor ?? null,
      clockAt: cursor => this.#clockAt(cursor),
      lamport: () => {
        const { lamportCounter: counter, nodeId, timestamp } = this.getLastKnownVectorClock()
        return { counter, nodeId, timestamp }
      },
      quality: () => this.#quality.metrics,
      coming: () => {
        this.#announcer.flush()
        this.#requests.settle()
      },
      answered: (answer, text) => this.#answered(answer, text),
      malformed: error => void this.#fail(error),
      passedOver: text => this.#debug('a message for nobody here', text),
    }
  }

  #answered(answer: SyncAnswer, text: string): void {
    if (this.#requests.answered(answer, text)) this.#quality.tell(answer.qualityMetrics)
  }

  #makeRequests(patience: Patience): Requests {
    const { clientId, targetReduction } = this.#settings
    return new Requests(
      {
        engine: this.#engine,
        env: this.#env,
        clientId,
        patience,
        targetReduction,
        clockOf: type => this.#clockOf(type),
        quality: () => this.#quality.metrics,
        filled: deltas => this.#announcer.filled(deltas),
        sizeOf: deltas =>
          deltas.reduce((sum, { entityType, entityId }) => {
            const row = this.client.get(entityType, entityId)
            return sum + (row === undefined ? 0 : bytesIn(JSON.stringify(row)))
          }, 0),
      },
      this.#events,
    )
  }

  // ---- connection

  /**
   * Resolves when the server has welcomed this client. Rejects CONNECTION_TIMEOUT, CONNECTION_FAILED, AUTH_REQUIRED,
   * FORBIDDEN, CLOSED, which is told as `error` too; with `autoReconnect` it is tried again all the same.
   */
  connect(): Promise<void> {
    this.#env.listen(!this.#connecting.closed)
    return this.#connecting.connect()
  }

  /**
   * Ends the connection and all that hangs on it: timers, subscriptions, managed listeners, and, once, the cleanup
   * callbacks. Unsent changes stay, and so do plain listeners: `connect()` goes on with them.
   */
  async disconnect(): Promise<void> {
    for (const update of this.#waiting) update.flush()
    this.#env.listen(false)
    this.#connecting.disconnect()
    this.#subscriptions.clear()
    this.#announcer.flush()
    for (const stop of this.#managed.splice(0)) stop()
    for (const clean of this.#cleanups.splice(0)) {
      try {
        clean()
      } catch (error) {
        this.#fail(asReported(error))
      }
    }
  }

  /** `disconnect`, and gives the storage up; the client is of no use afterwards. */
  async close(): Promise<void> {
    const disconnected = this.disconnect()
    this.#connecting.close()
    await disconnected
    await this.client.close()
  }

  // ---- sync

  /** Live changes of a type, or of all. Resolves when they come; twice is fine. Rejects NOT_CONNECTED, SYNC_TIMEOUT, SYNC_OPERATION_ERROR. */
  async subscribe(entityType?: string): Promise<void> {
    await Promise.all(this.#typesOf(entityType).map(type => this.#subscriptions.add(type)))
  }

  /** No more live changes of it; what is here stays. */
  async unsubscribe(entityType?: string): Promise<void> {
    for (const type of this.#typesOf(entityType)) this.#subscriptions.remove(type)
  }

  /**
   * What changed since the last time, by whomever but this client. Rejects NOT_CONNECTED, SYNC_TIMEOUT,
   * SYNC_OPERATION_ERROR, which is told as `error` too.
   */
  async requestSync(entityType?: string): Promise<Delta[]> {
    const types = this.#typesOf(entityType)
    const all = await Promise.all(types.map(type => this.#request(type)))
    return all.flat()
  }

  async #request(type: string): Promise<Delta[]> {
    try {
      return await this.#requests.run(type)
    } catch (cause) {
      throw this.#fail(asReported(cause, { entityType: type }))
    }
  }

  // ---- state

  /**
   * Shown at once, sent with the next tick, kept while there is no connection. A plain object is a row by its id, created
   * or updated; null ends a row; any other value is a field of the type itself. Throws UNKNOWN_ENTITY, CLOSED;
   * SERIALIZATION_ERROR, when all other rows are written.
   */
  updateLocalState(state: StatePatch, entityType?: string): void {
    orThrow(this.#update([[this.#typeOf(entityType), state]]))
  }

  updateLocalStateBatch(
    updates: readonly { readonly entityType: string; readonly state: StatePatch }[],
  ): void {
    orThrow(this.#update(updates.map(({ entityType, state }) => [this.#typeOf(entityType), state])))
  }

  /** What could not be written, and why. */
  #update(updates: readonly (readonly [type: string, state: StatePatch])[]): unknown[] {
    if (this.#connecting.closed) return [closedError()]
    const failed = updates.flatMap(([type, state]) => this.#locals.write(type, state))
    this.#announcer.flush()
    return failed
  }

  /** Updates that follow each other within `ms` are made as one; `disconnect` makes what waits. */
  createDebouncedUpdate(ms: number): DebouncedUpdate {
    return debounced(
      ms,
      this.#waiting,
      (wait, run) => this.#env.after(wait, run),
      updates => {
        for (const error of this.#update(updates)) this.#fail(asReported(error))
      },
      type => this.#typeOf(type),
    )
  }

  /** Of a type, or of all by name. The same reference while nothing changed. */
  getLocalState(): { readonly [entityType: string]: LocalState }
  getLocalState(entityType: string): LocalState
  getLocalState(entityType?: string): LocalState | { readonly [entityType: string]: LocalState } {
    return entityType === undefined ? this.#locals.all() : this.#locals.get(this.#typeOf(entityType))
  }

  /** How far this client has what the server has: of a type, or the furthest of all. */
  getLastKnownVectorClock(entityType?: string): VectorClock {
    if (entityType !== undefined) return this.#clockOf(this.#typeOf(entityType))
    const clocks = this.#settings.entityTypes.map(type => this.#clockOf(type))
    const furthest = clocks.toSorted((a, b) => b.lamportCounter - a.lamportCounter)[0]
    return furthest ?? this.#clockAt(null)
  }

  #clockOf(type: string): VectorClock {
    return this.#clockAt(keptOf(this.#engine, type)?.cursor ?? null)
  }

  #clockAt(cursor: Cursor | null): VectorClock {
    const { clientId } = this.#settings
    const clock = { clientId, timestamp: this.#env.now(), nodeId: this.#node }
    if (cursor === null) return { ...clock, versions: new Map(), lamportCounter: 0 }
    return { ...clock, versions: new Map([[cursor.epoch, cursor.seq]]), lamportCounter: cursor.seq, cursor }
  }

  // ---- figures

  getSyncStatus(): SyncStatus {
    const figures = this.#figures()
    return {
      ...figures,
      isSubscribed: this.#subscriptions.types.length > 0,
      connectionHealth: healthOf(figures).status,
      lastSyncTime: this.#requests.lastSyncAt,
      reconnectAttempts: this.client.status().attempt,
      pendingChanges: this.client.status().pending,
      storage: this.client.status().storage,
      entityTypes: this.#settings.entityTypes,
      subscribedTypes: this.#subscriptions.types,
      error: this.#error,
    }
  }

  getHealthStatus(): Health {
    return healthOf(this.#figures())
  }

  #figures(): Figures {
    const { state } = this.client.status()
    const { qualityScore, latency } = this.#quality.metrics
    return {
      isConnected: this.#connecting.connected,
      isConnecting: state === 'connecting' || state === 'greeting',
      averageLatency: this.#requests.averageLatency || latency,
      sub100msSuccessRate: this.#requests.sub100msRate,
      qualityScore,
    }
  }

  getConnectionStats(): ConnectionStats {
    return statsOf(this.client, this.#quality, this.#connecting, this.#figures())
  }

  /** Forgets what was measured. */
  resetMetrics(): void {
    this.#requests.reset()
    this.#quality.reset()
  }

  // ---- listeners

  /** The result takes the listener away again. */
  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    return this.#events.add(event, listener)
  }

  once<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    return this.#events.add(event, listener, true)
  }

  off<K extends keyof Events>(event: K, listener: Listener<Events[K]>): void {
    this.#events.remove(event, listener)
  }

  /** A listener until `disconnect()`. */
  addManagedEventListener<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    const stop = this.#events.add(event, listener)
    this.#managed.push(stop)
    return stop
  }

  /** Called once, by the next `disconnect()`. */
  addCleanupCallback(callback: () => void): void {
    this.#cleanups.push(callback)
  }

  /** Each error is told of once, whoever hands it on. */
  #fail(error: SyncError): SyncError {
    this.#error = error
    if (this.#told.has(error)) return error
    this.#told.add(error)
    if (this.#events.count('error') === 0) this.#debug('an error that nobody listens to', error)
    this.#events.emit('error', error)
    return error
  }

  #typesOf(entityType: string | undefined): readonly string[] {
    return entityType === undefined ? this.#settings.entityTypes : [this.#typeOf(entityType)]
  }

  #typeOf(entityType: string | undefined): string {
    const { entityTypes } = this.#settings
    const [only, ...others] = entityTypes
    const type = entityType ?? (others.length === 0 ? only : undefined)
    if (type === undefined) throw new SyncError('INVALID_CONFIG', 'name the entityType: there are several')
    if (entityTypes.includes(type)) return type
    throw new SyncError('UNKNOWN_ENTITY', `'${type}' is not among this client's entityTypes`)
  }
}

function orThrow([error]: readonly unknown[]): void {
  if (error !== undefined) throw error
}

// reason: it is said to whoever reads the console while they change over
/* oxlint-disable no-console */
function warnOfEntityType(): void {
  console.warn('DifferentialSyncClient: `entityType` is deprecated, name it in `entityTypes`')
}
