// The rhtmx dialect: the spelling of the bare protocol (snake_case, one change a frame) for users of WebSocket, SSE and
// HTTP without our client. Decodes its requests, prints its answers; row data passes through as text, never parsed.
import type { Action, Mutation, ResultStatus } from '../change.ts'
import { msOfReading } from '../clock.ts'
import { decodeAction, decodeId } from '../decode-up.ts'
import type { ErrorBody } from '../errors.ts'
import { temporaryPrefix } from '../ids.ts'
import { nativeId } from '../keys.ts'
import { asArray, asInteger, asObject, asRow, asString } from '../limits.ts'
import type { Limits, Unknown } from '../limits.ts'
import type { MutationResult } from '../protocol.ts'
import { decodeTimestamp } from './timestamp.ts'

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
  return {
    ...decodeOrigin(push, nowMs),
    writes: [
      {
        entity,
        id: decodeRowId(push, action, data?.['id']),
        action,
        ...(data === undefined ? {} : { data }),
        ...(push['upsert'] === true ? { upsert: true } : {}),
      },
    ],
  }
}

/** What a bare write says of itself: its name, what its writer had seen, and when it was. */
export function decodeOrigin(push: Unknown, nowMs: number): Omit<Mutation, 'writes'> {
  const name = push['mutation_id'] ?? null
  const version = push['base_version'] ?? null
  return {
    n: null,
    ...(name === null ? {} : { mutationId: asString(name, 'mutation_id') }),
    base: version === null ? null : { epoch: '', seq: asInteger(version, 'base_version') },
    stamp: decodeTimestamp(push['timestamp'], nowMs),
  }
}

/** In any of its spellings; a create may leave it to the database. */
export function decodeRowId(push: Unknown, action: Action, inData?: unknown): string {
  const id = push['entity_id'] ?? push['id'] ?? push['entityId'] ?? inData
  return id === undefined && action === 'create' ? temporaryPrefix : decodeId(id)
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

/**
 * A frame of one change, which is printed already, as those below. `more`: what was written up to that version is not told
 * to its end.
 */
export function printChangeFrame(type: 'change' | 'field_change', change: string, more = false): string {
  return `{"type":"${type}","change":${change}${more ? ',"more":true' : ''}}`
}

export function printChangesFrame(
  type: 'changes' | 'field_changes',
  page: ChangePage,
  changes: readonly string[],
): string {
  return `{"type":"${type}",${membersOf(page, changes)},"has_more":${page.more}}`
}

/** The answer to a GET of what changed. */
export function printChangesBody(page: ChangePage, changes: readonly string[]): string {
  return `{${membersOf(page, changes)}${page.more ? ',"has_more":true' : ''}}`
}

export interface ChangePage {
  readonly entity: string
  readonly version: number
  readonly more: boolean
}

function membersOf({ entity, version }: ChangePage, changes: readonly string[]): string {
  return `"entity":${JSON.stringify(entity)},"version":${version},"changes":[${changes.join(',')}]`
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
  /** Null: none was given, and none came of it. */
  readonly id: string | number | null
  readonly entity_id: string | null
  readonly status: ResultStatus
  readonly version: number
  readonly mutation_id?: string
  readonly error?: ErrorBody
  readonly ids?: { readonly [temporary: string]: string }
}

/** `numericId`: the entity's key is an integer column, so `id` is a JSON number. */
export function plainResult(mutation: Mutation, result: MutationResult, numericId: boolean): PlainResult {
  const asked = mutation.writes[0]?.id ?? ''
  const id = result.ids?.[asked] ?? (asked === temporaryPrefix ? null : asked)
  return {
    id: id === null ? null : nativeId(id, numericId),
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
