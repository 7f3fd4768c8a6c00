// Better Auth as the answer to who is there. By structure: better-auth is not imported, so its version is the
// application's affair. The session cookie stays what it is: no token is made of it, and none goes to a page.
import type { Authenticate, SignOut, SignOuts } from '../server/index.ts'

/** What Better Auth says of a signed-in request, as far as it is needed. */
interface Found {
  readonly user: { readonly id: string }
  readonly session: { readonly id: string; readonly expiresAt: Date }
}

interface GetSession {
  readonly headers: Headers
  readonly query: { readonly disableCookieCache: true; readonly disableRefresh: true }
}

/** What `betterAuth({ ... })` returns, as far as it is needed. */
export interface BetterAuthServer<F extends Found = Found> {
  readonly api: { getSession(request: GetSession): Promise<F | null> }
  readonly options: { readonly plugins?: readonly { readonly id: string }[] | undefined }
}

export interface BetterAuthOptions<F> {
  /** What else the access rules want to know of a user, say the active organization, which is part of the session. */
  readonly claims?: (found: F) => { readonly [claim: string]: unknown }
}

export interface BetterAuthParts {
  readonly authenticate: Authenticate
  /** There if `syncline()` is among the plugins of the Better Auth server. */
  readonly signOuts?: SignOuts
}

/**
 * `SyncEngine.create({ db, entities, ...betterAuth(auth) })`. A user has the fields of Better Auth's user, `session` (the
 * id, not the token) and `expiresAt`. The session is read from where it is kept, never from a cookie's copy, and reading
 * it here does not prolong it: no cookie can be set on a connection that is open already.
 */
export function betterAuth<F extends Found>(
  auth: BetterAuthServer<F>,
  { claims }: BetterAuthOptions<F> = {},
): BetterAuthParts {
  const plugin = auth.options.plugins?.find(isOurs)
  return {
    async authenticate({ headers }) {
      const found = await auth.api.getSession({
        headers,
        query: { disableCookieCache: true, disableRefresh: true },
      })
      if (found === null) return null
      const { user, session } = found
      return { ...user, ...claims?.(found), id: user.id, session: session.id, expiresAt: session.expiresAt }
    },
    ...(plugin === undefined ? {} : { signOuts: plugin.signOuts }),
  }
}

type Hook<T> = { readonly delete: { after(deleted: T): Promise<void> } }

/** A plugin of Better Auth. */
export interface SynclinePlugin {
  readonly id: 'syncline'
  init(): {
    options: {
      databaseHooks: { session: Hook<{ readonly id: string }>; user: Hook<{ readonly id: string }> }
    }
  }
  readonly signOuts: SignOuts
}

/**
 * For `betterAuth({ plugins: [syncline()] })`: whatever ends a session there (sign-out, revocation, a ban, a new password, a
 * deleted user) closes its connections at once. Without it they end within a minute.
 */
export function syncline(): SynclinePlugin {
  const listeners = new Set<(who: SignOut) => void>()
  const tell = (who: SignOut): void => {
    for (const listener of listeners) listener(who)
  }
  return {
    id: 'syncline',
    init: () => ({
      options: {
        databaseHooks: {
          session: { delete: { after: async ({ id }) => tell({ session: id }) } },
          user: { delete: { after: async ({ id }) => tell({ user: id }) } },
        },
      },
    }),
    signOuts(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

function isOurs(plugin: { readonly id: string }): plugin is SynclinePlugin {
  return plugin.id === 'syncline' && 'signOuts' in plugin
}
