// Cross-site requests: a browser sends the user's cookies along wherever a page is from, and lets any page open a
// WebSocket. So a request that names an Origin must come from the host it goes to, or from one that is allowed by name.
// And a page may have its own name point to this machine: where nobody is asked who they are, the name counts.
import { SyncError } from '../core/index.ts'

export type OriginRule = readonly string[] | '*'
export type HostRule = readonly string[] | '*' | 'local'

export interface Gate {
  readonly origins: OriginRule
  readonly hosts: HostRule
}

/** Throws FORBIDDEN. Without an Origin it is no browser's page; `null` is a page that hides where it is from. */
export function checkOrigin(origin: string | undefined, host: string | undefined, gate: Gate): void {
  checkHost(host, gate.hosts)
  if (origin === undefined || isAllowed(origin, gate) || isSame(origin, host)) return
  throw new SyncError(
    'FORBIDDEN',
    `pages of ${origin.slice(0, 100)} may not sync here; allow them with origins: ['...']`,
  )
}

function isAllowed(origin: string, { origins }: Gate): boolean {
  return origins === '*' || origins.includes(origin)
}

function isSame(origin: string, host: string | undefined): boolean {
  return host !== undefined && hostOf(origin) === host.toLowerCase()
}

function hostOf(origin: string): string | null {
  return /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null
}

function checkHost(host: string | undefined, hosts: HostRule): void {
  if (host === undefined || hosts === '*') return
  const name = host.toLowerCase().replace(/:\d*$/, '')
  if (hosts === 'local' ? isLocal(name) : hosts.some(one => one.toLowerCase() === name)) return
  throw new SyncError(
    'FORBIDDEN',
    `this server may not be asked as ${name.slice(0, 100)}; allow the name with hosts: ['...'], or say access: 'public'`,
  )
}

/** Nobody can have a name of their own that reads like these. */
function isLocal(name: string): boolean {
  return /^(?:(?:.+\.)?localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]+\])$/.test(name)
}

/**
 * For answers that nobody caches: what lets pages of an allowed origin read an answer; nothing for all others. Cookies go along only where it is named:
 * with `'*'` any site could act as whoever is signed in here.
 */
export function corsHeaders(origin: string | undefined, host: string | undefined, gate: Gate): Cors {
  if (origin === undefined || isSame(origin, host) || !isAllowed(origin, gate)) return {}
  return {
    'access-control-allow-origin': origin,
    ...(gate.origins === '*' ? {} : { 'access-control-allow-credentials': 'true' }),
  }
}

export type Cors = Readonly<Record<string, string>>

/** The answer to a browser that asks before it sends. */
export const preflightHeaders: Cors = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'authorization, content-type, last-event-id',
  'access-control-max-age': '600',
}
