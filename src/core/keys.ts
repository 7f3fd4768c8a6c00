// From the id of a row back to the columns of its key. Neighbour: `ids`, which makes ids of them.
import type { Json } from './ids.ts'
import type { EntityShape } from './protocol.ts'

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
