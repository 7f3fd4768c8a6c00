// How much a connection, and its user, may ask and write: a token bucket each for either class of messages. Rule G1.
// Neighbours: connections and routes ask before they do anything; a sign of life costs nothing.
import { SyncError } from '../core/index.ts'
import { TokenBucket } from './bucket.ts'
import type { ServerEnv } from './env.ts'
import type { Rate, ServerLimits } from './limits.ts'
import type { Message } from './session.ts'
import { anybody } from './user.ts'

export type MessageClass = 'control' | 'data'

/** Null: costs nothing. A heartbeat that were refused would cost the connection; what is given up only helps. */
export const classOf: Readonly<Record<Message['type'], MessageClass | null>> = {
  hello: 'control',
  subscribe: 'control',
  listen: 'control',
  pull: 'control',
  reconcile: 'control',
  unsubscribe: 'control',
  mutate: 'data',
  push: 'data',
  pushFields: 'data',
  ping: null,
  'sync:request': 'control',
  'sync:subscribe': 'control',
  'sync:unsubscribe': 'control',
  'sync:delta': 'data',
  'sync:ping': null,
}

type Buckets = Readonly<Record<MessageClass, TokenBucket>>

export class Meter {
  readonly #all: readonly Buckets[]
  readonly #env: ServerEnv
  #waiting = false

  constructor(all: readonly Buckets[], env: ServerEnv) {
    this.#all = all
    this.#env = env
  }

  /** Milliseconds until it may; 0: it may. */
  wait(kind: MessageClass): number {
    const now = this.#env.now()
    return Math.max(0, ...this.#all.map(buckets => buckets[kind].wait(now)))
  }

  /** Throws RATE_LIMITED where there is nothing left. */
  charge(kind: MessageClass, cost = 1): void {
    const wait = this.wait(kind)
    if (wait > 0) {
      const what = kind === 'data' ? 'changes' : 'requests'
      throw new SyncError('RATE_LIMITED', `too many ${what} at once; come back in ${wait} ms`, {
        retryAfterMs: wait,
      })
    }
    this.take(kind, cost)
  }

  /**
   * A connection that asks too much is answered later, not refused: a repair that is refused in its middle would begin
   * anew, again and again. Resolves at once where `wanted` says that nothing is to be waited for.
   */
  async turn(wanted: () => boolean): Promise<void> {
    for (let ms = this.wait('control'); ms > 0 && wanted(); ms = this.wait('control')) {
      this.#waiting = true
      await new Promise<void>(resolve => this.#env.after(ms, resolve))
    }
    this.#waiting = false
    this.take('control')
  }

  /** Somebody waits for their turn. */
  get waits(): boolean {
    return this.#waiting
  }

  take(kind: MessageClass, cost = 1): void {
    for (const buckets of this.#all) buckets[kind].take(cost, this.#env.now())
  }
}

export class Meters {
  readonly #limits: ServerLimits
  readonly #env: ServerEnv
  readonly #users = new Map<string, Buckets>()

  constructor(limits: ServerLimits, env: ServerEnv) {
    this.#limits = limits
    this.#env = env
  }

  /** For a connection: its own buckets and its user's. */
  connection(user: string): Meter {
    const { controlRate, dataRate } = this.#limits
    return new Meter([this.#buckets(controlRate, dataRate), ...this.#ofUser(user)], this.#env)
  }

  /** For requests that have no connection. */
  user(user: string): Meter {
    return new Meter(this.#ofUser(user), this.#env)
  }

  /** Forgets users who have not asked for anything for so long that nothing is known of them. */
  beat(): void {
    const now = this.#env.now()
    for (const [user, { control, data }] of this.#users)
      if (control.full(now) && data.full(now)) this.#users.delete(user)
  }

  get size(): number {
    return this.#users.size
  }

  /** Where nobody is asked who they are, everybody would share one. */
  #ofUser(user: string): Buckets[] {
    if (user === anybody.id) return []
    let buckets = this.#users.get(user)
    if (buckets === undefined) {
      const { userControlRate, userDataRate } = this.#limits
      buckets = this.#buckets(userControlRate, userDataRate)
      this.#users.set(user, buckets)
    }
    return [buckets]
  }

  #buckets(control: Rate, data: Rate): Buckets {
    const now = this.#env.now()
    return { control: new TokenBucket(control, now), data: new TokenBucket(data, now) }
  }
}
