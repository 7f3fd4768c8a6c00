// Lets so many in at a time, and the others wait in order: what many clients want at once, after a restart, is done for
// some after the others instead of for all at the same slow pace. Rule G2. Neighbours: readings and pulls.
import { SyncError } from '../core/index.ts'
import type { ServerEnv } from './env.ts'
import type { ServerLimits } from './limits.ts'

/** Those who are sent away come back between these two. */
const retryMs = 1_000
const latestMs = 5_000

export interface GateStats {
  readonly now: number
  readonly waiting: number
  /** The most that there ever were at once. */
  readonly most: number
}

export class Gate {
  readonly #limits: ServerLimits
  readonly #env: ServerEnv
  readonly #waiting = new Map<Ticket, (inside: boolean) => void>()
  #now = 0
  #most = 0

  constructor(limits: ServerLimits, env: ServerEnv) {
    this.#limits = limits
    this.#env = env
  }

  get stats(): GateStats {
    return { now: this.#now, waiting: this.#waiting.size, most: this.#most }
  }

  /** Runs in a place of its own. `again`: was let in before, and is not sent away for others who came later. */
  async run<T>(work: () => Promise<T>, again: boolean): Promise<T> {
    const ticket = new Ticket(this)
    await ticket.enter(again)
    try {
      return await work()
    } finally {
      ticket.leave()
    }
  }

  // ---- for tickets

  get free(): boolean {
    return this.#now < this.#limits.maxCatchUps
  }

  take(): void {
    this.#now += 1
    this.#most = Math.max(this.#most, this.#now)
  }

  /** Throws OVERLOADED. */
  wait(ticket: Ticket, again: boolean, call: (inside: boolean) => void): void {
    if (!again && this.#waiting.size >= this.#limits.maxWaitingCatchUps) {
      throw new SyncError('OVERLOADED', 'too many clients are being caught up already; come back later', {
        retryAfterMs: Math.round(retryMs + this.#env.random() * (latestMs - retryMs)),
      })
    }
    this.#waiting.set(ticket, call)
  }

  /** Whoever has waited longest takes the place. */
  leave(): void {
    this.#now -= 1
    const [first] = this.#waiting
    if (first === undefined) return
    this.#waiting.delete(first[0])
    this.take()
    first[1](true)
  }

  giveUp(ticket: Ticket): void {
    const call = this.#waiting.get(ticket)
    this.#waiting.delete(ticket)
    call?.(false)
  }
}

/** A place that is taken and given back any number of times, by one reader. */
export class Ticket {
  readonly #gate: Gate
  #inside = false

  constructor(gate: Gate) {
    this.#gate = gate
  }

  /** Resolves to false where `leave` was called meanwhile; rejects OVERLOADED. */
  async enter(again = false): Promise<boolean> {
    const gate = this.#gate
    if (gate.free) {
      gate.take()
      return (this.#inside = true)
    }
    return new Promise(resolve => gate.wait(this, again, inside => resolve((this.#inside = inside))))
  }

  leave(): void {
    if (this.#inside) this.#gate.leave()
    else this.#gate.giveUp(this)
    this.#inside = false
  }
}
