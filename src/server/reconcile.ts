// The server's half of healing a scope (rule S7): sums its rows, and repairs the buckets in which the client differs.
// It never names an id that the client did not name, other than by sending the row itself.
import { bucketOf, Summary, unequalBuckets } from '../core/index.ts'
import type { ReadStore } from './viewed.ts'

const pageRows = 2_000

/** Gives others their turn between two pages of a long reading; false: nobody wants it any more. */
type Turn = () => Promise<boolean>

/** Every (id, seq) of the table, page by page, each its own short read. False: it was given up before its end. */
async function eachPlace(
  store: Pick<ReadStore, 'places'>,
  entity: string,
  turn: Turn,
  visit: (id: string, seq: number) => void,
): Promise<boolean> {
  let after: string | null = null
  do {
    if (!(await turn())) return false
    const page = await store.places({ entity, after, limit: pageRows })
    for (const [id, seq] of page.rows) visit(id, seq)
    after = page.next
  } while (after !== null)
  return true
}

/** The buckets that differ; null: given up. */
export async function compareSummaries(
  store: Pick<ReadStore, 'places'>,
  entity: string,
  theirs: readonly number[],
  turn: Turn,
): Promise<number[] | null> {
  const mine = new Summary()
  if (!(await eachPlace(store, entity, turn, (id, seq) => mine.toggle(id, seq)))) return null
  return unequalBuckets(mine.values(), theirs)
}

export interface Repair {
  /** Ids whose row the client lacks or holds at another place. */
  readonly wanted: readonly string[]
  /** Ids that the client named and that are not in view. */
  readonly forget: readonly string[]
}

/** Null: given up. */
export async function findRepairs(
  store: Pick<ReadStore, 'places'>,
  entity: string,
  buckets: readonly number[],
  held: readonly (readonly [string, number])[],
  turn: Turn,
): Promise<Repair | null> {
  const unequal = new Set(buckets)
  const theirs = new Map(held)
  const wanted: string[] = []
  const whole = await eachPlace(store, entity, turn, (id, seq) => {
    if (!unequal.has(bucketOf(id))) return
    if (theirs.get(id) !== seq) wanted.push(id)
    theirs.delete(id)
  })
  if (!whole) return null
  return { wanted, forget: [...theirs.keys()] }
}
