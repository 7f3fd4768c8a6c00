// How many connections there are: of all, of an address, of a user. Counted from the first byte of an upgrade on, before
// anybody is asked who it is: what waits for that answer costs as much. Rule G3. Neighbours: upgrade and engine ask.
import { SyncError } from '../core/index.ts'
import type { ServerLimits } from './limits.ts'
import { anybody } from './user.ts'

/** Places come free when others leave, which nobody can foresee. */
const retryAfterMs = 10_000

export class Headcount {
  readonly #limits: ServerLimits
  readonly #addresses = new Map<string, number>()
  readonly #users = new Map<string, number>()
  #all = 0

  constructor(limits: ServerLimits) {
    this.#limits = limits
  }

  /** Somebody is at the door; the result is called when they are gone, or let in. Throws OVERLOADED, RATE_LIMITED. */
  arrive(address: string | undefined): () => void {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits
    if (this.#all >= maxConnections)
      throw new SyncError('OVERLOADED', 'there are too many connections', { retryAfterMs })
    const leave =
      address === undefined
        ? () => {}
        : enter(this.#addresses, address, maxConnectionsPerAddress, 'from this address')
    this.#all += 1
    return once(() => {
      this.#all -= 1
      leave()
    })
  }

  /** Somebody is let in. Throws as `arrive`. */
  enter(user: string, address: string | undefined): () => void {
    const leave = this.arrive(address)
    if (user === anybody.id) return leave
    try {
      const leaveUser = enter(this.#users, user, this.#limits.maxConnectionsPerUser, 'of this user')
      return once(() => {
        leave()
        leaveUser()
      })
    } catch (error) {
      leave()
      throw error
    }
  }
}

function enter(counts: Map<string, number>, key: string, max: number, whose: string): () => void {
  const count = counts.get(key) ?? 0
  if (count >= max)
    throw new SyncError('RATE_LIMITED', `there are too many connections ${whose}`, { retryAfterMs })
  counts.set(key, count + 1)
  return () => {
    const left = (counts.get(key) ?? 1) - 1
    if (left === 0) counts.delete(key)
    else counts.set(key, left)
  }
}

function once(run: () => void): () => void {
  let done = false
  return () => {
    if (!done) run()
    done = true
  }
}
