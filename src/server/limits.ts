// What the server gives at most, to one and to all: every limit with its default. docs/guides/limits.md is the same table
// with reasons, and a test compares the two.
import { checkKnown, defaultLimits, SyncError } from '../core/index.ts'
import type { Limits } from '../core/index.ts'

/** Tokens: so many a second, and at most so many saved up; a burst of Infinity is no limit. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

/** Infinity: no limit. */
export interface ServerLimits extends Limits {
  /** Parts of one WebSocket message. */
  readonly maxFragments: number
  /** Bytes that may wait for one connection; beyond it data stops until it has drained. */
  readonly maxBuffered: number
  /** Bytes that wait for and from all of them; beyond it each may have no more than 64 KiB waiting. */
  readonly maxBufferedTotal: number
  readonly maxConnections: number
  /** Of a user whom `authenticate` named. */
  readonly maxConnectionsPerUser: number
  /** By the address at the other end of the socket: behind a proxy it is the proxy's. */
  readonly maxConnectionsPerAddress: number
  /** Milliseconds until a connection has said what it is there for. */
  readonly helloTimeout: number
  /** Snapshots, catch-ups and repairs that are read at once. */
  readonly maxCatchUps: number
  /** Those that wait for their turn. */
  readonly maxWaitingCatchUps: number
  /** Messages that ask for something: hello, subscribe, sync, ... */
  readonly controlRate: Rate
  /** Mutations. */
  readonly dataRate: Rate
  /** The same of all connections and requests of a user together. */
  readonly userControlRate: Rate
  readonly userDataRate: Rate
}

export const defaultServerLimits: ServerLimits = {
  ...defaultLimits,
  maxFragments: 1024,
  maxBuffered: 1024 * 1024,
  maxBufferedTotal: 256 * 1024 * 1024,
  maxConnections: 50_000,
  maxConnectionsPerUser: 100,
  maxConnectionsPerAddress: Infinity,
  helloTimeout: 30_000,
  maxCatchUps: 64,
  maxWaitingCatchUps: 10_000,
  controlRate: { perSecond: 100, burst: 2_000 },
  dataRate: { perSecond: 5_000, burst: 50_000 },
  userControlRate: { perSecond: 200, burst: 4_000 },
  userDataRate: { perSecond: 10_000, burst: 100_000 },
}

/** Throws INVALID_CONFIG: a limit that is misspelt or no number would be none. */
export function readLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  checkKnown(given, Object.keys(defaultServerLimits), 'limits.')
  for (const [name, value] of Object.entries(given)) {
    const known: unknown = Reflect.get(defaultServerLimits, name)
    if (typeof known === 'number' ? isLimit(value) : isRate(value)) continue
    const wanted = typeof known === 'number' ? 'a number above 0' : '{ perSecond, burst }, above 0 and from 1'
    throw new SyncError('INVALID_CONFIG', `limits.${name} must be ${wanted}`)
  }
  return { ...defaultServerLimits, ...given }
}

function isLimit(value: unknown): boolean {
  return typeof value === 'number' && value > 0
}

function isRate(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'perSecond' in value &&
    'burst' in value &&
    isLimit(value.perSecond) &&
    value.perSecond !== Infinity &&
    isLimit(value.burst) &&
    Number(value.burst) >= 1
  )
}
