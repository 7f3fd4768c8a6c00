// Writes that cannot be stored, and what is said of them.
import { SyncError } from '../../core/index.ts'
import type { ErrorBody, ErrorCode } from '../../core/index.ts'
import type { Prepared } from '../store.ts'
import { isGlobal, textOf } from './failure.ts'
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

/** Of an insert that did nothing. */
export function ignored(entity: string, code: ErrorCode): Refused {
  return new Refused('rejected', {
    code,
    message: `'${entity}': a trigger or a conflict clause of the table ignored the row`,
  })
}

/** What a failing statement means for its mutation; what concerns the whole transaction is left as it is. */
export function refusedBy(error: unknown, code: ErrorCode): unknown {
  if (error instanceof Refused) return error
  if (error instanceof SyncError) return new Refused('rejected', error.toJSON())
  if (isGlobal(error)) return error
  const sqlite = textOf(error)
  return new Refused('rejected', {
    code,
    message:
      code === 'NOT_FOUND'
        ? `there is no such row to update, and the database refused it as a new one: ${sqlite}`
        : `the database refused the change: ${sqlite}`,
    details: { sqlite },
  })
}
