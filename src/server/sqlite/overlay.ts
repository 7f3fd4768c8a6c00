// What the unfolded part of the tail says of rows, settled and kept in memory. Accept judges against it, so that a
// mutation costs the database its own row and its log entry and nothing more; the fold writes it down, once per row.
// What is written down stays known for a while. Losing it loses nothing: it is made anew from the tail, whenever the log is
// not the one that it was made from.
import type { TailEntry } from '../settle.ts'
import { integer } from './driver.ts'
import type { Connection } from './driver.ts'
import type { Catalog, Entity } from './entity.ts'
import { statesOf } from './fold.ts'
import { nothing, save, settle } from './lines.ts'
import type { RowState } from './lines.ts'
import { setMeta } from './schema.ts'
import { boundLimit } from './sql.ts'
import { checkAt, entryColumns, groupEntries, placeOf } from './tail.ts'
import type { Place } from './tail.ts'

/** Rows that are kept in memory when they are written down. */
const keptRows = 20_000

export interface Known {
  readonly entity: Entity
  readonly id: string
  /** As written down. */
  readonly stored: RowState
  readonly now: RowState
  readonly last: TailEntry | undefined
  /** Old values of routing columns, where the row went. */
  readonly old: string | null
}

export class Overlay {
  /** Rows that were written lately, written down or not: every commit passes `advance`, so they are as they are now. */
  readonly #rows = new Map<string, Known>()
  readonly #unsaved = new Set<string>()
  /** It holds what the entries in (folded, seq] say; `check` is the nonce at `seq`. */
  #folded = -1
  #seq = -1
  #check: number | null = null

  /** How many rows are not written down yet. */
  get size(): number {
    return this.#unsaved.size
  }

  get(key: string): Known | undefined {
    return this.#rows.get(key)
  }

  clear(): void {
    this.#rows.clear()
    this.#unsaved.clear()
    this.#seq = -1
  }

  /** Reads at most `limit` entries; false: there are more. In a transaction that has written nothing yet. */
  advance(db: Connection, catalog: Catalog, limit: number, place = placeOf(db)): boolean {
    // nearly always, between two transactions of ours
    if (place.folded === this.#folded && place.seq === this.#seq && place.check === this.#check) return true
    this.#begin(db, place)
    const rows = db.all(
      `SELECT ${entryColumns} FROM _syncline_tail WHERE seq>? ORDER BY seq ${boundLimit}`,
      this.#seq,
      limit,
    )
    const last = rows.at(-1)
    if (last === undefined) return true
    const touched = groupEntries(rows, catalog)
    const states = statesOf(db, touched.values())
    for (const [key, { entity, id, entries, old }] of touched) {
      const found = states.get(key) ?? nothing
      const known = this.#rows.get(key)
      const before = known === undefined ? found : { ...known.now, exists: found.exists }
      const now = settle(before, entries)
      this.#note(key, { entity, id, stored: known?.stored ?? found, now, last: entries.at(-1), old })
    }
    this.#seq = integer(last[0])
    this.#check = checkAt(db, this.#seq)
    return rows.length < limit
  }

  /** Starts anew where another engine folded, or a backup was restored. */
  #begin(db: Connection, { folded }: Place): void {
    if (folded === this.#folded && this.#seq >= folded && checkAt(db, this.#seq) === this.#check) return
    this.clear()
    this.#folded = this.#seq = folded
    this.#check = checkAt(db, folded)
  }

  #note(key: string, known: Known): void {
    this.#rows.set(key, known)
    this.#unsaved.add(key)
  }

  /** What a transaction of ours did, when it is committed; `seq` is its last entry. */
  merge(rows: Iterable<readonly [string, Known]>, seq: number, check: number | null): void {
    for (const [key, known] of rows) this.#note(key, known)
    this.#seq = seq
    this.#check = check
  }

  /** Writes everything down. `flushed` must follow when the transaction is committed. */
  flush(db: Connection): void {
    for (const key of this.#unsaved) {
      const known = this.#rows.get(key)
      if (known === undefined) continue
      const { entity, id, stored, now, last, old } = known
      if (now.line === stored.line && now.gone === stored.gone) continue
      save(db, entity, { entity: entity.info.name, id, line: now.line, gone: now.gone }, stored, last, old)
    }
    setMeta(db, 'folded', this.#seq)
  }

  flushed(): void {
    for (const key of this.#unsaved) {
      const known = this.#rows.get(key)
      // records of gone rows are forgotten one day, by a cleanup of anybody's
      if (known === undefined || !known.now.exists) this.#rows.delete(key)
      else this.#rows.set(key, { ...known, stored: known.now })
    }
    this.#unsaved.clear()
    this.#folded = this.#seq
    if (this.#rows.size > keptRows) this.#rows.clear()
  }
}
