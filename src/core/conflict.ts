// A value that somebody wrote and that did not survive, as a row of a table of its own: it is synced like any other row, to
// those whom access allows, and settled by an ordinary write. What is lost is found by the server, in `losses`.
import type { FieldMergeStrategy } from './entity.ts'
import type { Json } from './ids.ts'

/** The entity that holds the records, and the name under which its rows are synced. */
export const conflictsName = 'syncline_conflicts'

/**
 * Why it did not survive: the strategy that decided, or `resolver` where one kept the other value; `deleted`: its row went;
 * `transaction`: another part of the same transaction met something.
 */
export type ConflictOutcome = FieldMergeStrategy | 'resolver' | 'deleted' | 'transaction'

/** A record as it is stored. One of a writer, a row and a field: a further loss takes its place. */
export interface ConflictRow {
  readonly id: string
  readonly entity: string
  readonly row_id: string
  /** Null: the row as a whole, which was to be deleted. */
  readonly field: string | null
  /** What the writer saw before; null also where it is not known. */
  readonly base: Json
  readonly mine: Json
  /** What is stored in its place; null where the row is gone. */
  readonly theirs: Json
  /** When the two were written, by their writers' clocks: milliseconds since 1970; null where that is not known. */
  readonly mine_at: number | null
  readonly theirs_at: number | null
  /** The user whose value `mine` is, and the one whose it is that is stored, where that is known. */
  readonly writer: string
  readonly other: string | null
  readonly outcome: ConflictOutcome
  readonly status: 'open' | 'resolved'
  /** When it was lost. Milliseconds since 1970. */
  readonly at: number
  readonly resolved_at: number | null
  readonly resolved_by: string | null
}
