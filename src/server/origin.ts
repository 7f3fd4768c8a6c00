// Cross-site requests: a browser sends the user's cookies along wherever a page is from, and lets any page open a
// WebSocket. So a request that names an Origin must come from the host it goes to, or from one that is allowed by name.
import { SyncError } from '../core/index.ts'

export type OriginRule = readonly string[] | '*'

/** Throws FORBIDDEN. Without an Origin it is no browser's page; `null` is a page that hides where it is from. */
export function checkOrigin(origin: string | undefined, host: string | undefined, allowed: OriginRule): void {
  if (origin === undefined || allowed === '*' || allowed.includes(origin)) return
  if (host !== undefined && hostOf(origin) === host.toLowerCase()) return
  throw new SyncError(
    'FORBIDDEN',
    `pages of ${origin.slice(0, 100)} may not sync here; allow them with origins: ['...']`,
  )
}

function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null
}
