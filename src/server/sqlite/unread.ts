// Plain updates of one transaction whose log entries are not read yet. What they log is known beforehand, but for its
// numbers, so two statements at the end read and sign what many of them did, instead of one after each, which costs
// twice the update itself. Only for tables whose updates touch nothing but the row (`quiet`); where the log says
// otherwise, nothing is guessed: the transaction is done again, looking after each write (`Surprised`).
import { readingOf } from '../../core/index.ts'
import type { TailEntry } from '../settle.ts'
import { integer, text } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import type { Author, Effect } from './effects.ts'
import type { Entity } from './entity.ts'
import { Surprised } from './request.ts'
import { namesIn } from './tail.ts'

export interface Update {
  /** `keyOf` its row. */
  readonly key: string
  /** Its mutation's place among those of the transaction. */
  readonly index: number
  readonly entity: Entity
  readonly id: string
  readonly stamp: string
  readonly sent: readonly string[]
  readonly author: Author
}

/** What one of them logged: nothing where nothing changed, several entries where the table is wide. */
export interface Logged {
  readonly update: Update
  readonly effects: Effect[]
}

const readSql =
  'SELECT seq,ent,CAST(id AS TEXT),op,old,clock,nonce FROM _syncline_tail WHERE seq>? ORDER BY seq'
const signSql = 'UPDATE _syncline_tail SET stamp=?,client=?,mutation=?,own=1,clock=? WHERE seq=?'

export class Unread {
  readonly #db: Connection
  readonly #updates = new Map<string, Logged>()
  readonly #columns = new Map<string, readonly string[]>()

  constructor(db: Connection) {
    this.#db = db
  }

  get empty(): boolean {
    return this.#updates.size === 0
  }

  has(key: string): boolean {
    return this.#updates.has(key)
  }

  add(update: Update): void {
    this.#updates.set(update.key, { update, effects: [] })
  }

  /** All of them in order, and the nonce of the last entry. Throws Surprised. */
  take(before: number): { readonly logged: readonly Logged[]; readonly check: number | null } {
    const logged = [...this.#updates.values()]
    this.#updates.clear()
    const rows = this.#db.all(readSql, before)
    let at = 0
    // clocks rise along the log, also where a writer's stamp is ahead of the entries that follow
    let clock = 0
    for (const row of rows) {
      while (at < logged.length && !isOf(logged[at]?.update, row)) at++
      const found = logged[at]
      const columns = this.#columnsOf(row[3], row[4])
      if (found === undefined || columns === null || !isPlain(columns, found))
        throw new Surprised(logged.map(({ update }) => update.entity))
      const { update, effects } = found
      clock = Math.max(integer(row[5]), clock + 1, readingOf(update.stamp))
      effects.push(this.#sign(update, integer(row[0]), columns, clock))
    }
    const nonce = rows.at(-1)?.[6]
    return { logged, check: nonce === undefined ? null : integer(nonce) }
  }

  #sign(update: Update, seq: number, columns: readonly string[], reading: number): Effect {
    const { entity, id, stamp, author } = update
    const { client, mutation } = author
    this.#db.run(signSql, stamp, client, mutation, reading, seq)
    const entry: TailEntry = {
      seq,
      entity: entity.info.name,
      id,
      op: 'u',
      columns,
      reading,
      stamp,
      client,
      mutation,
      own: true,
      temporary: null,
    }
    return { entity, entry, old: null }
  }

  /** Many updates set the same columns. Null: it is no update. */
  #columnsOf(op: SqlValue | undefined, old: SqlValue | undefined): readonly string[] | null {
    if (op !== 'u') return null
    const written = text(old)
    let columns = this.#columns.get(written)
    if (columns === undefined) this.#columns.set(written, (columns = namesIn(written)))
    return columns
  }
}

function isOf(update: Update | undefined, row: readonly SqlValue[]): boolean {
  return (
    update !== undefined &&
    row[1] === update.entity.ent &&
    row[2] !== null &&
    update.entity.id.decode(text(row[2])) === update.id
  )
}

/** The entry says what was sent, for the first time, and nothing else. */
function isPlain(columns: readonly string[], { update: { sent }, effects }: Logged): boolean {
  if (!columns.every(column => sent.includes(column))) return false
  return !effects.some(({ entry }) => entry.columns.some(column => columns.includes(column)))
}
