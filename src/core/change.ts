// What was written: mutations as a client records them, and the cut that makes a patch of an edit.
import type { Json, Row } from './ids.ts'

export type Action = 'create' | 'update' | 'delete'

/** One row of a mutation. `data` is the row of a create, the changed columns of an update, absent for a delete. */
export interface Write {
  readonly entity: string
  readonly id: string
  readonly action: Action
  readonly data?: Row
  /** Of an update: what the writer saw in the changed columns before, for the record of a value that is lost. */
  readonly was?: Row
  /** A create that may meet an existing row and then updates it. */
  readonly upsert?: boolean
}

/** Where in which log the writer stood when the user wrote. */
export interface Base {
  readonly epoch: string
  readonly seq: number
}

/** One or several writes that are stored together or not at all. */
export interface Mutation {
  /** Its place among the client's mutations, from 1, never reused. Null for users of the bare protocol. */
  readonly n: number | null
  /** A foreign client's own name for it, where it has no `n`. */
  readonly mutationId?: string
  readonly base: Base | null
  readonly stamp: string | null
  readonly writes: readonly Write[]
}

export type ResultStatus = 'applied' | 'merged' | 'conflict' | 'duplicate' | 'rejected'

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isList(a) || isList(b)) {
    return isList(a) && isList(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]))
  }
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) if (!Object.hasOwn(b, key) || !sameJson(a[key], b[key])) return false
  return true
}

/** Array.isArray does not narrow readonly arrays. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** The columns of `patch` that differ from `view`; null where none does. A column that the view lacks counts as changed. */
export function cut(view: Row, patch: Row): Row | null {
  let changed: Record<string, Json> | null = null
  for (const [column, value] of Object.entries(patch)) {
    if (Object.hasOwn(view, column) && sameJson(view[column], value)) continue
    changed ??= {}
    changed[column] = value
  }
  return changed
}

/** `row` under `patch`; the same reference where the patch changes nothing. */
export function patched(row: Row, patch: Row): Row {
  const changed = cut(row, patch)
  return changed === null ? row : { ...row, ...changed }
}
