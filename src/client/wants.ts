// Which rows of each entity are wanted: filters, of which one has to match. All tabs of a browser are one client, so what
// any of them wants is asked for by whoever leads. Pure. Neighbours: `wanting`, which hears of it; `ask` asks the server.

import type { Row } from '../core/index.ts'

/** By entity, the texts of the filters, of which an empty one is every row; no filters: no row is wanted any more. */
export interface Wants {
  readonly [entity: string]: readonly string[]
}

/** All of them as one filter, equal for equal ones in any order; empty: every row; null: none. */
export function union(filters: readonly string[]): string | null {
  if (filters.includes('')) return ''
  return filters.length > 1 ? `{"or":[${[...filters].sort().join()}]}` : (filters[0] ?? null)
}

export function joined(all: readonly Wants[]): Wants {
  const sets = new Map<string, Set<string>>()
  for (const wants of all)
    for (const [entity, filters] of Object.entries(wants))
      sets.set(entity, new Set([...(sets.get(entity) ?? []), ...filters]))
  return Object.fromEntries(Array.from(sets, ([entity, filters]) => [entity, [...filters]]))
}

/** The filters that were put together, or the one that was alone. */
export function filtersIn(text: string): readonly string[] {
  if (text === '') return ['']
  const { or, ...more } = JSON.parse(text) as Row // reason: `union` made it of filters
  return Array.isArray(or) && Object.keys(more).length === 0
    ? or.map(filter => JSON.stringify(filter))
    : [text]
}
