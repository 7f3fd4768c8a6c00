// The differential dialect: `sync:*` messages, in which a change names the fields that changed and a cursor is printed as
// a vector clock. What both ends share, and the server's half: it decodes requests and prints answers; row data passes
// through as JSON text, never parsed. Neighbour: `differential-down`, the client's half.
import type { Action, Mutation } from '../change.ts'
import { msOfReading } from '../clock.ts'
import type { Cursor } from '../cursor.ts'
import { decodeAction, decodeCursor, decodeId, decodeScope } from '../decode-up.ts'
import type { Json } from '../ids.ts'
import { asArray, asInteger, asObject, asRow, asString, invalid } from '../limits.ts'
import type { Limits, Unknown } from '../limits.ts'
import type { MutationResult, ScopeRequest } from '../protocol.ts'
import { decodeTimestamp } from './timestamp.ts'

/**
 * How much of the server's log one has seen. `versions`: by the name of a log, how far; by an id, the version of that
 * row. `cursor` is the same place as the protocol knows it: whoever gives it back is recognised on a restored log.
 */
export interface WireClock {
  readonly clientId: string
  readonly versions: Readonly<Record<string, number>>
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly lamportCounter: number
  readonly nodeId: string
  readonly cursor?: Cursor
}

/** As a client's API shows it. */
export interface VectorClock extends Omit<WireClock, 'versions'> {
  readonly versions: ReadonlyMap<string, number>
}

export interface FieldDelta {
  readonly field: string
  /** Null where it is not known. */
  readonly oldValue: Json
  readonly newValue: Json
  readonly changeType: Action
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** One row's change. Of a row that is gone, `changes` names the key alone, with the type `delete`. */
export interface Delta<C = VectorClock> {
  readonly entityType: string
  readonly entityId: string
  readonly changes: readonly FieldDelta[]
  readonly vectorClock: C
  /** Milliseconds since 1970. */
  readonly timestamp: number
  /** The id under which a client made it, before it had this one. */
  readonly temporaryId?: string
}

/** Score 0 to 100; latency and jitter in milliseconds; loss and stability 0 to 1. */
export interface QualityMetrics {
  readonly qualityScore: number
  readonly latency: number
  readonly packetLoss: number
  readonly jitter: number
  readonly connectionStability: number
}

/** Nothing was measured, and nothing speaks against it. */
export const unmeasured: QualityMetrics = {
  qualityScore: 100,
  latency: 0,
  packetLoss: 0,
  jitter: 0,
  connectionStability: 1,
}

export function printClock({ versions, ...clock }: VectorClock): WireClock {
  return { ...clock, versions: Object.fromEntries(versions) }
}

/** A clock off a wire. Throws INVALID_MESSAGE. */
export function readClock(value: unknown): VectorClock {
  const clock = asObject(value, 'a vector clock')
  const versions = Object.entries(asObject(clock['versions'] ?? {}, 'versions'))
  if (versions.length > maxVersions) throw invalid(`versions has more than ${maxVersions} entries`)
  return {
    clientId: asString(clock['clientId'], 'clientId'),
    versions: new Map(versions.map(([name, version]) => [name, asInteger(version, 'a version')])),
    timestamp: asInteger(clock['timestamp'] ?? 0, 'timestamp'),
    lamportCounter: asInteger(clock['lamportCounter'] ?? 0, 'lamportCounter'),
    nodeId: asString(clock['nodeId'] ?? clock['clientId'], 'nodeId'),
    ...(clock['cursor'] == null ? {} : { cursor: decodeCursor(clock['cursor'], 'cursor') }),
  }
}

/** One number says how far a log is known; more than this are somebody else's bookkeeping. */
const maxVersions = 1000

/** How far a clock that names no cursor has the log of `epoch`; 0: not at all. */
export function placeIn({ versions, lamportCounter, nodeId }: VectorClock, epoch: string): number {
  return versions.get(epoch) ?? (nodeId === epoch ? lamportCounter : 0)
}

// ---- client to server

export type DifferentialUp = SyncRequest | SyncFollow | SyncUnfollow | SyncPush | SyncPing

/** Whose answer a `sync:response` is. */
export interface Asked {
  readonly syncId: string
  readonly clientId: string
  /** What the client measured, which the answer tells again. */
  readonly quality: QualityMetrics
}

/** What changed since a clock, once; answered by `sync:response`. */
export interface SyncRequest extends Asked {
  readonly type: 'sync:request'
  readonly clock: VectorClock | null
  /** Of a client that has said hello: what it holds, to be continued or healed. */
  readonly scope: ScopeRequest
  /** Its own changes, stored before they are asked for. */
  readonly mutations: readonly Mutation[]
}

/** Live changes from now on; answered by `subscription:confirmed`. */
export interface SyncFollow {
  readonly type: 'sync:subscribe'
  readonly entities: readonly string[]
}

export interface SyncUnfollow {
  readonly type: 'sync:unsubscribe'
  readonly entities: readonly string[]
}

/** `{"type":"sync:delta","data":delta}`: a change of the client's; answered by `sync:ack`. */
export interface SyncPush {
  readonly type: 'sync:delta'
  readonly mutations: readonly Mutation[]
}

export interface SyncPing {
  readonly type: 'sync:ping'
}

/** The differential messages by type; undefined for a type that is not of this dialect. */
export function decodeDifferential(
  message: Unknown,
  limits: Limits,
  nowMs: number,
): DifferentialUp | undefined {
  switch (message['type']) {
    case 'sync:request':
      return decodeRequest(message, limits, nowMs)
    case 'sync:subscribe':
    case 'sync:unsubscribe':
      return { type: message['type'], entities: decodeTypes(message, limits) }
    case 'sync:delta':
      return { type: 'sync:delta', mutations: [decodeDelta(message['data'], limits, nowMs)] }
    case 'sync:ping':
      return { type: 'sync:ping' }
    default:
      return undefined
  }
}

function decodeRequest(message: Unknown, limits: Limits, nowMs: number): SyncRequest {
  const data = asObject(message['data'] ?? message, 'data')
  const clock = data['lastKnownVectorClock'] == null ? null : readClock(data['lastKnownVectorClock'])
  const entity = data['entityType']
  const { marks, shape, where } = data
  return {
    type: 'sync:request',
    syncId: asString(message['syncId'], 'syncId'),
    clientId: asString(data['clientId'] ?? 'client', 'clientId'),
    quality: data['qualityMetrics'] === undefined ? unmeasured : readQuality(data['qualityMetrics']),
    clock,
    scope: decodeScope({ entity, cursor: clock?.cursor ?? null, marks, shape, where }, limits),
    mutations: asArray(data['deltas'] ?? [], 'deltas', limits).map(item => decodeDelta(item, limits, nowMs)),
  }
}

function decodeTypes(message: Unknown, limits: Limits): string[] {
  const data = asObject(message['data'] ?? message, 'data')
  const one = data['entityType']
  const all = data['entityTypes'] ?? (one === undefined ? undefined : [one])
  return asArray(all, 'entityTypes', limits).map(name => asString(name, 'an entity type'))
}

/** A delta is one write: a field that is deleted among others would take the row with it. */
export function ofOneType(types: readonly unknown[]): void {
  if (new Set(types).size > 1) throw invalid('the changes of a delta must be of one type')
}

/** A change without a cursor goes by its timestamp (rule D3). */
function decodeDelta(item: unknown, limits: Limits, nowMs: number): Mutation {
  const delta = asObject(item, 'a delta')
  const changes = asArray(delta['changes'], 'changes', limits).map(change => asObject(change, 'a change'))
  const [first] = changes
  if (first === undefined) throw invalid('a delta needs at least one change')
  const action: Action = decodeAction(first['changeType'] ?? 'update')
  ofOneType(changes.map(change => change['changeType'] ?? 'update'))
  const entries = changes.map(change => [asString(change['field'], 'field'), change['newValue'] ?? null])
  const clock = delta['vectorClock'] == null ? null : readClock(delta['vectorClock'])
  return {
    n: null,
    ...(delta['mutationId'] === undefined ? {} : { mutationId: asString(delta['mutationId'], 'mutationId') }),
    base: clock?.cursor === undefined ? null : { epoch: clock.cursor.epoch, seq: clock.cursor.seq },
    stamp: decodeTimestamp(delta['timestamp'], nowMs),
    writes: [
      {
        entity: asString(delta['entityType'], 'entityType'),
        id: decodeId(delta['entityId']),
        action,
        ...(action === 'delete' ? {} : { data: asRow(Object.fromEntries(entries), 'changes', limits) }),
        ...(action === 'create' ? { upsert: true } : {}),
      },
    ],
  }
}

export function readQuality(value: unknown): QualityMetrics {
  const metrics = asObject(value, 'qualityMetrics')
  const number = (name: keyof QualityMetrics, max: number): number => {
    const found = metrics[name]
    if (typeof found !== 'number' || !(found >= 0 && found <= max))
      throw invalid(`${name} must be a number from 0 to ${max}`)
    return found
  }
  return {
    qualityScore: number('qualityScore', 100),
    latency: number('latency', Number.MAX_SAFE_INTEGER),
    packetLoss: number('packetLoss', 1),
    jitter: number('jitter', Number.MAX_SAFE_INTEGER),
    connectionStability: number('connectionStability', 1),
  }
}

// ---- server to client

/** A row's change as the server has it: `value` is JSON text. */
export interface PlainDelta {
  readonly entity: string
  readonly id: string
  readonly action: Action
  readonly fields: readonly { readonly name: string; readonly value: string; readonly old?: string }[]
  readonly version: number
  /** Clock reading of the newest entry. */
  readonly reading: number
  readonly temporary: string | null
}

function printDelta(delta: PlainDelta, epoch: string): string {
  const ms = msOfReading(delta.reading)
  const changes = delta.fields.map(
    ({ name, value, old = 'null' }) =>
      `{"field":${JSON.stringify(name)},"oldValue":${old},"newValue":${value},"changeType":"${delta.action}","timestamp":${ms}}`,
  )
  const versions = { [delta.id]: delta.version, [epoch]: delta.version }
  const clock: WireClock = {
    clientId: epoch,
    versions,
    timestamp: ms,
    lamportCounter: delta.version,
    nodeId: epoch,
  }
  const temporary = delta.temporary === null ? '' : `,"temporaryId":${JSON.stringify(delta.temporary)}`
  return (
    `{"entityType":${JSON.stringify(delta.entity)},"entityId":${JSON.stringify(delta.id)}` +
    `,"changes":[${changes.join(',')}],"vectorClock":${JSON.stringify(clock)},"timestamp":${ms}${temporary}}`
  )
}

export function printDeltaFrame(delta: PlainDelta, epoch: string): string {
  return `{"type":"sync:delta","data":${printDelta(delta, epoch)}}`
}

export interface ResponseFlags {
  /** Another one of the same `syncId` follows. */
  readonly hasMore?: boolean
  /** The clock that was asked with cannot be continued: what is not among the deltas is gone. */
  readonly reset?: boolean
}

/** `at`: how far the client is with it. */
export function printResponse(
  asked: Asked,
  entity: string,
  deltas: readonly PlainDelta[],
  at: Cursor,
  nowMs: number,
  { hasMore = false, reset = false }: ResponseFlags = {},
): string {
  const { syncId, clientId, quality } = asked
  const { epoch, seq } = at
  const clock: WireClock = {
    clientId: epoch,
    versions: { [epoch]: seq },
    timestamp: nowMs,
    lamportCounter: seq,
    nodeId: epoch,
    cursor: { epoch, seq, check: at.check },
  }
  const lamport = { counter: seq, nodeId: epoch, timestamp: nowMs }
  return (
    `{"type":"sync:response","syncId":${JSON.stringify(syncId)},"data":{"clientId":${JSON.stringify(clientId)}` +
    `,"entityType":${JSON.stringify(entity)},"deltas":[${deltas.map(delta => printDelta(delta, epoch)).join(',')}]` +
    `,"currentVectorClock":${JSON.stringify(clock)},"serverLamportClock":${JSON.stringify(lamport)}` +
    `,"qualityMetrics":${JSON.stringify(quality)},"timestamp":${nowMs}` +
    `${hasMore ? ',"hasMore":true' : ''}${reset ? ',"reset":true' : ''}}}`
  )
}

/** What is said to whoever follows from now on. */
export function printConfirmed(entityTypes: readonly string[], timestamp: number): string {
  return JSON.stringify({ type: 'subscription:confirmed', entityTypes, timestamp })
}

/** What became of a pushed delta. */
export function printSyncAck(mutation: Mutation, result: MutationResult): string {
  const [write] = mutation.writes
  return JSON.stringify({
    type: 'sync:ack',
    entityType: write?.entity,
    entityId: write === undefined ? undefined : (result.ids?.[write.id] ?? write.id),
    status: result.status,
    version: result.version,
    mutationId: mutation.mutationId,
    error: result.error,
    lost: result.lost?.[0]?.columns,
  })
}
