// The field spelling of the bare protocol: what is pushed and told is fields, not rows. The same log, the same writes:
// fields of a row that belong together are one write, and of a change one entry is told for each column that it wrote.
import type { Action, Mutation, Write } from '../change.ts'
import { msOfReading, readingOf } from '../clock.ts'
import type { Stamp } from '../clock.ts'
import { cellOf } from '../decide.ts'
import type { Standing } from '../decide.ts'
import { decodeAction } from '../decode-up.ts'
import type { Json, Row } from '../ids.ts'
import { asArray, asObject, asRow, asString, invalid } from '../limits.ts'
import type { Limits, Unknown } from '../limits.ts'
import type { MutationResult } from '../protocol.ts'
import { sameJson } from '../change.ts'
import { decodeOrigin, decodeRowId, plainResult } from './rhtmx.ts'
import type { PlainResult } from './rhtmx.ts'
import { printIso } from './timestamp.ts'

/** `{"type":"push_fields","entity","entity_id","fields":[...]}`, or the `changes` of a POST. Answered field by field. */
export interface FieldPush {
  readonly type: 'pushFields'
  readonly entity: string
  readonly mutations: readonly Mutation[]
  /** What was submitted, in its order. */
  readonly entries: readonly FieldEntry[]
}

export interface FieldEntry {
  /** Null: the row itself. */
  readonly field: string | null
  readonly value: Json
  /** The place of its mutation. */
  readonly mutation: number
}

/** The message of this spelling; undefined for another one. */
export function decodeRhtmxField(message: Unknown, limits: Limits, nowMs: number): FieldPush | undefined {
  if (message['type'] !== 'push_fields') return undefined
  const entity = asString(message['entity'], 'entity')
  const fields = asArray(message['fields'], 'fields', limits)
  if (fields.length === 0) throw invalid('fields must name at least one field')
  const said = Object.fromEntries(sharable.map(name => [name, message[name]]))
  return decodeFields(fields, entity, limits, nowMs, said)
}

/** What a frame may say for all of its fields. */
const sharable = [
  'entity_id',
  'id',
  'entityId',
  'timestamp',
  'base_version',
  'mutation_id',
  'upsert',
] as const

/** One write in the making: fields of one row that say the same of themselves. */
interface Group {
  readonly key: string
  readonly origin: Omit<Mutation, 'writes'>
  readonly write: Omit<Write, 'data'>
  readonly data: Record<string, Json> | null
}

/** `common` is what an entry says that does not say it itself. Entries that follow each other and can be one write are one (rule E3). */
export function decodeFields(
  items: readonly unknown[],
  entity: string,
  limits: Limits,
  nowMs: number,
  common: Unknown = {},
): FieldPush {
  const groups: Group[] = []
  const entries = items.map((item): FieldEntry => {
    const said: Unknown = { ...common, ...asObject(item, 'a field') }
    const action = decodeAction(said['action'] ?? 'update')
    const field = decodeField(said, action)
    const value = field === null || action === 'delete' ? null : decodeValue(said, field, limits)
    // without a field a delete is of the row; with one it leaves nothing in that field
    const done: Action = action === 'delete' && field !== null ? 'update' : action
    const group = beginGroup(said, done, entity, nowMs)
    const last = groups.at(-1)
    const joins =
      last !== undefined &&
      last.key === group.key &&
      last.data !== null &&
      !(field !== null && field in last.data)
    if (!joins) groups.push(group)
    const { data } = joins ? last : group
    if (field !== null && data !== null) data[field] = value
    return { field, value, mutation: groups.length - 1 }
  })
  return { type: 'pushFields', entity, mutations: groups.map(mutationOf), entries }
}

function beginGroup(said: Unknown, action: Action, entity: string, nowMs: number): Group {
  const origin = decodeOrigin(said, nowMs)
  const id = decodeRowId(said, action)
  const upsert = said['upsert'] === true
  const write = { entity, id, action, ...(upsert ? { upsert } : {}) }
  // reason: a map that names of columns are looked up in must have none of its own
  const data = action === 'delete' ? null : (Object.create(null) as Record<string, Json>)
  return { key: JSON.stringify([origin, write]), origin, write, data }
}

function mutationOf({ origin, write, data }: Group): Mutation {
  return { ...origin, writes: [data === null ? write : { ...write, data: { ...data } }] }
}

function decodeField(said: Unknown, action: Action): string | null {
  const field = said['field'] ?? null
  if (field === null && action === 'update') throw invalid('an update needs a field')
  return field === null ? null : asString(field, 'field')
}

function decodeValue(said: Unknown, field: string, limits: Limits): Json {
  if (said['value'] === undefined) throw invalid(`'${field.slice(0, 80)}' needs a value`)
  return asRow({ [field]: said['value'] }, 'a field', limits)[field] ?? null
}

// ---- what became of it

/** The row of a write as it stands now, as far as the writer may see it. */
export interface StoredRow {
  readonly row: Row | null
  readonly standing: Standing
}

/** As in the answer of a POST, and in a `push_ack`: each field counts once. */
export interface FieldCounts {
  readonly applied: number
  readonly conflicts: number
  readonly duplicates: number
  readonly rejected: number
}

export interface FieldResult extends PlainResult {
  readonly field: string | null
}

/** A written value that was not stored, and the one that stands in its place. */
export interface ConflictDetail {
  readonly entity_id: string | null
  readonly field: string | null
  readonly server_value: Json
  readonly client_value: Json
  readonly server_timestamp: string | null
  readonly client_timestamp: string | null
}

export interface FieldOutcome extends FieldCounts {
  readonly results: readonly FieldResult[]
  readonly conflict_details: readonly ConflictDetail[]
}

/** `stored`: by the place of the mutation, for those that met something. */
export function fieldOutcome(
  push: FieldPush,
  outcome: readonly MutationResult[],
  stored: ReadonlyMap<number, StoredRow>,
  numericId: boolean,
): FieldOutcome {
  const results: FieldResult[] = []
  const details: ConflictDetail[] = []
  for (const { field, value, mutation: place } of push.entries) {
    const mutation = push.mutations[place]
    const result = outcome[place]
    if (mutation === undefined || result === undefined) continue
    const met = stored.get(place)
    const status = statusOf(field, value, result, met)
    const plain = plainResult(mutation, result, numericId)
    results.push({ ...plain, field, status })
    if (status !== 'conflict') continue
    details.push({
      entity_id: plain.entity_id,
      field,
      server_value: field === null ? (met?.row ?? null) : (met?.row?.[field] ?? null),
      client_value: value,
      server_timestamp: met === undefined ? null : printStamp(stampOf(field, met)),
      client_timestamp: printStamp(mutation.stamp),
    })
  }
  const count = (status: FieldResult['status']): number =>
    results.filter(result => result.status === status).length
  return {
    applied: count('applied'),
    conflicts: count('conflict'),
    duplicates: count('duplicate'),
    rejected: count('rejected'),
    results,
    conflict_details: details,
  }
}

function statusOf(
  field: string | null,
  value: Json,
  { status, lost }: MutationResult,
  met: StoredRow | undefined,
): FieldResult['status'] {
  if (status !== 'merged') return status
  if (field === null) return 'applied'
  // without a column that was lost, a resolver has put its own values where it wanted
  const kept =
    lost === undefined
      ? met?.row == null || sameJson(met.row[field], value)
      : !lost.some(({ columns }) => columns.includes(field))
  return kept ? 'applied' : 'conflict'
}

/** Of the row itself: of what became of it last. Null: the writer sees no such row. */
function stampOf(field: string | null, { row, standing }: StoredRow): Stamp | null {
  if (!standing.exists) return standing.gone?.stamp ?? null
  if (row === null || (field !== null && !Object.hasOwn(row, field))) return null
  const stamps = (field === null ? Object.keys(row) : [field]).map(
    column => cellOf(standing, column)?.stamp ?? baseline,
  )
  return stamps.reduce((a, b) => (a > b ? a : b), baseline)
}

/** Before all that is written down. */
const baseline: Stamp = `${'0'.repeat(16)}.`

function printStamp(stamp: Stamp | null): string | null {
  return stamp === null ? null : printIso(msOfReading(readingOf(stamp)))
}

export function printFieldAck(
  push: FieldPush,
  outcome: readonly MutationResult[],
  fields: FieldOutcome,
): string {
  const { applied, conflicts, duplicates, rejected, results, conflict_details } = fields
  const [first] = results
  const statuses = new Set(outcome.map(({ status }) => status))
  const [only = 'applied'] = statuses
  const failed = results.find(({ error }) => error !== undefined)
  return JSON.stringify({
    type: 'push_ack',
    entity: push.entity,
    id: first?.id,
    entity_id: first?.entity_id,
    status: statuses.size > 1 ? 'merged' : only,
    version: Math.max(0, ...outcome.map(({ version }) => version)),
    ...(first?.mutation_id === undefined ? {} : { mutation_id: first.mutation_id }),
    applied,
    conflicts,
    duplicates,
    rejected,
    ...(failed === undefined ? {} : { error: failed.error }),
    ...(conflict_details.length === 0 ? {} : { conflict_details }),
  })
}

// ---- printing

/** A field of a change. `idJson` and `value` are JSON text. */
export interface FieldChange {
  readonly entity: string
  readonly id: string
  readonly idJson: string
  /** Null: the row is gone. */
  readonly field: string | null
  readonly value: string
  readonly action: Action
  readonly version: number
  /** Clock reading of its write. */
  readonly reading: number
  /** A foreign client's own name for it. */
  readonly mutation: string | undefined
}

export function printFieldChange(change: FieldChange): string {
  const { entity, id, idJson, field, value, action, version, reading, mutation } = change
  const name = mutation === undefined ? '' : `,"mutation_id":${JSON.stringify(mutation)}`
  return (
    `{"entity":${JSON.stringify(entity)},"id":${idJson},"entity_id":${JSON.stringify(id)}` +
    `,"field":${JSON.stringify(field)},"value":${value},"action":"${action}","version":${version}` +
    `,"timestamp":"${printIso(msOfReading(reading))}"${name}}`
  )
}

/** Every field of a row with the version and the time of its last write: 0 and 1970 where nobody has written it since. */
export function latestFields(
  row: Row,
  standing: Standing,
): readonly { field: string; value: Json; version: number; timestamp: string | null }[] {
  return Object.entries(row).map(([field, value]) => {
    const cell = cellOf(standing, field)
    return { field, value, version: cell?.seq ?? 0, timestamp: printStamp(cell?.stamp ?? baseline) }
  })
}
