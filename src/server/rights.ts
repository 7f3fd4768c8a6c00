// Whether a user may make a write (rules V7 and V8): asked before the transaction, on the row as it stands; the store tells
// where it moved meanwhile, and it is asked again. Neighbours: accept asks, views know what the user sees.
import { isForbiddenName, SyncError } from '../core/index.ts'
import type { Json, Row } from '../core/index.ts'
import type { Logger } from './env.ts'
import { rowWith } from './plan.ts'
import type { PlannedWrite } from './plan.ts'
import type { View, Views } from './views.ts'

export interface Asking {
  readonly views: Views
  readonly log: Logger
  /** Rejects where an answer takes too long. */
  readonly inTime: <T>(answer: T | Promise<T>) => Promise<T>
}

/**
 * The write as it may be made; null where there is nothing to do, because for this user the row is not there. Throws
 * FORBIDDEN. `row`: as the writes before this one leave it.
 */
export async function allowed(
  planned: PlannedWrite,
  { id, row }: { readonly id: string; readonly row: Row | null },
  asking: Asking,
): Promise<PlannedWrite | null> {
  const { info, write } = planned
  const { access } = info.definition
  if (access === undefined) return planned
  const view = asking.views.rights(info.name)
  // who deletes what another one has taken out of their sight wanted it gone, and learns nothing of where it is
  if (row !== null && !sees(view, row)) {
    if (write.action === 'delete') return null
    throw forbidden(planned)
  }
  checkColumns(view, planned)
  if (access.write === undefined) {
    if (write.action === 'delete' || sees(view, rowWith(planned, id, row))) return planned
    throw forbidden(planned)
  }
  const change = { action: write.action, id, data: planned.values }
  const leave = await asking.inTime(
    ask(() => access.write?.(asking.views.user, change, row) ?? false, planned, asking),
  )
  if (leave === false) throw forbidden(planned)
  return leave === true ? planned : { ...planned, values: { ...planned.values, ...valuesOf(planned, leave) } }
}

/** A rule that fails says no: sent again it would fail again, and everything behind it would wait for ever. */
async function ask<T>(rule: () => T | Promise<T>, planned: PlannedWrite, { log }: Asking): Promise<T> {
  try {
    return await rule()
  } catch (error) {
    if (error instanceof SyncError) throw error
    log.error(
      { err: error, entity: planned.info.name },
      'syncline: a write rule threw; the mutation was rejected',
    )
    throw new SyncError(
      'FORBIDDEN',
      `the write rule of '${planned.info.name}' failed; the server's log says why`,
      {
        cause: error,
      },
    )
  }
}

function sees(view: View | null, row: Row): boolean {
  return view === null || view.matches === null || view.matches(row)
}

function checkColumns(view: View | null, planned: PlannedWrite): void {
  if (view === null || view.columns === null) return
  const shown = new Set(view.shape.columns.map(([name]) => name))
  for (const column of Object.keys(planned.values)) {
    if (!shown.has(column)) {
      throw new SyncError('FORBIDDEN', `you may not write '${column}' of '${planned.info.name}'`, {
        details: { field: column },
      })
    }
  }
}

function valuesOf({ info }: PlannedWrite, given: Partial<Row>): Row {
  const columns = new Set(info.shape.columns.map(([name]) => name))
  for (const column of Object.keys(given)) {
    if (columns.has(column) && !info.shape.key.includes(column) && !isForbiddenName(column)) continue
    throw new SyncError('FORBIDDEN', `the write rule of '${info.name}' sets '${column}', which it cannot`)
  }
  return Object.fromEntries(
    Object.entries(given).map(([name, value]): [string, Json] => [name, value ?? null]),
  )
}

function forbidden({ info, write }: PlannedWrite): SyncError {
  return new SyncError('FORBIDDEN', `you may not ${write.action} this row of '${info.name}'`)
}
