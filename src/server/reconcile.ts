// The server's half of healing a scope (rule S7): sums its rows, and repairs the buckets in which the client differs.
// It never names an id that the client did not name, other than by sending the row itself.
import { bucketOf, Summary, unequalBuckets } from '../core/index.ts'
import type { ChangedRow, ServerStore, SnapshotPage } from './store.ts'

const pageRows = 2_000

/** Ends a long reading when the connection is gone. */
export type Alive = () => boolean

/** Every (id, seq) of the table, page by page, each its own short read. */
async function* places(
  store: ServerStore,
  entity: string,
  alive: Alive,
): AsyncGenerator<readonly (readonly [string, number])[]> {
  let after: string | null = null
  do {
    const page = await store.places({ entity, after, limit: pageRows })
    yield page.rows
    after = page.next
  } while (after !== null && alive())
}

export async function compareSummaries(
  store: ServerStore,
  entity: string,
  theirs: readonly number[],
  alive: Alive,
): Promise<number[]> {
  const mine = new Summary()
  for await (const page of places(store, entity, alive)) for (const [id, seq] of page) mine.toggle(id, seq)
  return unequalBuckets(mine.values(), theirs)
}

export interface Repair {
  /** Ids whose row the client lacks or holds at another place. */
  readonly wanted: readonly string[]
  /** Ids that the client named and that are not in view. */
  readonly forget: readonly string[]
}

export async function findRepairs(
  store: ServerStore,
  entity: string,
  buckets: readonly number[],
  held: readonly (readonly [string, number])[],
  alive: Alive,
): Promise<Repair> {
  const unequal = new Set(buckets)
  const theirs = new Map(held)
  const wanted: string[] = []
  for await (const page of places(store, entity, alive)) {
    for (const [id, seq] of page) {
      if (!unequal.has(bucketOf(id))) continue
      if (theirs.get(id) !== seq) wanted.push(id)
      theirs.delete(id)
    }
  }
  return { wanted, forget: [...theirs.keys()] }
}

/** Rows of a page in the form in which batches are printed. */
export function asChanged(entity: string, rows: SnapshotPage['rows']): ChangedRow[] {
  return rows.map(row => ({ ...row, entity, created: false, temporary: null }))
}

/** Ids that are not in view, as a batch says it. */
export function asForgotten(entity: string, ids: readonly string[], seq: number): ChangedRow[] {
  return ids.map(id => ({
    entity,
    id,
    seq,
    json: null,
    idJson: 'null',
    created: false,
    reading: 0,
    temporary: null,
  }))
}
