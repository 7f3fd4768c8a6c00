// Keyset pages over all rows of a table: for snapshots and for reconciling. Each is one view of log and table.
import type { Equality } from '../../core/index.ts'
import type { RowForm, SnapshotPage } from '../store.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import { idJsonOf } from './entity.ts'
import type { Catalog, Entity, Order, PageWhat } from './entity.ts'
import { foldedTo } from './fold.ts'
import { cursorOf, readHead } from './read.ts'
import type { PageRow } from './read.ts'
import { tailHead } from './tail.ts'

export interface OrderedQuery extends Omit<PageQuery, 'form'> {
  readonly order: Order
}

export interface PageQuery {
  readonly entity: string
  readonly after: string | null
  readonly limit: number
  readonly form: RowForm
  readonly where?: readonly Equality[]
}

/** Equalities as the table can look for them: a superset, because only what means the same in both tongues is asked. */
function pushed(
  { columns }: Entity,
  where: readonly Equality[] = [],
): { column: string; values: SqlValue[] }[] {
  return where.flatMap(({ column, values }) => {
    const known = columns.get(column)
    if (known === undefined || values.length > 100) return []
    if (known.kind !== 'text' && known.kind !== 'integer' && known.kind !== 'boolean') return []
    return [{ column, values: values.map(value => (typeof value === 'boolean' ? +value : value)) }]
  })
}

function pageRows(
  db: Connection,
  entity: Entity,
  query: Omit<PageQuery, 'entity' | 'form'>,
  form: PageWhat['form'],
): SqlValue[][] {
  const { after, limit } = query
  const where = pushed(entity, query.where)
  const counts = where.map(({ column, values }) => [column, values.length] as const)
  const sql = entity.sql.page({ form, first: after === null, where: counts })
  const key = after === null ? [] : entity.id.values(after)
  return db.all(sql, ...key, ...where.flatMap(({ values }) => values), limit)
}

export function readSnapshot(db: Connection, catalog: Catalog, query: PageQuery): SnapshotPage {
  const entity = catalog.get(query.entity)
  const page = pageOf(db, entity, pageRows(db, entity, query, query.form))
  return { ...page, next: page.rows.length < query.limit ? null : (page.rows.at(-1)?.id ?? null) }
}

/** `after`: how many rows come before the page. */
export function readOrdered(db: Connection, catalog: Catalog, query: OrderedQuery): SnapshotPage {
  const entity = catalog.get(query.entity)
  const { limit, order } = query
  const where = pushed(entity, query.where)
  const counts = where.map(({ column, values }) => [column, values.length] as const)
  const sql = entity.sql.page({ form: 'values', first: true, where: counts, order })
  const skip = Number(query.after ?? 0)
  const page = pageOf(db, entity, db.all(sql, ...where.flatMap(({ values }) => values), limit, skip))
  return { ...page, next: page.rows.length < limit ? null : String(skip + limit) }
}

function pageOf(db: Connection, entity: Entity, found: SqlValue[][]): Omit<SnapshotPage, 'next'> {
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
  return { rows, head: cursorOf(head) }
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
