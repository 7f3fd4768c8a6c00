// What the unfolded part of the tail says of rows, settled and kept in memory. Accept judges against it, so that a
// mutation costs the database its own row and its log entry and nothing more; the fold writes it down, once per row.
// Losing it loses nothing: it is made anew from the tail, whenever the log is not the one that it was made from.
import type { TailEntry } from '../settle.ts'
import { integer } from './driver.ts'
import type { Connection } from './driver.ts'
import type { Catalog, Entity } from './entity.ts'
import { foldedTo, statesOf } from './fold.ts'
import { nothing, save, settle } from './lines.ts'
import type { RowState } from './lines.ts'
import { setMeta } from './schema.ts'
import { boundLimit } from './sql.ts'
import { checkAt, entryColumns, groupEntries } from './tail.ts'

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
  readonly #rows = new Map<string, Known>()
  /** It holds what the entries in (folded, seq] say; `check` is the nonce at `seq`. */
  #folded = -1
  #seq = -1
  #check: number | null = null

  get size(): number {
    return this.#rows.size
  }

  get(key: string): Known | undefined {
    return this.#rows.get(key)
  }

  clear(): void {
    this.#rows.clear()
    this.#seq = -1
  }

  /** Reads at most `limit` entries; false: there are more. In a transaction that has written nothing yet. */
  advance(db: Connection, catalog: Catalog, limit: number): boolean {
    const folded = foldedTo(db)
    // another engine folded, or a backup was restored
    const same = folded === this.#folded && this.#seq >= folded && checkAt(db, this.#seq) === this.#check
    if (!same) {
      this.#rows.clear()
      this.#folded = this.#seq = folded
      this.#check = checkAt(db, folded)
    }
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
      this.#rows.set(key, {
        entity,
        id,
        stored: known?.stored ?? found,
        now: settle(before, entries),
        last: entries.at(-1),
        old,
      })
    }
    this.#seq = integer(last[0])
    this.#check = checkAt(db, this.#seq)
    return rows.length < limit
  }

  /** What a transaction of ours did, when it is committed; `seq` is its last entry. */
  merge(rows: Iterable<readonly [string, Known]>, seq: number, check: number | null): void {
    for (const [key, known] of rows) this.#rows.set(key, known)
    this.#seq = seq
    this.#check = check
  }

  /** Writes everything down. `flushed` must follow when the transaction is committed. */
  flush(db: Connection): void {
    for (const { entity, id, stored, now, last, old } of this.#rows.values()) {
      if (now.line === stored.line && now.gone === stored.gone) continue
      save(db, entity, { entity: entity.info.name, id, line: now.line, gone: now.gone }, stored, last, old)
    }
    setMeta(db, 'folded', this.#seq)
  }

  flushed(): void {
    this.#rows.clear()
    this.#folded = this.#seq
  }
}
