// How the rows of an entity lie in IndexedDB. Up to 2,000 of them: a record {id, seq, row} each, in the entity's own
// store. More: packed in `_pages`, under [entity, page, n, count]. the lowest `n` is the page itself, all above are its
// journal: what each commit changed of it since, oldest first. `count`, how many rows the record names, is in the key so that
// `idb-fold` can choose a page without reading any. What is newest wins: journal, page, then a record that is not moved
// yet. A deleted row never has a record, so the journal may forget it as soon as its page is written anew.
// A row's page follows from its id and the number of pages alone (linear hashing), which one split after the other
// raises. That number is in `_meta` beside the cursor, and everything that depends on it is read, written and removed in
// the transaction that reads it: tabs may commit and fold at the same time, and die at any point.
import type { Json } from '../core/index.ts'
import type { EntityCommit, StoredRow } from './store.ts'

/** Kept with the entity's cursor; without it the rows are records. */
export interface Place {
  readonly pages: number
  /** Of the next journal records. */
  readonly next: number
  /** There are records in the entity's own store too. */
  readonly rest: boolean
}

/** Rows with the same columns, as one flat list: id, seq and values of each. Without columns: ids of deleted rows. */
export type Run = [columns: readonly string[] | null, ...values: unknown[]]
export type Key = readonly [entity: string, page: number, n: number, count: number]

export const mostRecords = 2000
export const pageRows = 1000

/** The greatest power of two that is not above it. */
export const halfOf = (pages: number): number => 2 ** Math.floor(Math.log2(pages))

/**
 * The page of a row. Not the end of its id: neighbours keep together, so that what is made or changed together concerns few
 * pages.
 */
function pageOf(id: string, pages: number): number {
  let hash = 0
  for (let i = id.length - 3; i >= 0; i--) hash = Math.imul(hash ^ id.charCodeAt(i), 0x27d4eb2f)
  const half = halfOf(pages)
  const page = ((hash ^ (hash >>> 15)) >>> 0) % (half * 2)
  return page < pages ? page : page - half
}

export const keysOf = (...start: readonly (string | number)[]): IDBKeyRange =>
  IDBKeyRange.bound(start, [...start, []])

export const pagesIn = (transaction: IDBTransaction): IDBObjectStore => transaction.objectStore('_pages')

/** Asks for the rows of an entity; the function that it returns gives them once the transaction is done. */
export function readRows(transaction: IDBTransaction, entity: string): () => readonly StoredRow[] {
  // reason: the DOM types know nothing of what this file stores
  const records = transaction.objectStore(entity).getAll() as IDBRequest<StoredRow[]>
  const packed = pagesIn(transaction).getAll(keysOf(entity)) as IDBRequest<Run[][]> // reason: as above
  return () => {
    if (packed.result.length === 0) return records.result
    const rows = new Map(records.result.map(row => [row.id, row]))
    for (const runs of packed.result) unpack(runs, rows)
    return [...rows.values()]
  }
}

export function unpack(runs: readonly Run[], rows: Map<string, StoredRow>): void {
  for (const run of runs) {
    const columns = run[0]
    for (let i = 1; i < run.length;) {
      const id = run[i++] as string // reason: what `pack` wrote
      if (columns === null) {
        rows.delete(id)
        continue
      }
      const seq = run[i++] as number // reason: as above
      const row: Record<string, Json> = {}
      for (const column of columns) row[column] = run[i++] as Json // reason: as above
      rows.set(id, { id, seq, row })
    }
  }
}

function pack(rows: readonly StoredRow[], deletes: readonly string[]): Run[] {
  const runs: Run[] = []
  let columns: readonly string[] = []
  let run: Run | undefined
  for (const { id, seq, row } of rows) {
    const own = Object.keys(row)
    if (run === undefined || own.length !== columns.length || own.some((name, i) => name !== columns[i]))
      runs.push((run = [(columns = own)]))
    run.push(id, seq)
    for (const column of columns) run.push(row[column])
  }
  if (deletes.length > 0) runs.push([null, ...deletes])
  return runs
}

/** One record for each page that they concern. */
export function append(
  store: IDBObjectStore,
  entity: string,
  pages: number,
  n: number,
  puts: readonly StoredRow[],
  deletes: readonly string[] = [],
): void {
  const parts = new Map<number, [StoredRow[], string[]]>()
  const partOf = (id: string): [StoredRow[], string[]] => {
    const page = pageOf(id, pages)
    let part = parts.get(page)
    if (part === undefined) parts.set(page, (part = [[], []]))
    return part
  }
  for (const row of puts) partOf(row.id)[0].push(row)
  for (const id of deletes) partOf(id)[1].push(id)
  for (const [page, [rows, gone]] of parts)
    store.put(pack(rows, gone), [entity, page, n, rows.length + gone.length])
}

export const pagesFor = (rows: number): number => Math.ceil(rows / pageRows)

/** Writes what a commit changes; returns where the rows are from then on. */
export function writeRows(
  transaction: IDBTransaction,
  { entity, replace, puts, deletes }: EntityCommit,
  before: Place | undefined,
): Place | undefined {
  const store = transaction.objectStore(entity)
  const pages = pagesIn(transaction)
  if (replace) {
    store.clear()
    pages.delete(keysOf(entity))
    before = undefined
  }
  const place =
    before ??
    (puts.length > mostRecords ? { pages: pagesFor(puts.length), next: 0, rest: !replace } : undefined)
  if (place === undefined) for (const row of puts) store.put(row)
  if (place?.rest !== false) for (const id of deletes) store.delete(id)
  if (place === undefined) return place
  append(pages, entity, place.pages, place.next, puts, deletes)
  return { ...place, next: place.next + 1 }
}
