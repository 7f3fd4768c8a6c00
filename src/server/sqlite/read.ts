// The readings of the port. Each is one transaction of the reader connection: one view of log and tables. What is folded
// is read by index; the unfolded rest of the tail is settled here, by the same function that the fold uses (0003).
import { isTemporaryId } from '../../core/index.ts'
import type { Cursor } from '../../core/index.ts'
import { cellsAbove } from '../settle.ts'
import type { ChangedRow, Changes, Head, LookedUp, RowForm, SnapshotPage } from '../store.ts'
import { realId } from './clients.ts'
import type { ClientKey } from './clients.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import { idJsonOf } from './entity.ts'
import type { Catalog, Entity } from './entity.ts'
import { foldedTo } from './fold.ts'
import { cellsOf, lookup, originOf, settle, standingOf } from './lines.ts'
import type { RowState } from './lines.ts'
import type { Overlay } from './overlay.ts'
import { movesIn } from './moves.ts'
import { maxUnfolded } from './request.ts'
import { meta } from './schema.ts'
import { boundLimit } from './sql.ts'
import { checkAt, entryColumns, groupEntries, keyOf, mutationOf, tailHead } from './tail.ts'
import type { Touched } from './tail.ts'

export type PageRow = SnapshotPage['rows'][number]

export function readHead(db: Connection): Head {
  const { seq, check } = tailHead(db)
  return { epoch: meta(db, 'epoch'), seq, check, horizon: Number(meta(db, 'horizon')) }
}

export function cursorOf({ epoch, seq, check }: Head): Cursor {
  return { epoch, seq, check }
}

// ---- changes

export interface ChangesQuery {
  readonly entities: readonly string[]
  readonly after: number
  readonly limit: number
  readonly form: RowForm
  readonly moves?: boolean
  readonly cells?: boolean
  readonly since?: number
}

/** The page and, where they are asked for, the moves in it: one view of the log. */
export function readChanges(db: Connection, catalog: Catalog, query: ChangesQuery): Changes {
  const page = readPage(db, catalog, query)
  return query.moves === true ? { ...page, moves: movesIn(db, catalog, query, page.to.seq) } : page
}

/**
 * At most `limit` folded rows, then at most some window of unfolded entries. A row that has entries beyond the window
 * may come again in a later page: newer state under an older seq is put right by it.
 */
function readPage(db: Connection, catalog: Catalog, query: ChangesQuery): Changes {
  const head = readHead(db)
  const folded = foldedTo(db)
  const { after, limit } = query
  // a table that is gone at the moment has no changes; its sessions are told when it is healed
  const entities = query.entities.flatMap(entity => catalog.byName.get(entity) ?? [])
  const start = Math.max(after, folded)
  const window = Math.max(limit * 2, 1_000)
  const entries = head.seq > start ? unfolded(db, entities, { after: start, to: head.seq }, window) : []
  const end = entries.length === window ? integer(entries.at(-1)?.[0]) : head.seq
  // of a later page: what was written to its rows in the earlier ones
  const began = Math.max(query.since ?? after, folded)
  const earlier =
    began < start && entries.length > 0 ? unfolded(db, entities, { after: began, to: start }, -1) : []
  const touched = groupEntries([...earlier, ...entries], catalog)
  const known =
    after < folded ? foldedRows(db, entities, { ...query, to: folded }, touched) : { rows: [], more: false }
  if (known.more || known.rows.length > limit) return cutAt(db, head, known.rows.slice(0, limit))
  const rows = [...known.rows, ...settledRows(db, touched, query, start)]
  if (rows.length > limit) return cutAt(db, head, rows.slice(0, limit))
  const { horizon } = head
  if (end === head.seq) return { rows, to: cursorOf(head), more: false, horizon, moves: [] }
  const to = { epoch: head.epoch, seq: end, check: checkAt(db, end) ?? 0 }
  return { rows, to, more: true, horizon, moves: [] }
}

function cutAt(db: Connection, head: Head, rows: readonly ChangedRow[]): Changes {
  const seq = rows.at(-1)?.seq ?? 0
  const to = { epoch: head.epoch, seq, check: checkAt(db, seq) ?? 0 }
  return { rows, to, more: true, horizon: head.horizon, moves: [] }
}

/** In (after, to]; a limit of -1 is none. */
function unfolded(
  db: Connection,
  entities: readonly Entity[],
  { after, to }: { readonly after: number; readonly to: number },
  limit: number,
): SqlValue[][] {
  const ents = entities.map(entity => entity.ent).join(',')
  return db.all(
    `SELECT ${entryColumns} FROM _syncline_tail WHERE seq>? AND seq<=? AND ent IN (${ents}) ORDER BY seq ${boundLimit}`,
    after,
    to,
    limit,
  )
}

/** Lines and gone records in (after, to], but for rows that the unfolded tail names again. */
function foldedRows(
  db: Connection,
  entities: readonly Entity[],
  query: ChangesQuery & { readonly to: number },
  touched: ReadonlyMap<string, Touched>,
): { rows: ChangedRow[]; more: boolean } {
  const { after, to, limit, form } = query
  const rows: ChangedRow[] = []
  // below this place every source was read to its end
  let complete = Infinity
  for (const entity of entities) {
    const lines = db.all(entity.sql.changed[form], after, to, limit + 1)
    const gone = db.all(goneSql, entity.ent, after, to, limit + 1)
    if (lines.length > limit) complete = Math.min(complete, integer(lines.at(-1)?.[1]))
    if (gone.length > limit) complete = Math.min(complete, integer(gone.at(-1)?.[1]))
    for (const row of lines) rows.push(changedOf(entity, row, query))
    for (const row of gone) rows.push(goneOf(entity, row))
  }
  const inOrder = rows.filter(row => row.seq <= complete).sort((a, b) => a.seq - b.seq)
  const fresh =
    touched.size === 0
      ? inOrder
      : inOrder.filter(row => !isNamedAgain(touched.get(`${catalogKey(entities, row)}:${row.id}`)))
  const more = complete !== Infinity || inOrder.length > limit
  // a page that the unfolded tail emptied still has to move on
  return { rows: fresh.length === 0 && more ? inOrder : fresh, more }
}

/** A mere suspicion does not move a row that lives. */
function isNamedAgain(group: Touched | undefined): boolean {
  return group?.entries.some(entry => entry.op !== '?') ?? false
}

function catalogKey(entities: readonly Entity[], row: ChangedRow): number {
  return entities.find(entity => entity.info.name === row.entity)?.ent ?? -1
}

const goneSql = `SELECT CAST(g.id AS TEXT),g.seq,g.reading,g.client,g.mutation FROM _syncline_gone AS g WHERE g.ent=? AND g.seq>? AND g.seq<=? ORDER BY g.seq ${boundLimit}`

function changedOf({ info }: Entity, row: readonly SqlValue[], query: ChangesQuery): ChangedRow {
  const id = text(row[0])
  const since = query.since ?? query.after
  const created = integer(row[3]) > since
  return {
    entity: info.name,
    id,
    seq: integer(row[1]),
    json: text(row[7]),
    idJson: idJsonOf(info, id),
    created,
    reading: integer(row[2]),
    temporary: textOrNull(row[4]),
    origin: originOf(textOrNull(row[5]), mutationOf(row[6])),
    ...(query.cells === true && !created ? { cells: cellsOf(textOrNull(row[8]), since) } : {}),
  }
}

function goneOf({ info }: Entity, row: readonly SqlValue[]): ChangedRow {
  const id = text(row[0])
  return {
    entity: info.name,
    id,
    seq: integer(row[1]),
    json: null,
    idJson: idJsonOf(info, id),
    created: false,
    reading: integer(row[2]),
    temporary: null,
    origin: originOf(textOrNull(row[3]), mutationOf(row[4])),
  }
}

/** What stands above `start`, where the folded part ends. */
function settledRows(
  db: Connection,
  touched: ReadonlyMap<string, Touched>,
  query: ChangesQuery,
  start: number,
): ChangedRow[] {
  const byEntity = new Map<Entity, Touched[]>()
  for (const group of touched.values())
    if ((group.entries.at(-1)?.seq ?? 0) > start)
      byEntity.set(group.entity, [...(byEntity.get(group.entity) ?? []), group])
  const rows: ChangedRow[] = []
  for (const [entity, groups] of byEntity) {
    const states = lookup(
      db,
      entity,
      groups.map(group => group.id),
      query.form,
    )
    for (const { id, entries } of groups) {
      const before = states.get(id)
      if (before === undefined) continue
      const row = changedState(entity, id, settle(before, entries), query)
      if (row !== null && row.seq > start) rows.push(row)
    }
  }
  return rows.sort((a, b) => a.seq - b.seq)
}

/** Null: nothing happened to it above `after`. */
function changedState(
  { info }: Entity,
  id: string,
  { line, gone, goneOrigin, json }: RowState,
  { after, cells, since = after }: ChangesQuery,
): ChangedRow | null {
  const idJson = idJsonOf(info, id)
  if (json === null) {
    if (gone === null || gone.seq <= after) return null
    return {
      entity: info.name,
      id,
      seq: gone.seq,
      json,
      idJson,
      created: false,
      reading: gone.reading,
      temporary: null,
      origin: goneOrigin,
    }
  }
  if (line === null || line.seq <= after) return null
  const created = (line.whole?.seq ?? 0) > since
  const origin = originOf(line.client, line.mutation)
  return {
    entity: info.name,
    id,
    seq: line.seq,
    json,
    idJson,
    created,
    reading: line.reading,
    temporary: line.temporary,
    origin,
    ...(cells === true ? { cells: cellsAbove(line, since) } : {}),
  }
}

// ---- by id

export function readRows(
  db: Connection,
  catalog: Catalog,
  overlay: Overlay,
  asked: string,
  ids: readonly string[],
): PageRow[] {
  const entity = catalog.get(asked)
  const rows: PageRow[] = []
  for (const [id, { json, line }] of statesNow(db, catalog, overlay, { entity, ids, form: 'values' })) {
    if (json !== null)
      rows.push({
        id,
        seq: line?.seq ?? 0,
        json,
        idJson: idJsonOf(entity.info, id),
        reading: line?.reading ?? 0,
        temporary: line?.temporary ?? null,
      })
  }
  return rows
}

/** `key`: whose temporary ids are resolved. */
export function readStandings(
  db: Connection,
  catalog: Catalog,
  overlay: Overlay,
  { entity: asked, ids, key }: { entity: string; ids: readonly string[]; key: ClientKey | null },
): LookedUp[] {
  const entity = catalog.get(asked)
  const real = ids.map(id => {
    const known = key !== null && isTemporaryId(id) ? realId(db, key, entity.ent, id) : undefined
    return known ?? entity.id.check(id) ?? id
  })
  const states = statesNow(db, catalog, overlay, { entity, ids: real, form: 'object' })
  return real.map(id => {
    const state = states.get(id)
    if (state === undefined)
      return { id, row: null, standing: { exists: false, whole: null, cells: {}, gone: null, seq: 0 } }
    const row: unknown = state.json === null ? null : JSON.parse(state.json)
    return { id, row: row as LookedUp['row'], standing: standingOf(state) } // reason: our own SQL made the JSON object
  })
}

/** With unfolded entries on top; an id that the key cannot hold has no answer. */
function statesNow(
  db: Connection,
  catalog: Catalog,
  overlay: Overlay,
  { entity, ids, form }: { entity: Entity; ids: readonly string[]; form: RowForm },
): Map<string, RowState> {
  const checked = [...new Set(ids.flatMap(id => entity.id.check(id) ?? []))]
  const states = lookup(db, entity, checked, form)
  const folded = foldedTo(db)
  if (tailHead(db).seq === folded) return states
  // the whole tail, read anew for every question, is what many small ones cannot afford
  if (overlay.advance(db, catalog, maxUnfolded)) {
    for (const [id, before] of states) {
      const known = overlay.get(keyOf(entity.ent, id))
      if (known !== undefined) states.set(id, { ...known.now, exists: before.exists, json: before.json })
    }
    return states
  }
  const rows = db.all(
    `SELECT ${entryColumns} FROM _syncline_tail WHERE seq>? AND ent=? ORDER BY seq`,
    folded,
    entity.ent,
  )
  const byEnt = new Map([[entity.ent, entity]])
  for (const { id, entries } of groupEntries(rows, { byEnt }).values()) {
    const before = states.get(id)
    if (before !== undefined) states.set(id, settle(before, entries))
  }
  return states
}
