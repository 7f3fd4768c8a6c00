// The one error of the library. Codes are closed: a new cause gets a new code here and a paragraph in docs/errors.md.

import type { errorCodes } from './error-codes.ts'

export type ErrorCode = keyof typeof errorCodes

/** Codes after which the same request may succeed unchanged. Everything else is final: do not send it again. */
const retryable: ReadonlySet<ErrorCode> = new Set([
  'RATE_LIMITED',
  'OVERLOADED',
  'DATABASE_BUSY',
  'DATABASE_FULL',
  'DATABASE_FAILED',
  'CLOSED',
  'NOT_CONNECTED',
  'UNKNOWN_SESSION',
  'INTERNAL',
])

/** The JSON form of an error on every wire. */
export interface ErrorBody {
  code: ErrorCode
  message: string
  details?: unknown
  /** Milliseconds after which to try again, where the server asks for a pause. */
  retry_after_ms?: number
}

export interface SyncErrorOptions {
  details?: unknown
  cause?: unknown
  retryAfterMs?: number
}

/**
 * Thrown and rejected by every part of the library. `code` is closed (see `errorCodes`), `message` says what to do,
 * `retryable` whether the same request may succeed later.
 */
export class SyncError extends Error {
  override readonly name = 'SyncError'
  readonly code: ErrorCode
  readonly details: unknown
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: SyncErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details
    this.retryAfterMs = options.retryAfterMs
  }

  get retryable(): boolean {
    return isRetryable(this.code)
  }

  toJSON(): ErrorBody {
    const { code, message, details, retryAfterMs: retry_after_ms } = this
    return { code, message, details, retry_after_ms } as ErrorBody // reason: on a wire, what is undefined is not there
  }
}

/** Whether a body that came off a wire may be tried again; an unknown code of a newer server is final. */
export function isRetryable(code: ErrorCode): boolean {
  return retryable.has(code) || /^CONNECTION|TIMEOUT/.test(code)
}
