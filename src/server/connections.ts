// The connections of an engine, found by user and by sign-in, and whether those who made them are still who they were:
// each is asked about again within a minute and when its user expires. Rules A4 to A6. Neighbour: the doorkeeper, who asks.
import { isDeepStrictEqual } from 'node:util'
import { SyncError } from '../core/index.ts'
import type { CloseCode } from '../core/index.ts'
import type { Connection } from './connection.ts'
import type { Admitted } from './doorkeeper.ts'
import type { ServerEnv } from './env.ts'
import { beatMs } from './pulse.ts'
import { expiryOf } from './user.ts'
import type { SignOut, User } from './user.ts'

/** Asked again at the first beat after so long, not all in one: thousands may have come back in the same second. */
const againMs = 40_000
const spreadMs = 15_000
const maxFailures = 3

interface Entry {
  readonly again: Admitted['again']
  dueAt: number
  failures: number
  asking: boolean
  /** Ends the wait for the end of its user. */
  cancel: () => void
  /** Its place is free again. */
  readonly left: () => void
}

export class Connections implements Iterable<Connection> {
  readonly #env: ServerEnv
  readonly #entries = new Map<Connection, Entry>()
  readonly #byName = new Map<string, Set<Connection>>()

  constructor(env: ServerEnv) {
    this.#env = env
  }

  get size(): number {
    return this.#entries.size
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#entries.keys()
  }

  add(connection: Connection, again?: Admitted['again'], left = (): void => {}): void {
    const entry = { again, dueAt: this.#nextTime(), failures: 0, asking: false, cancel: () => {}, left }
    this.#entries.set(connection, entry)
    this.#name(connection)
    this.#watchEnd(connection, entry)
  }

  delete(connection: Connection): void {
    const entry = this.#entries.get(connection)
    entry?.cancel()
    entry?.left()
    this.#entries.delete(connection)
    this.#unname(connection)
  }

  /** Closes those whom it concerns with 4401 at once; how many they were. */
  signOut(who: SignOut): number {
    const keys = keysOf({ id: who.user, session: who.session })
    const found = new Set(keys.flatMap(key => [...(this.#byName.get(key) ?? [])]))
    for (const connection of found) connection.close(4401, 'signed out')
    return found.size
  }

  /** Every `beatMs`. */
  beat(): void {
    const now = this.#env.now()
    for (const [connection, entry] of this.#entries) {
      if (now >= entry.dueAt && entry.again !== undefined) void this.#recheck(connection, entry)
      // no timer for each that lives long: those that end before the next beat are enough
      this.#watchEnd(connection, entry)
    }
  }

  #nextTime(): number {
    return this.#env.now() + againMs + this.#env.random() * spreadMs
  }

  #watchEnd(connection: Connection, entry: Entry): void {
    entry.cancel()
    entry.cancel = () => {}
    const left = expiryOf(connection.user) - this.#env.now()
    if (left > beatMs) return
    entry.cancel = this.#env.after(Math.max(0, left), () => void this.#expired(connection, entry))
  }

  async #expired(connection: Connection, entry: Entry): Promise<void> {
    // the sign-in may have been prolonged meanwhile, which this connection was not told
    if (entry.again !== undefined) await this.#recheck(connection, entry)
    if (this.#entries.get(connection) !== entry || entry.asking) return
    const left = expiryOf(connection.user) - this.#env.now()
    if (left > 0) return
    if (entry.failures === 0) connection.close(4401, 'the sign-in has ended')
    else connection.close(1013, 'who is there cannot be found out just now', 1000)
  }

  async #recheck(connection: Connection, entry: Entry): Promise<void> {
    const { again } = entry
    if (entry.asking || again === undefined) return
    entry.asking = true
    try {
      const user = await again()
      entry.failures = 0
      entry.dueAt = this.#nextTime()
      if (this.#entries.get(connection) === entry) this.#found(connection, entry, user)
    } catch (error) {
      const code = closeCodeOf(error)
      entry.failures += 1
      if (code !== 1013) connection.close(code, 'not signed in any more')
      else if (entry.failures >= maxFailures) connection.close(code, 'who is there cannot be found out', 1000)
    } finally {
      entry.asking = false
    }
  }

  #found(connection: Connection, entry: Entry, user: User): void {
    const before = connection.user
    if (user.id !== before.id) return connection.close(4401, 'somebody else is signed in')
    this.#unname(connection)
    connection.user = user
    this.#name(connection)
    this.#watchEnd(connection, entry)
    if (!isDeepStrictEqual(before, user)) connection.changedUser()
  }

  #name(connection: Connection): void {
    for (const key of keysOf(connection.user)) {
      const named = this.#byName.get(key)
      if (named === undefined) this.#byName.set(key, new Set([connection]))
      else named.add(connection)
    }
  }

  #unname(connection: Connection): void {
    for (const key of keysOf(connection.user)) {
      const named = this.#byName.get(key)
      named?.delete(connection)
      if (named?.size === 0) this.#byName.delete(key)
    }
  }
}

function keysOf({ id, session }: { readonly id: string | undefined; readonly session?: unknown }): string[] {
  return [
    ...(id === undefined ? [] : [`user ${id}`]),
    ...(typeof session === 'string' ? [`session ${session}`] : []),
  ]
}

/** What a connection is closed with whose user is not let in. */
export function closeCodeOf(error: unknown): Extract<CloseCode, 1013 | 4401 | 4403> {
  if (!(error instanceof SyncError)) return 1013
  return error.code === 'AUTH_REQUIRED' ? 4401 : error.code === 'FORBIDDEN' ? 4403 : 1013
}
