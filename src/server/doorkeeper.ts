// Asks the application who a request is from: at every door, and again while a connection lives. Rules A1 to A6.
// Neighbours: routes and upgrades before it, `connections`, which keep what it said.
import { SyncError } from '../core/index.ts'
import type { Logger, ServerEnv } from './env.ts'
import { anybody, concerns, expiryOf } from './user.ts'
import type { Authenticate, AuthRequest, Named, SignOut, User } from './user.ts'

/** Who does not say so by then, does not say so. */
const deadlineMs = 10_000

/** What is let in: the user, and how to ask again. */
export interface Admitted {
  readonly user: User
  /** Absent: nothing about it can change. */
  readonly again?: () => Promise<User>
}

export class Doorkeeper {
  readonly #authenticate: Authenticate | undefined
  readonly #env: ServerEnv
  readonly #log: Logger
  /** What was signed out while somebody is being asked about. */
  readonly #asking = new Set<SignOut[]>()

  constructor(authenticate: Authenticate | undefined, env: ServerEnv, log: Logger) {
    this.#authenticate = authenticate
    this.#env = env
    this.#log = log
  }

  /** Rejects AUTH_REQUIRED, FORBIDDEN, OVERLOADED. The request is read only where somebody wants to know. */
  async admit(request: () => AuthRequest): Promise<Admitted> {
    if (this.#authenticate === undefined) return { user: anybody }
    const made = request()
    return { user: await this.#ask(this.#authenticate, made), again: () => this.#again(made) }
  }

  signedOut(who: SignOut): void {
    for (const missed of this.#asking) missed.push(who)
  }

  async #again(request: AuthRequest): Promise<User> {
    return this.#authenticate === undefined ? anybody : this.#ask(this.#authenticate, request)
  }

  async #ask(authenticate: Authenticate, request: AuthRequest): Promise<User> {
    const missed: SignOut[] = []
    this.#asking.add(missed)
    try {
      const user = checked(await this.#inTime(authenticate, request))
      // it may have been found just before, and would not be found now
      if (user !== null && missed.some(who => concerns(who, user)))
        return await this.#ask(authenticate, request)
      if (user !== null && expiryOf(user) > this.#env.now()) return user
    } catch (error) {
      if (error instanceof SyncError && (error.code === 'AUTH_REQUIRED' || error.code === 'FORBIDDEN'))
        throw error
      this.#log.error({ err: error }, 'syncline: authenticate failed')
      throw new SyncError('OVERLOADED', 'who is there cannot be found out just now; try again', {
        retryAfterMs: 1000,
      })
    } finally {
      this.#asking.delete(missed)
    }
    throw new SyncError('AUTH_REQUIRED', 'sign in first')
  }

  #inTime(authenticate: Authenticate, request: AuthRequest): Promise<Named | null> {
    return new Promise((resolve, reject) => {
      const late = new Error(`authenticate did not answer within ${deadlineMs} ms`)
      const cancel = this.#env.after(deadlineMs, () => reject(late))
      const asked = (async () => authenticate(request))()
      asked.then(resolve, reject).finally(cancel)
    })
  }
}

/** An application may be written without types: what it takes for a user decides whose rows are shown. */
function checked(user: Named | null | undefined): User | null {
  if (user === null || user === undefined) return null
  if (typeof user === 'object' && typeof user.id === 'string' && user.id !== '') return user
  throw new TypeError('authenticate must return a user with an id of text, or null')
}
