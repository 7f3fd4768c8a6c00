// What users put into rows becomes JSON at the call, or an error at the call: nothing unencodable is ever queued.
import { idOfValue, isForbiddenName, SyncError } from '../core/index.ts'
import type { Json, Row } from '../core/index.ts'

/** What a column may be given; each becomes the JSON that `protocol.ts` describes for its kind. */
export type Encodable = Json | bigint | Date | Uint8Array | readonly Encodable[] | { readonly [key: string]: Encodable | undefined }

const maxDepth = 30

/** `row` by column. Throws SERIALIZATION_ERROR. */
export function encodeRow(row: object): Row {
  const encoded: Record<string, Json> = {}
  for (const [column, value] of Object.entries(row)) {
    if (isForbiddenName(column)) throw unencodable(column, value)
    encoded[column] = encode(column, value, maxDepth)
  }
  return encoded
}

/** Throws INVALID_ID. */
export function encodeId(id: unknown): string {
  const text = idOfValue(id)
  if (text === null) throw new SyncError('INVALID_ID', `not an id: ${String(id)}`)
  return text
}

function encode(column: string, value: unknown, depth: number): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'object' && depth > 0) {
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
    if (value instanceof Uint8Array) return { $blob: base64(value) }
    if (Array.isArray(value)) return value.map(item => encode(column, item, depth - 1))
    const kind: unknown = Object.getPrototypeOf(value)
    if (kind === Object.prototype || kind === null) {
      const left: Record<string, Json> = {}
      for (const [name, item] of Object.entries(value)) {
        if (isForbiddenName(name)) throw unencodable(column, value)
        // inside a JSON value, undefined means absent, as everywhere in JSON
        if (item !== undefined) left[name] = encode(column, item, depth - 1)
      }
      return left
    }
  }
  throw unencodable(column, value)
}

function unencodable(column: string, value: unknown): SyncError {
  return new SyncError('SERIALIZATION_ERROR', `column '${column}' cannot hold this ${typeof value}`)
}

function base64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}
