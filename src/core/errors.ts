// The one error of the library. Codes are closed: a new cause gets a new code here and a paragraph in docs/errors.md.

/** Every code with the HTTP status that a route answers for it. */
export const errorCodes = {
  // configuration, at start
  INVALID_CONFIG: 500,
  UNKNOWN_TABLE: 500,
  NO_PRIMARY_KEY: 500,
  UNSUPPORTED_KEY: 500,
  RESERVED_NAME: 500,
  UNSUPPORTED_DRIVER: 500,
  ENGINE_ATTACHED: 409,
  // a request
  UNKNOWN_ENTITY: 404,
  NOT_FOUND: 404,
  INVALID_MESSAGE: 400,
  INVALID_ID: 400,
  INVALID_CURSOR: 400,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNKNOWN_TYPE: 400,
  UNKNOWN_FIELD: 400,
  INVALID_VALUE: 400,
  VALIDATION_FAILED: 422,
  CONSTRAINT_FAILED: 409,
  ALREADY_EXISTS: 409,
  ROW_DELETED: 409,
  CONFLICT: 409,
  RESOLVER_FAILED: 409,
  AUTH_REQUIRED: 401,
  FORBIDDEN: 403,
  PAYLOAD_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  UNKNOWN_SESSION: 410,
  UPGRADE_REQUIRED: 426,
  FENCED: 409,
  OVERLOADED: 503,
  DATABASE_BUSY: 503,
  DATABASE_FULL: 503,
  DATABASE_FAILED: 503,
  CLOSED: 503,
  INTERNAL: 500,
  // the client's own
  STORAGE_FULL: 507,
  STORAGE_FAILED: 500,
  SERIALIZATION_ERROR: 400,
  NOT_CONNECTED: 503,
  DEPENDENCY_FAILED: 424,
  DISCARDED: 410,
} as const

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
    return retryable.has(this.code)
  }

  get status(): number {
    return errorCodes[this.code]
  }

  toJSON(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.details === undefined ? {} : { details: this.details }),
      ...(this.retryAfterMs === undefined ? {} : { retry_after_ms: this.retryAfterMs }),
    }
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(errorCodes, value)
}

/** Whether a body that came off a wire may be tried again; an unknown code of a newer server is final. */
export function isRetryable(code: ErrorCode): boolean {
  return retryable.has(code)
}
