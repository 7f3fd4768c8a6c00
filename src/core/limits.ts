// What a message may be. Everything foreign passes here once, at the door; inside, shapes are trusted.
import { SyncError } from './errors.ts'
import { isSeq } from './cursor.ts'
import { isForbiddenName } from './ids.ts'
import type { Json, Row } from './ids.ts'

export interface Limits {
  /** Bytes of one frame or request body. */
  readonly maxPayload: number
  /** Nesting of a JSON value. */
  readonly maxDepth: number
  /** Keys of one object. */
  readonly maxKeys: number
  /** Mutations in one frame, writes in one mutation, scopes in one subscribe, ... */
  readonly maxItems: number
}

export const defaultLimits: Limits = { maxPayload: 1024 * 1024, maxDepth: 32, maxKeys: 1000, maxItems: 1000 }

export type Unknown = Readonly<Record<string, unknown>>

export function invalid(message: string): SyncError {
  return new SyncError('INVALID_MESSAGE', message)
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SyncError('INVALID_MESSAGE', 'the message is not valid JSON', { cause })
  }
}

export function asObject(value: unknown, what: string): Unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} must be a JSON object`)
  return value as Unknown // reason: checked on the line above; the type system has no name for "object with unknown keys"
}

export function asArray(value: unknown, what: string, limits: Limits): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} must be an array`)
  if (value.length > limits.maxItems)
    throw invalid(`${what} holds ${value.length} items; at most ${limits.maxItems} are allowed`)
  return value
}

export function asString(value: unknown, what: string, maxLength = 256): string {
  if (typeof value !== 'string' || value === '') throw invalid(`${what} must be a non-empty string`)
  if (value.length > maxLength) throw invalid(`${what} is longer than ${maxLength} characters`)
  return value
}

export function asInteger(value: unknown, what: string): number {
  if (!isSeq(value)) throw invalid(`${what} must be an integer from 0`)
  return value
}

/** A flat row of JSON values whose names are safe keys and whose values are neither too deep nor too wide. */
export function asRow(value: unknown, what: string, limits: Limits): Row {
  const row = asObject(value, what)
  checkValue(row, what, limits, limits.maxDepth)
  return row
}

function checkValue(value: unknown, what: string, limits: Limits, depth: number): asserts value is Json {
  if (typeof value !== 'object' || value === null) return
  if (depth === 0) throw invalid(`${what} is nested deeper than ${limits.maxDepth} levels`)
  if (Array.isArray(value)) {
    for (const item of value) checkValue(item, what, limits, depth - 1)
    return
  }
  const object = value as Unknown // reason: neither null nor an array, as checked above
  const names = Object.keys(object)
  if (names.length > limits.maxKeys) throw invalid(`${what} has more than ${limits.maxKeys} keys`)
  for (const name of names) {
    if (isForbiddenName(name)) throw invalid(`${what} must not have a key '${name}'`)
    checkValue(object[name], what, limits, depth - 1)
  }
}
