// The client's half of the differential dialect: what a server answers, checked at the door, becomes a batch as the
// replica takes it. Neighbours on the line: the link's frames before it, the replica behind it.
import type { Cursor } from '../cursor.ts'
import { decodeAction, decodeId } from '../decode-up.ts'
import { isForbiddenName } from '../ids.ts'
import type { Json, Row } from '../ids.ts'
import { asInteger, asObject, asRow, asString, defaultLimits, invalid } from '../limits.ts'
import type { Unknown } from '../limits.ts'
import type { Batch, EntityShape, WireRow } from '../protocol.ts'
import { ofOneType, readClock, readQuality } from './differential.ts'
import type { Delta, FieldDelta, QualityMetrics, VectorClock } from './differential.ts'

export interface LamportClock {
  readonly counter: number
  readonly nodeId: string
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

/** The `data` of a `sync:response`. */
export interface SyncAnswer {
  readonly syncId: string
  readonly clientId: string
  readonly entityType: string
  readonly deltas: readonly Delta[]
  readonly currentVectorClock: VectorClock
  readonly serverLamportClock: LamportClock
  readonly qualityMetrics: QualityMetrics
  /** Milliseconds since 1970. */
  readonly timestamp: number
  /** Another one of the same `syncId` follows. */
  readonly hasMore: boolean
}

/** Throws INVALID_MESSAGE. */
export function decodeAnswer(message: Unknown): SyncAnswer {
  const data = asObject(message['data'], 'data')
  const lamport = asObject(data['serverLamportClock'], 'serverLamportClock')
  return {
    syncId: asString(message['syncId'], 'syncId'),
    clientId: asString(data['clientId'], 'clientId'),
    entityType: asString(data['entityType'], 'entityType'),
    deltas: listOf(data['deltas'], 'deltas').map(readDelta),
    currentVectorClock: readClock(data['currentVectorClock']),
    serverLamportClock: {
      counter: asInteger(lamport['counter'], 'counter'),
      nodeId: asString(lamport['nodeId'], 'nodeId'),
      timestamp: asInteger(lamport['timestamp'], 'timestamp'),
    },
    qualityMetrics: readQuality(data['qualityMetrics']),
    timestamp: asInteger(data['timestamp'], 'timestamp'),
    hasMore: data['hasMore'] === true,
  }
}

function readDelta(item: unknown): Delta {
  const delta = asObject(item, 'a delta')
  const changes = listOf(delta['changes'], 'changes').map(readChange)
  if (changes.length === 0) throw invalid('a delta needs at least one change')
  ofOneType(changes.map(({ changeType }) => changeType))
  return {
    entityType: asString(delta['entityType'], 'entityType'),
    entityId: decodeId(delta['entityId']),
    changes,
    vectorClock: readClock(delta['vectorClock']),
    timestamp: asInteger(delta['timestamp'], 'timestamp'),
    ...(delta['temporaryId'] === undefined
      ? {}
      : { temporaryId: asString(delta['temporaryId'], 'temporaryId') }),
  }
}

function readChange(item: unknown): FieldDelta {
  const change = asObject(item, 'a change')
  const field = asString(change['field'], 'field')
  if (!('newValue' in change)) throw invalid('a change must have a newValue')
  const { oldValue = null, newValue } = change
  if (isForbiddenName(field)) throw invalid(`a field must not be called '${field}'`)
  const values = asRow({ oldValue, newValue }, 'a change', defaultLimits)
  return {
    field,
    oldValue: values['oldValue'] ?? null,
    newValue: values['newValue'] ?? null,
    changeType: decodeAction(change['changeType']),
    timestamp: asInteger(change['timestamp'], 'timestamp'),
  }
}

/** An answer is as long as it is: its frame was taken already. */
function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} must be an array`)
  return value
}

/** The place that a clock prints. A server that names no cursor counts along its own log. */
export function cursorOf({ cursor, nodeId, lamportCounter }: VectorClock): Cursor {
  return cursor ?? { epoch: nodeId, seq: lamportCounter, check: 0 }
}

/** `from`: the cursor that was asked with. Whoever takes it judges by the cursors whether it fits (rule R3). */
export function batchOf(answer: SyncAnswer, from: Cursor | null, shape: EntityShape): Batch {
  const { entityType: entity, deltas, currentVectorClock, hasMore } = answer
  const rows: WireRow[] = []
  const patches: [string, number, Row][] = []
  const gone: [string, number][] = []
  const renamed: [string, string][] = []
  for (const { entityType, entityId: id, changes, vectorClock, temporaryId } of deltas) {
    if (entityType !== entity) continue
    const version = vectorClock.versions.get(id) ?? vectorClock.lamportCounter
    const values = new Map<string, Json>(changes.map(({ field, newValue }) => [field, newValue]))
    const action = changes[0]?.changeType
    if (action === 'delete') gone.push([id, version])
    else if (action === 'create')
      rows.push([version, ...shape.columns.map(([name]) => values.get(name) ?? null)])
    else patches.push([id, version, Object.fromEntries(values)])
    if (temporaryId !== undefined) renamed.push([temporaryId, id])
  }
  return {
    type: 'batch',
    scopes: [entity],
    from,
    ...(hasMore ? {} : { to: cursorOf(currentVectorClock) }),
    sets: [{ entity, rows, patches, gone, renamed }],
  }
}
