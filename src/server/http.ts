// A request and an answer apart from what carries them, so that one set of routes serves Node middleware and fetch.
import { statusOf, SyncError } from '../core/index.ts'
import type { StreamSink } from './event-stream.ts'
import type { AuthRequest } from './user.ts'

export interface SyncRequest {
  readonly method: string
  /** Below the sync path, decoded once: `['users']`. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Of the other end of the socket, where there is one. */
  readonly address?: string | undefined
  header(name: string): string | undefined
  /** All of it but the body, for those who want to know who it is from. */
  asked(): AuthRequest
  /** The body as text; rejects PAYLOAD_TOO_LARGE beyond `limit` bytes. `held` hears how many there are so far. */
  text(limit: number, held: (bytes: number) => void): Promise<string>
}

export interface SyncAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer | AsyncIterable<string> | null
  /** Instead of a body: the answer stays open as an event stream; the result is called when it has ended. */
  readonly stream?: (sink: StreamSink) => StreamEnds
}

export interface StreamEnds {
  drained(): void
  closed(): void
}

/** Answers smaller than this are sent as they are. */
export const compressFrom = 1024
/** Above it an answer is compressed in pieces, beside the event loop: in one go everybody else would wait. */
export const compressAtOnce = 256 * 1024

export function jsonAnswer(
  status: number,
  body: string | AsyncIterable<string>,
  headers: Readonly<Record<string, string>> = {},
): SyncAnswer {
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
    body,
  }
}

export function errorAnswer(error: unknown): SyncAnswer {
  const known =
    error instanceof SyncError
      ? error
      : new SyncError('INTERNAL', 'the server failed; its log names the cause')
  const status = statusOf(known)
  const retryAfter =
    status === 503 || status === 429
      ? { 'retry-after': String(Math.ceil((known.retryAfterMs ?? 1000) / 1000)) }
      : {}
  return jsonAnswer(status, JSON.stringify({ error: known.toJSON() }), retryAfter)
}

/** The path below `base`, split and decoded once; null: not below it. Throws NOT_FOUND for broken escapes. */
export function segmentsBelow(base: string, path: string): string[] | null {
  if (path !== base && !path.startsWith(`${base}/`)) return null
  try {
    return path
      .slice(base.length + 1)
      .split('/')
      .filter(part => part !== '')
      .map(decodeURIComponent)
  } catch (cause) {
    throw new SyncError('NOT_FOUND', 'the path is not properly encoded', { cause })
  }
}

export function acceptsGzip(header: string | undefined): boolean {
  return header !== undefined && /(^|,)\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*(,|$))[\d.]+)?\s*(,|$)/i.test(header)
}
