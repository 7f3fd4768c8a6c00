// The rhtmx dialect: the spelling of the bare protocol (snake_case, one change a frame) for users of WebSocket, SSE and
// HTTP without our client. Decodes its requests, prints its answers; row data passes through as text, never parsed.
import type { Action, Mutation, ResultStatus } from '../change.ts'
import { isStamp, msOfReading, readingOfMs, stampOf } from '../clock.ts'
import { decodeAction, decodeId } from '../decode-up.ts'
import type { ErrorBody } from '../errors.ts'
import { isTemporaryId, temporaryPrefix } from '../ids.ts'
import { asArray, asInteger, asObject, asRow, asString, invalid } from '../limits.ts'
import type { Limits, Unknown } from '../limits.ts'
import type { MutationResult } from '../protocol.ts'

export type RhtmxUp = Listen | Pull | Push

/** `{"type":"subscribe","entities":[...]}`: live changes from now on; answered by `subscribed`. */
export interface Listen {
  readonly type: 'listen'
  readonly entities: readonly string[]
}

/** `{"type":"sync","entity","since"}`: what changed since a version; answered by changes and `sync_complete`. */
export interface Pull {
  readonly type: 'pull'
  readonly entity: string
  readonly since: number
  /** Answer in `changes` frames of many instead of `change` frames of one. */
  readonly batch: boolean
}

/** `push` and `push_batch`; each entry is answered by a `push_ack`. */
export interface Push {
  readonly type: 'push'
  readonly mutations: readonly Mutation[]
}

/** The rhtmx messages by type; undefined for a type that is not of this dialect. */
export function decodeRhtmx(message: Unknown, limits: Limits, nowMs: number): RhtmxUp | undefined {
  switch (message['type']) {
    case 'subscribe':
      return {
        type: 'listen',
        entities: asArray(message['entities'], 'entities', limits).map(name => asString(name, 'an entity')),
      }
    case 'sync':
      return {
        type: 'pull',
        entity: asString(message['entity'], 'entity'),
        since: asInteger(message['since'] ?? 0, 'since'),
        batch: message['batch'] === true,
      }
    case 'push':
      return {
        type: 'push',
        mutations: [decodePush(message, asString(message['entity'], 'entity'), limits, nowMs)],
      }
    case 'push_batch': {
      const pushes = asArray(message['pushes'] ?? message['changes'], 'pushes', limits)
      return {
        type: 'push',
        mutations: pushes.map(item => {
          const push = asObject(item, 'a push')
          return decodePush(push, asString(push['entity'], 'entity'), limits, nowMs)
        }),
      }
    }
    default:
      return undefined
  }
}

/** One pushed change; `entity` comes from the frame or from the route. */
export function decodePush(push: Unknown, entity: string, limits: Limits, nowMs: number): Mutation {
  const action: Action = decodeAction(push['action'] ?? 'update')
  const data = action === 'delete' ? undefined : asRow(push['data'] ?? {}, 'data', limits)
  const id = push['entity_id'] ?? push['id'] ?? push['entityId'] ?? data?.['id']
  const version = push['base_version']
  return {
    n: null,
    ...(push['mutation_id'] === undefined
      ? {}
      : { mutationId: asString(push['mutation_id'], 'mutation_id') }),
    base:
      version === undefined || version === null
        ? null
        : { epoch: '', seq: asInteger(version, 'base_version') },
    stamp: decodeTimestamp(push['timestamp'], nowMs),
    writes: [
      {
        entity,
        id: id === undefined && action === 'create' ? temporaryPrefix : decodeId(id),
        action,
        ...(data === undefined ? {} : { data }),
        ...(push['upsert'] === true ? { upsert: true } : {}),
      },
    ],
  }
}

/** ISO-8601 text, epoch milliseconds, or a stamp. */
export function decodeTimestamp(value: unknown, nowMs: number): string | null {
  if (value === undefined || value === null) return null
  if (isStamp(value)) return value
  const ms = typeof value === 'string' ? parseIso(value) : value
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0)
    throw invalid('timestamp must be ISO-8601 text or milliseconds since 1970')
  // beyond any clock: the drift limit clamps it, and the reading stays a safe integer
  return stampOf(readingOfMs(Math.min(ms, nowMs + 86_400_000)), 'push')
}

const isoPattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,3})\d*)?)?)?(Z|[+-]\d\d:?\d\d)?$/i

/** Milliseconds since 1970 of ISO-8601 text, UTC where it names no zone; NaN where it is none. Pure: no Date in core. */
export function parseIso(text: string): number {
  const match = isoPattern.exec(text)
  if (match === null) return Number.NaN
  const part = (i: number): number => Number(match[i] ?? 0)
  if (
    part(2) < 1 ||
    part(2) > 12 ||
    part(3) < 1 ||
    part(3) > 31 ||
    part(4) > 24 ||
    part(5) > 59 ||
    part(6) > 60
  )
    return Number.NaN
  const ms = Number((match[7] ?? '').padEnd(3, '0')) || 0
  const zone = match[8]
  const offset =
    zone === undefined || zone.length < 5
      ? 0
      : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
  return (
    ((daysSince1970(part(1), part(2), part(3)) * 24 + part(4)) * 60 + part(5) - offset) * 60_000 +
    part(6) * 1000 +
    ms
  )
}

/** Days of the Gregorian calendar, counted with years that begin in March, so that a leap day is a year's last. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const monthFromMarch = (month + 9) % 12
  return (
    365 * y +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    Math.floor((153 * monthFromMarch + 2) / 5) +
    day -
    1 -
    719_468
  )
}

// ---- printing

/** A change as the hub hands it out. `idJson` and `data` are JSON text. */
export interface PlainChange {
  readonly entity: string
  readonly id: string
  readonly idJson: string
  readonly action: Action
  readonly data: string | null
  readonly version: number
  readonly previous: number
  /** Clock reading of the entry. */
  readonly reading: number
  readonly origin?: { readonly client: string; readonly mutation: number | string } | undefined
}

export function printPlainChange(change: PlainChange): string {
  // a foreign client's own name of its mutation, so that it knows its echo; the ids of our clients are nobody's business
  const mutation = change.origin?.mutation
  const origin = typeof mutation === 'string' ? `,"mutation_id":${JSON.stringify(mutation)}` : ''
  return (
    `{"entity":${JSON.stringify(change.entity)},"id":${change.idJson},"entity_id":${JSON.stringify(change.id)}` +
    `,"action":"${change.action}","data":${change.data ?? 'null'},"version":${change.version}` +
    `,"prev_version":${change.previous},"timestamp":${msOfReading(change.reading)}${origin}}`
  )
}

export function printChangeFrame(change: PlainChange): string {
  return `{"type":"change","change":${printPlainChange(change)}}`
}

export function printChangesFrame(
  entity: string,
  version: number,
  changes: readonly PlainChange[],
  more: boolean,
): string {
  const list = changes.map(printPlainChange).join(',')
  return `{"type":"changes","entity":${JSON.stringify(entity)},"version":${version},"changes":[${list}],"has_more":${more}}`
}

/** The answer of `GET /api/sync/:entity`. */
export function printChangesBody(
  entity: string,
  version: number,
  changes: readonly PlainChange[],
  flags: { more?: boolean; reset?: boolean },
): string {
  const list = changes.map(printPlainChange).join(',')
  const tail = `${flags.more === true ? ',"has_more":true' : ''}${flags.reset === true ? ',"reset":true' : ''}`
  return `{"entity":${JSON.stringify(entity)},"version":${version},"changes":[${list}]${tail}}`
}

export function printSyncComplete(entity: string, version: number): string {
  return JSON.stringify({ type: 'sync_complete', entity, version })
}

export function printSubscribed(entities: readonly string[], version: number, epoch: string): string {
  return JSON.stringify({ type: 'subscribed', entities, version, epoch })
}

export function printPlainReset(entity: string, version: number): string {
  return JSON.stringify({ type: 'reset', entity, version })
}

/** One entry of `results` in the answer of a POST, and the body of a `push_ack`. */
export interface PlainResult {
  readonly id: string | number
  readonly entity_id: string
  readonly status: ResultStatus
  readonly version: number
  readonly mutation_id?: string
  readonly error?: ErrorBody
  readonly ids?: { readonly [temporary: string]: string }
}

/** `numericId`: the entity's key is an integer column, so `id` is a JSON number. */
export function plainResult(mutation: Mutation, result: MutationResult, numericId: boolean): PlainResult {
  const asked = mutation.writes[0]?.id ?? ''
  const id = result.ids?.[asked] ?? asked
  return {
    id: numericId && !isTemporaryId(id) && Number.isSafeInteger(Number(id)) ? Number(id) : id,
    entity_id: id,
    status: result.status,
    version: result.version,
    ...(mutation.mutationId === undefined ? {} : { mutation_id: mutation.mutationId }),
    ...(result.error === undefined ? {} : { error: result.error }),
    ...(result.ids === undefined ? {} : { ids: result.ids }),
  }
}

export function printPushAck(entity: string, result: PlainResult): string {
  return JSON.stringify({ type: 'push_ack', entity, ...result })
}
