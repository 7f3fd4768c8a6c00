// What a client's write did, as the triggers logged it, patched with whose it is (docs/decisions/0001): what was sent
// carries the writer's stamp, what a resolver put in its place is stamped but nobody's own, side effects on the row are
// the client's own under the log's clock, and effects on other rows are nobody's.
import { isTemporaryId, readingOf, temporaryPrefix } from '../../core/index.ts'
import type { Decision } from '../../core/index.ts'
import type { TailEntry } from '../settle.ts'
import type { PreparedWrite } from '../store.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import type { Catalog, Entity } from './entity.ts'
import { entryOf, keyOf, segmentsOf } from './tail.ts'
import type { Segment } from './tail.ts'

export interface Author {
  readonly client: string | null
  readonly mutation: number | string | null
}

/** A write that was carried out. */
export interface Carried {
  readonly entity: Entity
  readonly id: string
  readonly kind: 'insert' | 'update' | 'delete'
  readonly stamp: string
  /** Columns stored as sent, and columns that hold a resolver's value. */
  readonly sent: readonly string[]
  readonly resolved: readonly string[]
  readonly temporary: string | null
}

export type Storing = Extract<Decision, { kind: 'insert' | 'update' | 'delete' }>

export function carriedOf(entity: Entity, id: string, write: PreparedWrite, decision: Storing): Carried {
  const resolved =
    decision.kind === 'update' && decision.resolved !== null ? Object.keys(decision.resolved) : []
  const sent = decision.kind === 'update' ? decision.columns.filter(column => !resolved.includes(column)) : []
  const told = isTemporaryId(write.id) && write.id !== temporaryPrefix
  const temporary = decision.kind === 'insert' && told ? write.id : null
  return { entity, id, kind: decision.kind, stamp: decision.stamp, sent, resolved, temporary }
}

export interface Effect {
  readonly entity: Entity
  readonly entry: TailEntry
  /** Old values of routing columns, where the row went. */
  readonly old: string | null
}

const patchAll =
  'UPDATE _syncline_tail SET stamp=?,client=?,mutation=?,own=1,tmp=?,clock=max(clock,?) WHERE seq>? RETURNING seq,ent,CAST(id AS TEXT),op,old,clock'
const patchOne = 'UPDATE _syncline_tail SET stamp=?,client=?,mutation=?,own=?,tmp=?,clock=?,old=? WHERE seq=?'
const addPart =
  'INSERT INTO _syncline_tail(clock,ent,id,op,old,nonce,stamp,client,mutation,own) ' +
  "SELECT ?,ent,id,'u',?,random()&9007199254740991,?,?,?,? FROM _syncline_tail WHERE seq=? RETURNING seq"

/** Everything above `before` was logged by this write. Nearly always that is one entry, which one statement settles. */
export function patchEffects(
  db: Connection,
  catalog: Catalog,
  before: number,
  carried: Carried,
  author: Author,
  rows: ReadonlySet<string>,
): Effect[] {
  const { stamp, temporary } = carried
  const { client, mutation } = author
  const logged = db.all(patchAll, stamp, client, mutation, temporary, readingOf(stamp), before)
  for (const row of logged) row.push(stamp, client, mutation, 1, temporary)
  const [only] = logged
  if (only === undefined) return []
  if (logged.length === 1) {
    const entity = catalog.byEnt.get(integer(only[1]))
    if (entity === carried.entity) {
      const entry = entryOf(only, entity)
      if (entry.id === carried.id && isPlain(entry, carried))
        return [{ entity, entry, old: goneText(entry, only[4]) }]
    }
  }
  return new Patcher(db, catalog, carried, author, rows).run(
    logged.sort((a, b) => integer(a[0]) - integer(b[0])),
  )
}

function goneText({ op }: TailEntry, old: SqlValue | undefined): string | null {
  return op === 'd' || op === '?' ? textOrNull(old) : null
}

/** The entry says what was sent and nothing else. */
function isPlain({ op, columns }: TailEntry, { kind, sent }: Carried): boolean {
  if (op === 'u') return kind === 'update' && columns.every(column => sent.includes(column))
  return op === (kind === 'insert' ? 'c' : kind === 'delete' ? 'd' : null)
}

class Patcher {
  readonly #db: Connection
  readonly #catalog: Catalog
  readonly #carried: Carried
  readonly #author: Author
  /** Rows that the mutation names, by `keyOf`. */
  readonly #rows: ReadonlySet<string>
  /** Stamps have to rise with seq along each cell: the clock of the last entry, and what was stamped already. */
  #floor = 0
  readonly #stamped = new Set<string>()

  constructor(db: Connection, catalog: Catalog, carried: Carried, author: Author, rows: ReadonlySet<string>) {
    this.#db = db
    this.#catalog = catalog
    this.#carried = carried
    this.#author = author
    this.#rows = rows
  }

  run(logged: readonly SqlValue[][]): Effect[] {
    const effects: Effect[] = []
    const parts: (() => Effect)[] = []
    for (const row of logged) {
      const entity = this.#catalog.byEnt.get(integer(row[1]))
      // a table that is not synced any more, or a row without an id
      if (entity === undefined || row[2] === null) continue
      const entry = entryOf(row, entity)
      effects.push({
        entity,
        entry: this.#patch(entity, entry, text(row[4]), parts),
        old: goneText(entry, row[4]),
      })
    }
    // further parts of an entry get numbers of their own, above all that the statement logged
    for (const add of parts) effects.push(add())
    return effects
  }

  #patch(entity: Entity, entry: TailEntry, old: string, parts: (() => Effect)[]): TailEntry {
    const { carried, segments } = {
      carried: this.#carried,
      segments: entry.op === 'u' ? segmentsOf(old) : [],
    }
    // whichever part of an entry is sent, the row moved once
    const was = entry.op === 'u' ? old.slice(segments.at(-1)?.end ?? 0) : ''
    if (entity !== carried.entity || entry.id !== carried.id) {
      const named = this.#rows.has(keyOf(entity.ent, entry.id))
      return this.#write(entry, { stamp: null, own: named, author: named, old })
    }
    if (entry.op !== 'u') {
      const first = this.#first(entry.op)
      const written = {
        stamp: first ? carried.stamp : null,
        own: true,
        author: true,
        old: entry.op === 'c' ? null : old,
      }
      return this.#write({ ...entry, temporary: entry.op === 'c' ? carried.temporary : null }, written)
    }
    const [first, ...rest] = this.#split(segments)
    if (first === undefined) return entry
    for (const part of rest) parts.push(() => this.#add(entity, entry, part))
    return this.#write(
      { ...entry, temporary: null, columns: first.segments.map(segment => segment.column) },
      { ...first, author: true, old: textOf(first.segments) + was },
    )
  }

  /** Only the first whole-row entry is what the client did; a trigger that repeats it does so by the log's clock. */
  #first(op: string): boolean {
    const expected = this.#carried.kind === 'insert' ? 'c' : this.#carried.kind === 'delete' ? 'd' : null
    if (op !== expected || this.#stamped.has(op)) return false
    this.#stamped.add(op)
    return true
  }

  #split(segments: readonly Segment[]): { segments: Segment[]; stamp: string | null; own: boolean }[] {
    const { kind, sent, resolved, stamp } = this.#carried
    const parts = { sent: [] as Segment[], resolved: [] as Segment[], side: [] as Segment[] } // reason: an empty literal has no element type
    for (const segment of segments) {
      const fresh = kind === 'update' && !this.#stamped.has(`.${segment.column}`)
      const part =
        fresh && resolved.includes(segment.column)
          ? 'resolved'
          : fresh && sent.includes(segment.column)
            ? 'sent'
            : 'side'
      if (part !== 'side') this.#stamped.add(`.${segment.column}`)
      parts[part].push(segment)
    }
    return [
      { segments: parts.sent, stamp, own: true },
      { segments: parts.resolved, stamp, own: false },
      { segments: parts.side, stamp: null, own: true },
    ].filter(part => part.segments.length > 0)
  }

  #write(
    entry: TailEntry,
    part: { stamp: string | null; own: boolean; author: boolean; old: string | null },
  ): TailEntry {
    const reading = Math.max(entry.reading, this.#floor + 1, part.stamp === null ? 0 : readingOf(part.stamp))
    this.#floor = reading
    const { client, mutation } = part.author ? this.#author : { client: null, mutation: null }
    this.#db.run(
      patchOne,
      part.stamp,
      client,
      mutation,
      part.own ? 1 : 0,
      entry.temporary,
      reading,
      part.old,
      entry.seq,
    )
    return { ...entry, reading, stamp: part.stamp, client, mutation, own: part.own }
  }

  #add(
    entity: Entity,
    entry: TailEntry,
    part: { segments: Segment[]; stamp: string | null; own: boolean },
  ): Effect {
    const { client, mutation } = this.#author
    const reading = this.#floor + 1
    this.#floor = reading
    const seq = integer(
      this.#db.value(
        addPart,
        reading,
        textOf(part.segments),
        part.stamp,
        client,
        mutation,
        part.own ? 1 : 0,
        entry.seq,
      ),
    )
    const columns = part.segments.map(segment => segment.column)
    return {
      entity,
      entry: {
        ...entry,
        seq,
        reading,
        columns,
        stamp: part.stamp,
        client,
        mutation,
        own: part.own,
        temporary: null,
      },
      old: null,
    }
  }
}

function textOf(segments: readonly Segment[]): string {
  return segments.map(segment => segment.text).join('')
}
