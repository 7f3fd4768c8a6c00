// Reading the tail: entries as `settle` takes them, by row.
import type { TailEntry } from '../settle.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import type { Catalog, Entity } from './entity.ts'

/** The node that stamps what carries no stamp of its own; `decide` uses the same name. */
export const logNode = 'server'

export const entryColumns = 'seq,ent,CAST(id AS TEXT),op,old,clock,stamp,client,mutation,own,tmp'

/** All unfolded entries of one row, in seq order. */
export interface Touched {
  readonly entity: Entity
  readonly id: string
  readonly entries: TailEntry[]
  /** Old values of routing columns, as the newest delete noted them. */
  old: string | null
}

export interface TailHead {
  readonly seq: number
  readonly check: number
}

export function tailHead(db: Connection): TailHead {
  const row = db.get('SELECT seq,nonce FROM _syncline_tail ORDER BY seq DESC LIMIT 1')
  return row === undefined ? { seq: 0, check: 0 } : { seq: integer(row[0]), check: integer(row[1]) }
}

/** Where the log stands, in one question. */
export interface Place extends TailHead {
  readonly folded: number
  readonly horizon: number
}

const placeSql =
  "SELECT (SELECT value FROM _syncline_meta WHERE key='folded'),(SELECT value FROM _syncline_meta WHERE key='horizon')," +
  '(SELECT max(seq) FROM _syncline_tail),(SELECT nonce FROM _syncline_tail ORDER BY seq DESC LIMIT 1)'

export function placeOf(db: Connection): Place {
  const row = db.get(placeSql)
  return {
    folded: integer(row?.[0]),
    horizon: integer(row?.[1]),
    seq: integer(row?.[2]),
    check: integer(row?.[3]),
  }
}

export function checkAt(db: Connection, seq: number): number | null {
  const nonce = db.value('SELECT nonce FROM _syncline_tail WHERE seq=?', seq)
  return nonce === undefined ? null : integer(nonce)
}

export function keyOf(ent: number, id: string): string {
  return `${ent}:${id}`
}

/** Rows as selected by `entryColumns`, grouped by the row they name; entries of tables not synced any more are left out. */
export function groupEntries(
  rows: readonly SqlValue[][],
  catalog: Pick<Catalog, 'byEnt'>,
): Map<string, Touched> {
  const touched = new Map<string, Touched>()
  for (const row of rows) {
    const entity = catalog.byEnt.get(integer(row[1]))
    if (entity === undefined || row[2] === null) continue
    const entry = entryOf(row, entity)
    const key = keyOf(entity.ent, entry.id)
    let group = touched.get(key)
    if (group === undefined) touched.set(key, (group = { entity, id: entry.id, entries: [], old: null }))
    group.entries.push(entry)
    if (entry.op === 'd' || entry.op === '?') group.old = textOrNull(row[4])
  }
  return touched
}

export function entryOf(row: readonly SqlValue[], entity: Entity): TailEntry {
  const op = text(row[3])
  return {
    seq: integer(row[0]),
    entity: entity.info.name,
    id: entity.id.decode(text(row[2])),
    op: op as TailEntry['op'], // reason: our triggers write nothing else
    columns: op === 'u' ? namesIn(text(row[4])) : [],
    reading: integer(row[5]),
    stamp: textOrNull(row[6]),
    client: textOrNull(row[7]),
    mutation: mutationOf(row[8]),
    own: row[9] === 1,
    temporary: textOrNull(row[10]),
  }
}

export function mutationOf(value: SqlValue | undefined): number | string | null {
  return typeof value === 'number' || typeof value === 'string' ? value : null
}

/** A column of `,"a","b":'old ''value''',"c":5`, with its own piece of the text. */
export interface Segment {
  readonly column: string
  readonly text: string
  /** Where the next one begins. */
  readonly end: number
}

/** Up to a `;`, behind which stands what routed the row before. */
export function segmentsOf(old: string): Segment[] {
  const segments: Segment[] = []
  for (let i = 0; i < old.length && old.charAt(i) !== ';';) {
    const end = endOfName(old, i + 1)
    const next = old.charAt(end) === ':' ? endOfLiteral(old, end + 1) : end
    segments.push({ column: nameIn(old.slice(i + 1, end)), text: old.slice(i, next), end: next })
    i = next
  }
  return segments
}

/** What an entry says of the columns that routed its row before; null: nothing. */
export function imageIn(op: string, old: string): Segment[] | null {
  if (op !== 'u') return segmentsOf(old)
  const last = segmentsOf(old).at(-1)
  const start = last === undefined ? 0 : last.end
  return start < old.length ? segmentsOf(old.slice(start + 1)) : null
}

/** The columns that an update's entry names. */
export function namesIn(old: string): string[] {
  return segmentsOf(old).map(segment => segment.column)
}

function nameIn(json: string): string {
  return json.includes('\\') ? String(JSON.parse(json)) : json.slice(1, -1)
}

function endOfName(old: string, start: number): number {
  let i = start + 1
  while (i < old.length && old.charAt(i) !== '"') i += old.charAt(i) === '\\' ? 2 : 1
  return i + 1
}

function endOfLiteral(old: string, start: number): number {
  let i = start
  if (old.charAt(i) === 'X') i++
  if (old.charAt(i) === "'") {
    for (i++; i < old.length; i++) {
      if (old.charAt(i) !== "'") continue
      if (old.charAt(i + 1) !== "'") return i + 1
      i++
    }
    return i
  }
  const comma = old.indexOf(',', i)
  return comma === -1 ? old.length : comma
}
