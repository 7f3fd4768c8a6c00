// The codes and their HTTP statuses: a table apart, because no page needs it.
import type { SyncError } from './errors.ts'

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

/** The HTTP status with which an error is answered. */
export function statusOf(error: SyncError): number {
  return errorCodes[error.code]
}
