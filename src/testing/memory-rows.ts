// How rows of the memory store are printed, described and paged.
import { nativeId } from '../core/index.ts'
import type { EntityDefinition, EntityShape, Json, Row } from '../core/index.ts'
import type { EntityInfo, RowForm } from '../server/index.ts'
import type { TableSpec } from './memory-table.ts'

export function shapeOf(spec: TableSpec, definition: EntityDefinition): EntityShape {
  const columns = Object.entries(spec.columns).map(([name, { kind }]) => [name, kind] as const)
  const strategy = definition.resolver === undefined ? (definition.strategy ?? 'last-write-wins') : 'resolver'
  const text = JSON.stringify([columns, spec.key])
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return { columns, key: spec.key, hash: hash.toString(36), strategy }
}

export function jsonOf(shape: EntityShape, row: Row, form: RowForm): string {
  const values = shape.columns.map(([name]) => [name, JSON.stringify(row[name] ?? null)] as const)
  if (form === 'values') return values.map(([, json]) => json).join(',')
  return `{${values.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}

export function idJson(info: EntityInfo, id: string): string {
  return JSON.stringify(nativeId(id, info.integerKey))
}

export function paged<T extends readonly [string, Json]>(
  sorted: readonly T[],
  query: { readonly after: string | null; readonly limit: number },
  order: (a: string, b: string) => number,
): { taken: T[]; next: string | null } {
  const { after } = query
  const rest = after === null ? sorted : sorted.filter(([id]) => order(id, after) > 0)
  const taken = rest.slice(0, query.limit)
  return { taken, next: rest.length > taken.length ? (taken.at(-1)?.[0] ?? null) : null }
}
