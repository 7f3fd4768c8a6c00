// Who is at the other end: what an application tells of a user, and what it is told to find out.

/** `id` and whatever else the access rules want to know. It must hold no secret: it lives as long as a connection. */
export interface User {
  /** Names the user for ever: copies, queues and results in browsers belong to it. */
  readonly id: string
  /** Until when it holds; then it is asked for again. Milliseconds since 1970, or a date. */
  readonly expiresAt?: Date | number
  /** The sign-in, where there may be several of a user: `engine.signOut({ session })` ends one. */
  readonly session?: unknown
  readonly [claim: string]: unknown
}

/** A request of any kind, an upgrade to a WebSocket too, without its body. */
export interface AuthRequest {
  readonly headers: Headers
  readonly url: URL
  readonly remoteAddress?: string
}

/**
 * Null: nobody, answered 401 or closed 4401. A SyncError FORBIDDEN: somebody who may not, 403 or 4403. Anything else that
 * it throws is a failure of the moment, 503 or 1013.
 */
export type Authenticate = (request: AuthRequest) => Named | null | Promise<Named | null>

/** An interface has no claims but those that it names, and is a user all the same. */
export type Named = User | Pick<User, 'id' | 'expiresAt' | 'session'>

/** Those whom it concerns: of this user, and of this sign-in. */
export interface SignOut {
  readonly user?: string
  readonly session?: string
}

/** Calls `signOut` whenever somebody was signed out elsewhere, until the result is called. */
export type SignOuts = (signOut: (who: SignOut) => void) => () => void

/** Everybody, where nobody is asked who they are. */
export const anybody: User = { id: 'anon' }

export function concerns(who: SignOut, user: User): boolean {
  return who.user === user.id || (who.session !== undefined && who.session === user.session)
}

/** Infinity: it does not end by itself. */
export function expiryOf({ expiresAt }: User): number {
  return expiresAt === undefined ? Infinity : Number(expiresAt)
}
