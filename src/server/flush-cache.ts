// What one flush has found already. Who sees the same and stands at the same place gets the same, so it is looked for once.
// Neighbour: the hub, which makes one for every flush; kept longer, it would hold rows for those who read nothing.
import type { Cursor } from '../core/index.ts'
import type { PlacedRow } from './feed.ts'
import type { Frame } from './frames.ts'
import type { Lane, ScopeSet } from './hub.ts'

class ByPlace<T> {
  readonly #found = new Map<ScopeSet, Map<number, T>>()

  get(scopes: ScopeSet, place: number): T | undefined {
    return this.#found.get(scopes)?.get(place)
  }

  set(scopes: ScopeSet, place: number, found: T): void {
    const byPlace = this.#found.get(scopes)
    if (byPlace === undefined) this.#found.set(scopes, new Map([[place, found]]))
    else byPlace.set(place, found)
  }
}

export class FlushCache {
  readonly #frames = new ByPlace<readonly Frame[]>()
  readonly #rows = new ByPlace<readonly PlacedRow[]>()
  // those who came along with the last flush stand at its very cursor, and most ask for the same scopes
  #scopes: ScopeSet | null = null
  #at: Cursor | null = null
  #last: readonly Frame[] | undefined

  get({ scopes, at }: Lane): readonly Frame[] | undefined {
    if (scopes === this.#scopes && at === this.#at) return this.#last
    this.#scopes = scopes
    this.#at = at
    return (this.#last = this.#frames.get(scopes, at.seq))
  }

  /** Of the lane that was asked for last. */
  set({ scopes, at }: Lane, frames: readonly Frame[]): void {
    this.#frames.set(scopes, at.seq, frames)
    this.#last = frames
  }

  /** What changed after a place, as those scopes show it: the hub asks whom it concerns, and then what to print. */
  rows(scopes: ScopeSet, after: number, read: () => readonly PlacedRow[]): readonly PlacedRow[] {
    const known = this.#rows.get(scopes, after)
    if (known !== undefined) return known
    const rows = read()
    this.#rows.set(scopes, after, rows)
    return rows
  }
}
