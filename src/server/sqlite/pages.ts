// Keyset pages over all rows of a table, for snapshots and for reconciling, and which rows are the first ones. Each is one
// view of log and table.
import type { Equality } from '../../core/index.ts'
import type { Ranking, RowForm, SnapshotPage } from '../store.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import { idJsonOf } from './entity.ts'
import type { Catalog, Entity, Order, PageWhat } from './entity.ts'
import { foldedTo } from './fold.ts'
import { cursorOf, readHead } from './read.ts'
import type { PageRow } from './read.ts'
import { tailHead } from './tail.ts'

export interface OrderedQuery extends Omit<PageQuery, 'form' | 'after'> {
  readonly order: Order
  readonly among?: readonly string[]
}

export interface PageQuery {
  readonly entity: string
  readonly after: string | null
  readonly limit: number
  readonly form: RowForm
  readonly where?: readonly Equality[]
}

/**
 * Equalities as the table can look for them, and what they bind: a superset, because only what means the same in both
 * tongues is asked.
 */
function pushed(
  { columns }: Entity,
  where: readonly Equality[] = [],
): { readonly counts: PageWhat['where']; readonly values: readonly SqlValue[] } {
  const known = where.filter(({ column, values }) => {
    const kind = columns.get(column)?.kind
    return values.length <= 100 && (kind === 'text' || kind === 'integer' || kind === 'boolean')
  })
  return {
    counts: known.map(({ column, values }) => [column, values.length]),
    values: known.flatMap(({ values }) => values.map(value => (typeof value === 'boolean' ? +value : value))),
  }
}

function pageRows(
  db: Connection,
  entity: Entity,
  query: Omit<PageQuery, 'entity' | 'form'>,
  form: PageWhat['form'],
): SqlValue[][] {
  const { after, limit } = query
  const { counts, values } = pushed(entity, query.where)
  const sql = entity.sql.page({ form, first: after === null, where: counts })
  const key = after === null ? [] : entity.id.values(after)
  return db.all(sql, ...key, ...values, limit)
}

export function readSnapshot(db: Connection, catalog: Catalog, query: PageQuery): SnapshotPage {
  const entity = catalog.get(query.entity)
  const found = pageRows(db, entity, query, query.form)
  const head = readHead(db)
  const fresh = newestUnfolded(db, entity, head.seq)
  const rows = found.map((row): PageRow => {
    const id = text(row[0])
    const newer = fresh.get(id)
    return {
      id,
      seq: newer?.seq ?? integer(row[1]),
      json: text(row[3]),
      idJson: idJsonOf(entity.info, id),
      reading: newer?.reading ?? integer(row[2]),
      temporary: newer?.temporary ?? textOrNull(row[4]),
    }
  })
  return { rows, next: rows.length < query.limit ? null : (rows.at(-1)?.id ?? null), head: cursorOf(head) }
}

/**
 * Ids alone, so that a sort holds no more than what it sorts by. They are in the table, whatever was folded: nothing of the
 * log is laid over them but the head, and a backlog costs nothing here.
 */
export function readOrdered(db: Connection, catalog: Catalog, query: OrderedQuery): Ranking {
  const entity = catalog.get(query.entity)
  const { order, among, limit } = query
  const { counts, values } = pushed(entity, query.where)
  const sql = entity.sql.ranked({ order, where: counts, among: among !== undefined })
  const ids = db.all(sql, ...(among === undefined ? [] : [JSON.stringify(among)]), ...values, limit)
  return { ids: ids.map(([id]) => text(id)), head: cursorOf(readHead(db)) }
}

export function readPlaces(
  db: Connection,
  catalog: Catalog,
  query: Omit<PageQuery, 'form'>,
): { rows: (readonly [string, number])[]; next: string | null } {
  const entity = catalog.get(query.entity)
  const { limit } = query
  const found = pageRows(db, entity, query, 'place')
  const fresh = newestUnfolded(db, entity, tailHead(db).seq)
  const rows = found.map((row): readonly [string, number] => {
    const id = text(row[0])
    return [id, fresh.get(id)?.seq ?? integer(row[1])]
  })
  return { rows, next: rows.length < limit ? null : (rows.at(-1)?.[0] ?? null) }
}

/** Where living rows stand that the fold has not reached; for them any entry but a mere suspicion is a change. */
function newestUnfolded(db: Connection, entity: Entity, head: number): Map<string, Newest> {
  const folded = foldedTo(db)
  const newest = new Map<string, Newest>()
  if (head === folded) return newest
  const rows = db.all(
    "SELECT CAST(id AS TEXT),max(seq),clock FROM _syncline_tail WHERE seq>? AND ent=? AND op<>'?' GROUP BY id",
    folded,
    entity.ent,
  )
  for (const [id, seq, reading] of rows)
    newest.set(entity.id.decode(text(id)), { seq: integer(seq), reading: integer(reading), temporary: null })
  const named = db.all(
    'SELECT CAST(id AS TEXT),tmp FROM _syncline_tail WHERE seq>? AND ent=? AND tmp IS NOT NULL',
    folded,
    entity.ent,
  )
  for (const [id, temporary] of named) {
    const known = newest.get(entity.id.decode(text(id)))
    if (known !== undefined) known.temporary = textOrNull(temporary)
  }
  return newest
}

interface Newest {
  readonly seq: number
  readonly reading: number
  temporary: string | null
}
