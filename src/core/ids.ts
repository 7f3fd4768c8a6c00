// The canonical id of a row is a string: the key's text, or a JSON array of the key's values where it is composite.

import type { EntityShape } from './protocol.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Row = { readonly [column: string]: Json }

/** A temporary id that a client gives a row whose key the database will assign. */
export const temporaryPrefix = 'tmp_'

/** The longest id that is accepted, in UTF-16 units. */
export const maxIdLength = 1024

export function isTemporaryId(id: string): boolean {
  return id.startsWith(temporaryPrefix)
}

/** The id of a row that carries its key columns; null where one of them is missing or NULL. */
export function idOfRow(row: Row, key: readonly string[]): string | null {
  if (key.length === 1) return idOfValue(row[key[0] ?? ''])
  const parts: Json[] = []
  for (const column of key) {
    const value = row[column]
    if (value === undefined || value === null) return null
    parts.push(value)
  }
  return JSON.stringify(parts)
}

/** Every spelling of an id that users give: string, number, an array for a composite key. Null: not an id. */
export function idOfValue(value: unknown): string | null {
  if (typeof value === 'string') return value.length > 0 && value.length <= maxIdLength ? value : null
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : null
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value) && value.length > 1) return idOfValue(JSON.stringify(value))
  if (typeof value === 'object' && value !== null && '$blob' in value) return idOfValue(JSON.stringify(value))
  return null
}

/** A row of any entity as one key of a map. The names of entities and tables hold no line break. */
export function rowName(entity: string, id: string): string {
  return `${entity}\n${id}`
}

const forbidden: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Names that must never become a key of an object of ours. */
export function isForbiddenName(name: string): boolean {
  return forbidden.has(name)
}

/** An id as a key column holds it: a number where that is an integer one, and JavaScript can hold the number. */
export function nativeId(id: string, integer: boolean): string | number {
  const number = Number(id)
  return integer && Number.isSafeInteger(number) ? number : id
}

/** The same of a column of its table, or of one that refers to it; text where the shape is not known. */
export function idInColumn(
  id: string,
  column: string,
  shape: Pick<EntityShape, 'columns'> | null | undefined,
): string | number {
  return nativeId(id, shape?.columns.some(([name, kind]) => name === column && kind === 'integer') === true)
}

/** The key columns of the row with this id; `id` where the shape is not known. */
export function keyOfId(
  id: string,
  shape: Pick<EntityShape, 'key' | 'columns'> | null,
): Record<string, Json> {
  const key = shape?.key ?? ['id']
  const parts = key.length > 1 ? partsOf(id) : [id]
  return Object.fromEntries(
    key.map((name, i): [string, Json] => {
      const part = parts[i] ?? null
      return [name, typeof part === 'string' ? idInColumn(part, name, shape) : part]
    }),
  )
}

/** The values of a composite key, as `idOfRow` writes them down. */
function partsOf(id: string): readonly Json[] {
  try {
    const parts: unknown = JSON.parse(id)
    return Array.isArray(parts) ? (parts as Json[]) : [id] // reason: isArray gives any[]
  } catch {
    return [id]
  }
}
