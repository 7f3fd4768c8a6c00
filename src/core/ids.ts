// The canonical id of a row is a string: the key's text, or a JSON array of the key's values where it is composite.

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
