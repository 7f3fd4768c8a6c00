// Which types are followed, and since when their rows are here. Neighbours: the client's public methods before it, the
// core client behind it, which follows and asks.
import { SyncError } from '../../core/index.ts'
import { follow, pull } from '../../client/index.ts'
import type { Engine, Patience } from '../../client/index.ts'
import type { Emitter } from './emitter.ts'
import type { DifferentialEvents } from './events.ts'
import { asReported } from './reported.ts'

export interface SubscriptionHost {
  readonly engine: Engine
  readonly patience: Patience
  connected(): boolean
  /** Tells of it, once. */
  fail(error: SyncError): SyncError
  /** With the subscription the server drops what else is asked about the type. */
  dropped(type: string): void
}

export class Subscriptions {
  readonly #host: SubscriptionHost
  readonly #events: Emitter<DifferentialEvents>
  /** Each with the promise of its rows, which all who subscribe share. */
  readonly #rows = new Map<string, Promise<void>>()
  /** Those whose rows are still to come. */
  readonly #begun = new Set<string>()

  constructor(host: SubscriptionHost, events: Emitter<DifferentialEvents>) {
    this.#host = host
    this.#events = events
  }

  get types(): string[] {
    return [...this.#rows.keys()]
  }

  /** The server is asked to follow it, and has not answered. */
  isBegun(type: string): boolean {
    return this.#begun.has(type)
  }

  /** One that comes back with its connection is subscribed all the while. */
  add(type: string): Promise<void> {
    const known = this.#rows.get(type)
    if (known !== undefined) return known
    // one that was given up while it waited must not take away, or tell of, the one after it
    const isMine = (): boolean => this.#rows.get(type) === rows
    this.#begun.add(type)
    const rows = this.#begin(type).then(
      () => {
        if (!isMine()) return
        this.#begun.delete(type)
        this.#events.emit('subscribed', { entityType: type })
      },
      (cause: unknown) => {
        if (isMine()) this.#end(type)
        throw this.#host.fail(asReported(cause, { entityType: type }))
      },
    )
    this.#rows.set(type, rows)
    return rows
  }

  async #begin(type: string): Promise<void> {
    const { engine, patience } = this.#host
    if (!this.#host.connected()) throw new SyncError('NOT_CONNECTED', 'connect before subscribing')
    follow(engine, type, true)
    await pull(engine, type, patience)
  }

  remove(type: string): void {
    if (this.#rows.has(type)) {
      this.#end(type)
      this.#events.emit('unsubscribed', { entityType: type })
    }
  }

  #end(type: string): void {
    this.#rows.delete(type)
    this.#begun.delete(type)
    this.#host.dropped(type)
    follow(this.#host.engine, type, false)
  }

  /** Of them nothing more is told. */
  clear(): void {
    for (const type of this.types) this.#end(type)
  }
}
