// The rows that one transaction of ours has in hand: as stored when it began, and as they are after what it did. They are
// written down once per distinct row, at its end.
import type { Connection } from './driver.ts'
import type { Entity } from './entity.ts'
import { lookup, nothing, save, settle } from './lines.ts'
import type { RowState } from './lines.ts'
import type { Effect } from './effects.ts'
import type { TailEntry } from '../settle.ts'
import { keyOf } from './tail.ts'

interface Held {
  readonly entity: Entity
  readonly id: string
  readonly stored: RowState
  now: RowState
  last: TailEntry | undefined
}

export class Rows {
  readonly #db: Connection
  readonly #held = new Map<string, Held>()
  /** Rows changed since the mark, as they were. */
  #undo: (() => void)[] | null = null

  constructor(db: Connection) {
    this.#db = db
  }

  /** One query for many rows. */
  prefetch(entity: Entity, ids: readonly string[]): void {
    for (const [id, state] of lookup(this.#db, entity, ids, 'none')) this.#hold(entity, id, state)
  }

  get(entity: Entity, id: string): RowState {
    return this.#find(entity, id).now
  }

  /** What a write logged; `sure`: it was one plain write, so that nobody need look whether the row is there. */
  apply(effects: readonly Effect[]): void {
    const groups = new Map<Held, TailEntry[]>()
    for (const { entity, entry } of effects) {
      const held = this.#find(entity, entry.id)
      const list = groups.get(held)
      if (list === undefined) groups.set(held, [entry])
      else list.push(entry)
    }
    const sure = effects.length === 1
    for (const [held, entries] of groups) {
      const last = entries.at(-1)
      const { now, last: before } = held
      this.#undo?.push(() => Object.assign(held, { now, last: before }))
      // with several entries triggers of the user's were at work, and only the table says what became of the row
      const exists = sure && last !== undefined && last.op !== '?' ? last.op !== 'd' : this.#look(held)
      held.now = settle({ ...now, exists }, entries)
      held.last = last
    }
  }

  mark(): void {
    this.#undo = []
  }

  undo(): void {
    for (const undo of (this.#undo ?? []).reverse()) undo()
    this.#undo = null
  }

  release(): void {
    this.#undo = null
  }

  save(): void {
    for (const { entity, id, stored, now, last } of this.#held.values()) {
      if (last === undefined || (now.line === stored.line && now.gone === stored.gone)) continue
      save(this.#db, entity, { entity: entity.info.name, id, line: now.line, gone: now.gone }, stored, last, null)
    }
  }

  #find(entity: Entity, id: string): Held {
    const held = this.#held.get(keyOf(entity.ent, id))
    if (held !== undefined) return held
    // a row met for the first time, perhaps after a trigger changed it: its line is still the stored one
    return this.#hold(entity, id, lookup(this.#db, entity, [id], 'none').get(id) ?? nothing)
  }

  #hold(entity: Entity, id: string, state: RowState): Held {
    const held: Held = { entity, id, stored: state, now: state, last: undefined }
    this.#held.set(keyOf(entity.ent, id), held)
    return held
  }

  #look({ entity, id }: Held): boolean {
    return lookup(this.#db, entity, [id], 'none').get(id)?.exists ?? false
  }
}
