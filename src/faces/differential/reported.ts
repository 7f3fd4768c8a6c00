// Errors as this client's users know them: what is about the connection or the request keeps its code, whatever else the
// server refused is SYNC_OPERATION_ERROR with the refusal in `details`.
import { SyncError } from '../../core/index.ts'
import type { ErrorCode } from '../../core/index.ts'

const own: ReadonlySet<ErrorCode> = new Set([
  'CONNECTION_TIMEOUT',
  'CONNECTION_FAILED',
  'CONNECTION_LOST',
  'NOT_CONNECTED',
  'AUTH_REQUIRED',
  'SYNC_TIMEOUT',
  'SYNC_OPERATION_ERROR',
  'SERIALIZATION_ERROR',
  'INVALID_MESSAGE',
  'RATE_LIMITED',
  'PAYLOAD_TOO_LARGE',
  'STORAGE_FULL',
  'STORAGE_FAILED',
  'CLOSED',
])

const made = new WeakMap<SyncError, SyncError>()

/** The same error for the same cause: a promise rejects with the one that the event told of. */
export function asReported(cause: unknown, more: object = {}): SyncError {
  if (!(cause instanceof SyncError))
    return new SyncError('SYNC_OPERATION_ERROR', String(cause), { cause, details: more })
  if (own.has(cause.code)) return cause
  let error = made.get(cause)
  if (error === undefined) {
    const { code, message, details } = cause
    error = new SyncError('SYNC_OPERATION_ERROR', message, {
      cause,
      details: { ...more, code, message, details },
    })
    made.set(cause, error)
  }
  return error
}
