// A server process of the world: an engine over a store that takes its time, and dies between any two of its steps.
import type { EntityDefinition } from '../core/index.ts'
import { SyncError } from '../core/index.ts'
import { SyncEngine } from '../server/index.ts'
import type { Logger, Peer, PeerEvents, ServerEnv, ServerLimits, ServerStore, User } from '../server/index.ts'
import type { ServerEnd } from './network.ts'
import type { Random } from './random.ts'
import { skewedClock, timersOf } from './time.ts'
import type { Clock, VirtualTime } from './time.ts'
import type { WorldDatabase } from './world-database.ts'

export interface ServerFaults {
  /** Probability that an accept finds the database busy. */
  busy: number
}

export interface ServerParts {
  readonly time: VirtualTime
  readonly random: Random
  readonly database: WorldDatabase
  readonly entities: () => EntityDefinition[]
  readonly faults: ServerFaults
  readonly limits: Partial<ServerLimits>
  /** Rows that a store gives at once, at most. */
  readonly pageRows: number
  /** Errors that the engine only logged. */
  readonly complaints: string[]
}

/** One machine: its clock outlives its processes. */
export class WorldServer implements ServerEnd {
  readonly clock: Clock
  readonly #parts: ServerParts
  #process: Process | null = null

  constructor(parts: ServerParts) {
    this.#parts = parts
    const { time, random } = parts
    this.clock = skewedClock(time, random.between(-20_000, 20_000), 1 + (random.next() - 0.5) / 500)
  }

  get running(): boolean {
    return this.#process?.engine != null
  }

  start(): void {
    this.#process ??= new Process(this.#parts, this.clock)
  }

  /** `kill -9`: what was committed stays, everything else is gone. */
  kill(): void {
    this.#process?.kill()
    this.#process = null
  }

  /** An orderly stop, as at a deploy. */
  stop(): void {
    this.#process?.stop()
    this.#process = null
  }

  connect(peer: Peer, user?: User, dialect: 'plain' | 'field' = 'plain'): PeerEvents {
    const engine = this.#process?.engine
    if (engine == null) throw new SyncError('CLOSED', 'nobody is there')
    return engine.connect(peer, user, undefined, dialect)
  }

  /** The engine of the running process. */
  get engine(): SyncEngine | null {
    return this.#process?.engine ?? null
  }
}

class Process {
  engine: SyncEngine | null = null
  readonly #timers: ReturnType<typeof timersOf>
  readonly #store: ServerStore
  #alive = true

  constructor(parts: ServerParts, clock: Clock) {
    const { time, random, database } = parts
    this.#timers = timersOf(time)
    const env: ServerEnv = {
      now: () => clock.now(),
      random: () => random.next(),
      after: (ms, run) => this.#timers.after(ms, run),
      // not at once: who waits for something by asking again and again would stop time
      soon: run => this.#timers.after(0.1, run),
      secret: bytes => random.hex(bytes * 2),
    }
    const store = database.store(env)
    this.#store = store
    const slow = slowStore(store, parts.pageRows, call => this.#wait(parts, call))
    const options = {
      store: slow,
      entities: parts.entities(),
      env,
      logger: complaining(parts, () => this.#alive),
      retentionDays: 0,
      limits: parts.limits,
    } as const
    SyncEngine.create(options).then(
      engine => {
        if (this.#alive) this.engine = engine
      },
      (error: unknown) => {
        if (this.#alive) parts.complaints.push(`the engine did not start: ${String(error)}`)
      },
    )
  }

  /** Before and after each call; never returns to a dead process. */
  async #wait({ time, random, faults }: ServerParts, call: string): Promise<void> {
    if (random.chance(0.7)) await time.sleep(random.between(0, 12))
    if (!this.#alive) await new Promise(() => {})
    if (call === 'accept' && random.chance(faults.busy))
      throw new SyncError('DATABASE_BUSY', 'the world keeps it busy')
  }

  kill(): void {
    this.#alive = false
    this.#timers.stop()
    this.engine = null
    void this.#store.close()
  }

  stop(): void {
    const engine = this.engine
    this.engine = null
    if (engine === null) return this.kill()
    void engine.close().finally(() => {
      this.#alive = false
      this.#timers.stop()
    })
  }
}

/** The store behind a wait before and after each call that answers with a promise. */
function slowStore(store: ServerStore, pageRows: number, wait: (call: string) => Promise<void>): ServerStore {
  const few = <Q extends { readonly limit: number }>(query: Q): Q => ({
    ...query,
    limit: Math.min(query.limit, pageRows),
  })
  const slow =
    <A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      await wait(name)
      const result = await call(...args)
      await wait(`${name} done`)
      return result
    }
  return {
    get entities() {
      return store.entities
    },
    open: slow('open', definitions => store.open(definitions)),
    head: slow('head', () => store.head()),
    verify: slow('verify', cursors => store.verify(cursors)),
    changes: slow('changes', query => store.changes(few(query))),
    snapshot: slow('snapshot', query => store.snapshot(few(query))),
    ordered: slow('ordered', query => store.ordered(query)),
    rowsAbove: slow('rowsAbove', query => store.rowsAbove(few(query))),
    places: slow('places', query => store.places(few(query))),
    rowsById: slow('rowsById', (entity, ids) => store.rowsById(entity, ids)),
    look: slow('look', (entity, ids, sender) => store.look(entity, ids, sender)),
    identify: slow('identify', sender => store.identify(sender)),
    accept: slow('accept', (sender, mutations, decide, acked) =>
      store.accept(sender, mutations, decide, acked),
    ),
    fold: slow('fold', () => store.fold()),
    cleanup: slow('cleanup', beforeMs => store.cleanup(beforeMs)),
    stats: slow('stats', () => store.stats()),
    watch: listener => store.watch(listener),
    close: () => store.close(),
  }
}

function complaining({ complaints }: ServerParts, alive: () => boolean): Logger {
  const quiet = (): void => {}
  const error = (details: object, message: string): void => {
    if (alive())
      complaints.push(`${message} ${'err' in details ? String(details.err) : JSON.stringify(details)}`)
  }
  return { debug: quiet, info: quiet, warn: quiet, error }
}
