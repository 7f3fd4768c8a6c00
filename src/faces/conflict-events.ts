// `rhtmx:field:conflict`: the conflicts that are open, as a page is told of them. Neighbours: `open-conflicts`, which says
// when, before it; the page's listeners behind it.
import type { Conflict, Conflicts, Encodable, WriteHandle } from '../client/index.ts'
import type { Json } from '../core/index.ts'
import type { PageEvents } from './events.ts'
import { tellOpen } from './open-conflicts.ts'

export interface ConflictDetail {
  readonly entity: string
  readonly entity_id: string
  /** Null: the row as a whole was to be deleted. */
  readonly field: string | null
  /** What the writer saw before. */
  readonly base: Json
  /** What was stored in its place; null where the row is gone. */
  readonly server_value: Json
  /** The value that did not survive. */
  readonly client_value: Json
  /** When the two were written, as ISO-8601; null where that is not known. */
  readonly server_timestamp: string | null
  readonly client_timestamp: string | null
  /** Why: the strategy that decided, `deleted`, `transaction` or `resolver`. */
  readonly outcome: Conflict['outcome']
  /** The entry of the inbox: who wrote, and more. */
  readonly conflict: Conflict
  resolve(value: Encodable): WriteHandle
  keepMine(): WriteHandle
  keepTheirs(): WriteHandle
}

export function tellConflicts(conflicts: Conflicts, tell: PageEvents['tell']): void {
  tellOpen(conflicts, conflict => tell('field:conflict', detailOf(conflict)))
}

function detailOf(conflict: Conflict): ConflictDetail {
  const { entity, rowId, field, base, mine, theirs, mineAt, theirsAt, outcome } = conflict
  return {
    entity,
    entity_id: rowId,
    field,
    base,
    server_value: theirs,
    client_value: mine,
    server_timestamp: timeOf(theirsAt),
    client_timestamp: timeOf(mineAt),
    outcome,
    conflict,
    resolve: value => conflict.resolve(value),
    keepMine: () => conflict.keepMine(),
    keepTheirs: () => conflict.keepTheirs(),
  }
}

function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
