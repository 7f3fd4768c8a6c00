// Which sets of scopes a change may concern. A view that holds a column equal to something is found by that value, so a
// change costs those who can see it, however many others watch the table; all other sets are asked one by one.
import type { Json } from '../core/index.ts'
import type { ScopeSet } from './hub.ts'
import { routedBy } from './views.ts'
import type { SeenRow, View } from './views.ts'
import type { RowForm } from './store.ts'

/** Values of one view that are looked for; one with more is asked like the rest. */
const maxValues = 100

interface Places {
  /** Sets that see the entity whole, or by what has no index. */
  readonly rest: Set<ScopeSet>
  readonly byColumn: Map<string, Map<Json, Set<ScopeSet>>>
  /** Of any view, to read a row by. */
  view: View | null
}

export class Interest {
  readonly #form: RowForm
  readonly #entities = new Map<string, Places>()

  constructor(form: RowForm) {
    this.#form = form
  }

  add(set: ScopeSet): void {
    for (const entity of set.list) {
      const view = set.views.get(entity) ?? null
      const places = this.#of(entity)
      places.view ??= view
      const found = indexed(view)
      if (found === null) places.rest.add(set)
      else for (const value of found.values) this.#at(places, found.column, value).add(set)
    }
  }

  remove(set: ScopeSet): void {
    for (const entity of set.list) {
      const places = this.#entities.get(entity)
      if (places === undefined) continue
      places.rest.delete(set)
      const found = indexed(set.views.get(entity) ?? null)
      const byValue = places.byColumn.get(found?.column ?? '')
      for (const value of found?.values ?? []) {
        const sets = byValue?.get(keyOf(value))
        sets?.delete(set)
        if (sets?.size === 0) byValue?.delete(keyOf(value))
      }
    }
  }

  /** Sets to which some of these rows may belong, now or before. */
  in(rows: readonly SeenRow[]): Set<ScopeSet> {
    const found = new Set<ScopeSet>()
    for (const row of rows) {
      const places = this.#entities.get(row.entity)
      if (places === undefined) continue
      for (const set of places.rest) found.add(set)
      if (places.byColumn.size === 0 || places.view === null) continue
      const now = row.json === null ? [] : [routedBy(places.view.info, row, row.json, this.#form)]
      for (const values of [...now, ...(row.was ?? [])])
        for (const [column, byValue] of places.byColumn)
          for (const set of byValue.get(keyOf(values[column] ?? null)) ?? []) found.add(set)
    }
    return found
  }

  #of(entity: string): Places {
    let places = this.#entities.get(entity)
    if (places === undefined) {
      places = { rest: new Set(), byColumn: new Map<string, Map<Json, Set<ScopeSet>>>(), view: null }
      this.#entities.set(entity, places)
    }
    return places
  }

  #at({ byColumn }: Places, column: string, value: Json): Set<ScopeSet> {
    let byValue = byColumn.get(column)
    if (byValue === undefined) byColumn.set(column, (byValue = new Map<Json, Set<ScopeSet>>()))
    let sets = byValue.get(keyOf(value))
    if (sets === undefined) byValue.set(keyOf(value), (sets = new Set()))
    return sets
  }
}

function indexed(view: View | null): View['where'][number] | null {
  return view?.where.find(({ values }) => values.length <= maxValues) ?? null
}

/** Values that compare as equal have one key. */
function keyOf(value: Json): Json {
  return typeof value === 'boolean' ? +value : value
}
