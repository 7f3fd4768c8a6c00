// What users put into rows becomes JSON at the call, or an error at the call: nothing unencodable is ever queued.
import { idOfValue, isForbiddenName, SyncError } from '../core/index.ts'
import type { Json, Row } from '../core/index.ts'

/** What a column may be given; each becomes the JSON that `protocol.ts` describes for its kind. */
export type Encodable =
  | Json
  | bigint
  | Date
  | Uint8Array
  | readonly Encodable[]
  | { readonly [key: string]: Encodable | undefined }

/** Throws SERIALIZATION_ERROR. */
export function encodeRow(row: object): Row {
  const encode = function (this: Record<string, unknown>, name: string, json: unknown): unknown {
    const value = this[name]
    if (typeof value === 'bigint') return String(value)
    if (value instanceof Uint8Array) return { $blob: base64(value) }
    // inside a JSON value, undefined means absent, as everywhere in JSON
    const fits =
      value === undefined ? this !== row : typeof json === 'number' ? Number.isFinite(json) : isJson(json)
    if (isForbiddenName(name) || !fits || (json === null && value !== null))
      throw new TypeError(`column '${name}' cannot hold this`)
    return json
  }
  try {
    return JSON.parse(JSON.stringify(row, encode)) as Row // reason: what JSON.parse gives of an object is a Row
  } catch (cause) {
    throw new SyncError('SERIALIZATION_ERROR', String(cause), { cause })
  }
}

function isJson(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return !['function', 'symbol'].includes(typeof value)
  const kind: unknown = Object.getPrototypeOf(value)
  return kind === Object.prototype || kind === null
}

/** Throws INVALID_ID. */
export function encodeId(id: unknown): string {
  const text = idOfValue(id)
  if (text === null) throw new SyncError('INVALID_ID', `not an id: ${String(id)}`)
  return text
}

function base64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}
