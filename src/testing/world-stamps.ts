// Along each cell stamps rise with seq (rule L3), seen through the store's own eyes now and again during a world's life.
import type { Standing } from '../core/index.ts'
import type { ServerStore } from '../server/index.ts'

interface Place {
  readonly seq: number
  readonly stamp: string
}

export class Stamps {
  #known = new Map<string, Place>()
  readonly problems: string[] = []

  /** The log is on another branch, or forgot deletes: what comes after one that was forgotten has nothing to be above. */
  forget(): void {
    this.#known.clear()
  }

  async check(store: ServerStore, ids: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const [entity, list] of ids) {
      if (list.length === 0) continue
      const columns = store.entities.get(entity)?.shape.columns ?? []
      for (const { id, standing } of await store.look(entity, list)) {
        for (const [column] of columns) this.#see(`${entity} ${id}.${column}`, placeOf(standing, column))
      }
    }
  }

  #see(cell: string, now: Place | null): void {
    const before = this.#known.get(cell)
    if (now === null) {
      this.#known.delete(cell)
      return
    }
    this.#known.set(cell, now)
    if (before === undefined) return
    const fine =
      now.seq === before.seq ? now.stamp === before.stamp : now.seq > before.seq && now.stamp > before.stamp
    if (!fine)
      this.problems.push(`[L3] ${cell} went from ${JSON.stringify(before)} to ${JSON.stringify(now)}`)
  }
}

function placeOf(standing: Standing, column: string): Place | null {
  if (!standing.exists) return standing.gone
  return (Object.hasOwn(standing.cells, column) ? standing.cells[column] : standing.whole) ?? null
}
