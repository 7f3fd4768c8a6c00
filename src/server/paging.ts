// What every reading in pages goes by, whoever it is for. Neighbours: the store, which gives the pages; the reader, the
// answers and `pull`, which print them.
import type { Cursor } from '../core/index.ts'
import type { ChangedRow, Changes, SnapshotPage } from './store.ts'

/** Whether a cleanup may have forgotten deletes above `after` before this page was read, which then are missing in it. */
export function overtaken({ to, horizon }: Pick<Changes, 'to' | 'horizon'>, after: number): boolean {
  return to.seq > after && horizon > after
}

/** All that changed after `since`, page by page. The place reached; null: `read` gave up. */
export async function eachChange(
  since: number,
  read: (after: number) => Promise<Changes | null>,
  take: (page: Changes, after: number) => void,
): Promise<Cursor | 'overtaken' | null> {
  for (let after = since; ;) {
    const page = await read(after)
    if (page === null) return null
    if (overtaken(page, after)) return 'overtaken'
    take(page, after)
    if (!page.more) return page.to
    after = page.to.seq
  }
}

/** Rows of a page in the form in which batches are printed. */
export function asChanged(entity: string, rows: SnapshotPage['rows']): ChangedRow[] {
  return rows.map(row => ({ ...row, entity, created: false }))
}

/** The same for those who have nothing yet: all of each row is new to them. */
export function asCreated(entity: string, rows: SnapshotPage['rows']): ChangedRow[] {
  return rows.map(row => ({ ...row, entity, created: true }))
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
