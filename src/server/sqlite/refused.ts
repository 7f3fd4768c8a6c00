// Writes that cannot be stored, and what is said of them.
import type { ErrorBody, ErrorCode } from '../../core/index.ts'
import type { Prepared } from '../store.ts'
import type { Outcome } from './request.ts'

/** A write that cannot be stored; ends its mutation. */
export class Refused extends Error {
  readonly status: 'conflict' | 'rejected'
  readonly body: ErrorBody

  constructor(status: 'conflict' | 'rejected', body: ErrorBody) {
    super(body.message)
    this.status = status
    this.body = body
  }
}

/** Nothing was stored: of a conflict, every written column is lost. */
export function refusal({ attempts }: Prepared, { status, body }: Refused): Outcome {
  const lost =
    status === 'rejected'
      ? []
      : attempts.map(({ entity, id, attempt: { columns } }) => ({ entity, id, columns }))
  const some = lost.filter(({ columns }) => columns.length > 0)
  return { kind: 'done', status, error: body, ...(some.length === 0 ? {} : { lost: some }) }
}

export function conflictText(code: ErrorCode): string {
  return code === 'ROW_DELETED'
    ? 'the row was deleted meanwhile'
    : 'the row was changed by somebody else meanwhile'
}

export function rejectText(code: ErrorCode): string {
  return code === 'ALREADY_EXISTS' ? 'a row with this id exists already' : 'the change was not stored'
}
