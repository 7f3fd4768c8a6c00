// The rows that one transaction of ours has in hand: as they were when it began, and as they are after what it did.
import type { Connection } from './driver.ts'
import type { Effect } from './effects.ts'
import type { Entity } from './entity.ts'
import { lookup, nothing, settle } from './lines.ts'
import type { RowState } from './lines.ts'
import type { Known, Overlay } from './overlay.ts'
import { keyOf } from './tail.ts'

export class Rows {
  readonly #db: Connection
  readonly #overlay: Overlay
  readonly #met = new Map<string, Known>()
  readonly #changed = new Map<string, Known>()
  /** Undoes what was applied since the mark. */
  #undo: (() => void)[] | null = null

  constructor(db: Connection, overlay: Overlay) {
    this.#db = db
    this.#overlay = overlay
  }

  knows(entity: Entity, id: string): boolean {
    return this.#overlay.get(keyOf(entity.ent, id)) !== undefined
  }

  /** One query for many rows. */
  prefetch(entity: Entity, ids: readonly string[]): void {
    for (const [id, state] of lookup(this.#db, entity, ids, 'none')) this.#meet(entity, id, state)
  }

  get(entity: Entity, id: string, key = keyOf(entity.ent, id)): RowState {
    return this.#find(entity, id, key).now
  }

  /** What a write logged. */
  apply(effects: readonly Effect[]): void {
    const [only] = effects
    // one plain entry says by itself whether the row is there; with several, triggers of the user's were at work
    if (only !== undefined && effects.length === 1 && only.entry.op !== '?')
      this.#settle([only], only.entry.op !== 'd')
    else {
      const groups = new Map<string, Effect[]>()
      for (const effect of effects) {
        const key = keyOf(effect.entity.ent, effect.entry.id)
        const group = groups.get(key)
        if (group === undefined) groups.set(key, [effect])
        else group.push(effect)
      }
      for (const group of groups.values()) this.#settle(group, null)
    }
  }

  /** What an update of a row that is there logged. */
  applyUpdate(effects: readonly Effect[]): void {
    this.#settle(effects, true)
  }

  #settle(group: readonly Effect[], exists: boolean | null): void {
    const last = group.at(-1)
    if (last === undefined) return
    const { entity, entry } = last
    const key = keyOf(entity.ent, entry.id)
    const known = this.#find(entity, entry.id, key)
    const there = exists ?? lookup(this.#db, entity, [entry.id], 'none').get(entry.id)?.exists ?? false
    const before = known.now.exists === there ? known.now : { ...known.now, exists: there }
    const now = settle(
      before,
      group.map(effect => effect.entry),
    )
    const earlier = this.#changed.get(key)
    this.#undo?.push(() =>
      earlier === undefined ? this.#changed.delete(key) : this.#changed.set(key, earlier),
    )
    this.#changed.set(key, { entity, id: entry.id, stored: known.stored, now, last: entry, old: last.old })
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

  get changed(): Iterable<readonly [string, Known]> {
    return this.#changed
  }

  #find(entity: Entity, id: string, key: string): Known {
    const known = this.#changed.get(key) ?? this.#overlay.get(key) ?? this.#met.get(key)
    // met for the first time, perhaps after a trigger changed it: what is written down of it is still as it was
    return known ?? this.#meet(entity, id, lookup(this.#db, entity, [id], 'none').get(id) ?? nothing)
  }

  #meet(entity: Entity, id: string, state: RowState): Known {
    const known: Known = { entity, id, stored: state, now: state, last: undefined, old: null }
    this.#met.set(keyOf(entity.ent, id), known)
    return known
  }
}
