// What the client is made with, checked, with the documented defaults.
import { SyncError } from '../../core/index.ts'
import type { BackoffPolicy } from '../../core/index.ts'
import type { ClientEnv, ClientOptions } from '../../client/index.ts'

/** `merge` goes by fields where the server's table does; `manual` keeps the server's value and notes the other. */
export type ConflictStrategy =
  | 'last-write-wins'
  | 'client-wins'
  | 'server-wins'
  | 'merge'
  | 'manual'
  | 'last_write_wins'
  | 'first_write_wins'

export interface DifferentialSyncClientOptions {
  /** Names this client in what it sends; several may have the same. */
  readonly clientId: string
  /** Of the server: its origin, or one of its WebSocket paths (`/ws`, `/api/sync/ws`). */
  readonly websocketUrl: string
  readonly entityTypes?: readonly string[]
  /** @deprecated Name it in `entityTypes`. */
  readonly entityType?: string
  /** Default true. */
  readonly autoReconnect?: boolean
  /** Attempts to reconnect, and, counted by itself, to have a sync answered. Default 5; 0: none. */
  readonly maxRetries?: number
  /** Milliseconds before the first retry, doubling to 30 s; chance takes up to half of it away. Default 1000. */
  readonly retryDelay?: number
  /** Milliseconds until a connection is made and welcomed. Default 10,000. */
  readonly connectionTimeout?: number
  /** Tell of `quality:updated`. Default true. */
  readonly qualityMonitoring?: boolean
  /** Default true. */
  readonly enableCompression?: boolean
  /** How pending edits are shown; who wins is the server's to say. Default `last-write-wins`. */
  readonly conflictResolution?: ConflictStrategy
  /** `indexeddb` keeps state and unsent edits over a reload. Default `memory`. */
  readonly store?: 'memory' | 'indexeddb'
  /** 0 to 1: the reduction from which `bandwidth:validated` is valid. Default 0.5. */
  readonly targetReduction?: number
  /** Milliseconds without an answer after which a sync is asked for again. Default 10,000. */
  readonly syncTimeout?: number
  /** Where WebSocket is none of the platform's own. */
  readonly webSocket?: (address: string) => WebSocket
  /** The world: clock, chance, timers. For tests. */
  readonly env?: ClientEnv
  /** Silent unless given. */
  readonly debug?: (line: string, detail?: unknown) => void
}

export interface Settings {
  readonly clientId: string
  readonly url: string
  readonly entityTypes: readonly string[]
  readonly autoReconnect: boolean
  readonly reconnect: BackoffPolicy & { readonly attempts: number }
  readonly retries: BackoffPolicy
  readonly connectTimeout: number
  readonly syncTimeout: number
  readonly qualityMonitoring: boolean
  readonly enableCompression: boolean
  readonly targetReduction: number
  readonly strategy: ClientOptions['strategy']
  readonly store: 'memory' | 'indexeddb'
}

const strategies: Readonly<Record<ConflictStrategy, string>> = {
  'last-write-wins': 'last-write-wins',
  last_write_wins: 'last-write-wins',
  merge: 'last-write-wins',
  'client-wins': 'client-wins',
  'server-wins': 'server-wins',
  first_write_wins: 'server-wins',
  manual: 'keep-both',
}

/** Throws INVALID_CONFIG. */
export function readOptions(options: DifferentialSyncClientOptions, deprecated: () => void): Settings {
  const { clientId, websocketUrl: url, entityType, conflictResolution, store = 'memory' } = options
  if (typeof clientId !== 'string' || clientId === '') throw wrong('clientId', 'a name for this client')
  if (typeof url !== 'string' || !isAddress(url))
    throw wrong('websocketUrl', "an address, e.g. 'wss://host/ws'")
  const entityTypes = [
    ...new Set([...(options.entityTypes ?? []), ...(entityType === undefined ? [] : [entityType])]),
  ]
  if (entityTypes.some(name => typeof name !== 'string' || name === ''))
    throw wrong('entityTypes', 'names of tables')
  if (entityType !== undefined) deprecated()
  if (conflictResolution !== undefined && !Object.hasOwn(strategies, conflictResolution))
    throw wrong('conflictResolution', `one of ${Object.keys(strategies).join(', ')}`)
  const autoReconnect = options.autoReconnect ?? true
  const attempts = number(options, 'maxRetries', 5)
  const initial = number(options, 'retryDelay', 1000)
  const ladder = { initial, max: Math.max(initial, 30_000), factor: 2, jitter: 0.5 }
  return {
    clientId,
    url,
    entityTypes,
    autoReconnect,
    reconnect: { ...ladder, attempts: autoReconnect ? attempts : 0 },
    retries: { ...ladder, attempts },
    connectTimeout: number(options, 'connectionTimeout', 10_000),
    syncTimeout: number(options, 'syncTimeout', 10_000),
    qualityMonitoring: options.qualityMonitoring ?? true,
    enableCompression: options.enableCompression ?? true,
    targetReduction: number(options, 'targetReduction', 0.5),
    strategy: conflictResolution === undefined ? null : strategies[conflictResolution],
    store,
  }
}

function number(
  options: DifferentialSyncClientOptions,
  name: 'maxRetries' | 'retryDelay' | 'connectionTimeout' | 'syncTimeout' | 'targetReduction',
  otherwise: number,
): number {
  const value = options[name] ?? otherwise
  if (typeof value !== 'number' || !(value >= 0)) throw wrong(name, 'a number from 0')
  return value
}

function wrong(option: string, what: string): SyncError {
  return new SyncError('INVALID_CONFIG', `DifferentialSyncClient: ${option} must be ${what}`)
}

function isAddress(url: string): boolean {
  return URL.canParse(url, baseOf()) && /^(?:ws|http)s?:$/.test(new URL(url, baseOf()).protocol)
}

function baseOf(): string | undefined {
  return typeof location === 'undefined' ? undefined : location.href
}

/** The address of the socket, as it was given, but for the wish about compression. */
export function addressOf(url: string, compress: boolean | undefined): string {
  const address = new URL(url, baseOf())
  address.protocol = address.protocol.replace('http', 'ws')
  if (compress !== undefined) address.searchParams.set('compress', compress ? '1' : '0')
  return address.href
}
