import { expect, test } from 'vitest'
import { stampOf } from '../clock.ts'
import type { Standing } from '../decide.ts'
import { defaultLimits } from '../limits.ts'
import type { MutationResult } from '../protocol.ts'
import { decodeFields, decodeRhtmxField, fieldOutcome, latestFields, printFieldAck } from './rhtmx-field.ts'
import type { FieldPush, StoredRow } from './rhtmx-field.ts'

const now = Date.UTC(2026, 1, 3)
const decode = (...items: object[]): FieldPush => decodeFields(items, 'users', defaultLimits, now)
const at = '2026-02-02T00:00:00Z'
const stamp = (ms: number): string => stampOf(ms * 1000, 'push')

test('the documented push_fields is one update of one field', () => {
  const text =
    '{"type":"push_fields","entity":"users","entity_id":"1","fields":[{"field":"name","value":"Alice","action":"update","timestamp":"2024-01-01T12:00:00Z"}]}'
  const push = decodeRhtmxField(JSON.parse(text) as Record<string, unknown>, defaultLimits, now)
  expect(push).toEqual({
    type: 'pushFields',
    entity: 'users',
    mutations: [
      {
        n: null,
        base: null,
        stamp: stamp(Date.UTC(2024, 0, 1, 12)),
        writes: [{ entity: 'users', id: '1', action: 'update', data: { name: 'Alice' } }],
      },
    ],
    entries: [{ field: 'name', value: 'Alice', mutation: 0 }],
  })
  expect(decodeRhtmxField({ type: 'push' }, defaultLimits, now)).toBeUndefined()
})

test('a frame may say for all its fields what they do not say themselves', () => {
  const frame = { type: 'push_fields', entity: 'users', entity_id: 1, base_version: 4, mutation_id: 'm' }
  const fields = [
    { field: 'name', value: 'A' },
    { field: 'email', value: 'e', base_version: 5 },
  ]
  const push = decodeRhtmxField({ ...frame, fields }, defaultLimits, now)
  expect(push?.mutations).toMatchObject([
    { mutationId: 'm', base: { seq: 4 }, writes: [{ id: '1', data: { name: 'A' } }] },
    { mutationId: 'm', base: { seq: 5 }, writes: [{ id: '1', data: { email: 'e' } }] },
  ])
})

test('[E3] fields of one row that follow each other and say the same of themselves are one write', () => {
  const create = { action: 'create', timestamp: at }
  const { mutations, entries } = decode(
    { entity_id: 1, field: 'name', value: 'A', ...create },
    { entity_id: 1, field: 'email', value: 'e', ...create },
    // twice the same field, another row, another time, another base, another name: each a write of its own
    { entity_id: 1, field: 'name', value: 'B', ...create },
    { entity_id: 2, field: 'name', value: 'C', ...create },
    { entity_id: 2, field: 'email', value: 'C', action: 'create' },
    { entity_id: 2, field: 'name', value: 'D', base_version: 3 },
    { entity_id: 2, field: 'email', value: 'D', base_version: 3, mutation_id: 'm' },
  )
  expect(mutations.map(({ writes }) => writes[0]?.data)).toEqual([
    { name: 'A', email: 'e' },
    { name: 'B' },
    { name: 'C' },
    { email: 'C' },
    { name: 'D' },
    { email: 'D' },
  ])
  expect(entries.map(({ mutation }) => mutation)).toEqual([0, 0, 1, 2, 3, 4, 5])
})

test('a delete with a field empties it, one without is of the row; a create may leave its id to the database', () => {
  const { mutations } = decode(
    { entity_id: 1, field: 'name', action: 'delete' },
    { entity_id: 1, action: 'delete' },
    { entity_id: 1, field: null, action: 'delete' },
    { field: 'name', value: 'new', action: 'create', upsert: true },
  )
  expect(mutations.map(({ writes }) => writes[0])).toEqual([
    { entity: 'users', id: '1', action: 'update', data: { name: null } },
    { entity: 'users', id: '1', action: 'delete' },
    { entity: 'users', id: '1', action: 'delete' },
    { entity: 'users', id: 'tmp_', action: 'create', data: { name: 'new' }, upsert: true },
  ])
})

test('[S1] what is no field is refused', () => {
  const frame = { type: 'push_fields', entity: 'users', entity_id: 1 }
  const refused = [
    { entity_id: 1, value: 1 },
    { entity_id: 1, field: 'name' },
    { entity_id: 1, field: 5, value: 1 },
    { field: 'name', value: 1 },
    { entity_id: 1, field: 'name', value: 1, action: 'drop' },
    { entity_id: 1, field: '__proto__', value: 1 },
    { entity_id: 1, field: 'name', value: JSON.parse('{"__proto__":1}') as unknown },
    { entity_id: 1, field: 'name', value: 1, timestamp: 'soon' },
    { entity_id: 1, field: 'name', value: 1, base_version: -1 },
  ]
  for (const item of refused)
    expect(() => decode(item), JSON.stringify(item)).toThrow(
      expect.objectContaining({ code: 'INVALID_MESSAGE' }),
    )
  for (const fields of [[], 5, [5], undefined])
    expect(() => decodeRhtmxField({ ...frame, fields }, defaultLimits, now)).toThrow()
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

const standing = (more: Partial<Standing> = {}): Standing => ({
  exists: true,
  whole: { seq: 2, stamp: stamp(1000), by: null },
  cells: { name: { seq: 7, stamp: stamp(5000), by: null } },
  gone: null,
  seq: 7,
  ...more,
})
const result = (status: MutationResult['status'], more: Partial<MutationResult> = {}): MutationResult => ({
  n: null,
  status,
  version: 9,
  ...more,
})

test('[E3] [E4] each field counts once, and a conflict shows what stands in its place', () => {
  const push = decode(
    { entity_id: 1, field: 'name', value: 'mine', timestamp: 3000 },
    { entity_id: 1, field: 'email', value: 'e', timestamp: 3000 },
    { entity_id: 2, field: 'name', value: 'x' },
    { entity_id: 3, field: 'name', value: 'x' },
    { entity_id: 4, field: 'name', value: 'x' },
  )
  const lost = [{ entity: 'users', id: '1', columns: ['name'] }]
  const results = [
    result('merged', { lost }),
    result('applied'),
    result('duplicate'),
    result('rejected', { error: { code: 'UNKNOWN_FIELD', message: 'no' } }),
  ]
  const stored = new Map([[0, { row: { name: 'theirs', email: 'e' }, standing: standing() }]])
  const outcome = fieldOutcome(push, results, stored, true)
  expect(outcome).toMatchObject({ applied: 2, conflicts: 1, duplicates: 1, rejected: 1 })
  expect(outcome.results.map(({ id, field, status }) => [id, field, status])).toEqual([
    [1, 'name', 'conflict'],
    [1, 'email', 'applied'],
    [2, 'name', 'applied'],
    [3, 'name', 'duplicate'],
    [4, 'name', 'rejected'],
  ])
  expect(outcome.conflict_details).toEqual([
    {
      entity_id: '1',
      field: 'name',
      server_value: 'theirs',
      client_value: 'mine',
      server_timestamp: '1970-01-01T00:00:05.000Z',
      client_timestamp: '1970-01-01T00:00:03.000Z',
    },
  ])
  expect(JSON.parse(printFieldAck(push, results, outcome))).toMatchObject({
    type: 'push_ack',
    entity: 'users',
    entity_id: '1',
    status: 'merged',
    version: 9,
    error: { code: 'UNKNOWN_FIELD' },
    conflict_details: [{ field: 'name' }],
  })
})

test('[D6] a value that a resolver replaced was not stored', () => {
  const push = decode(
    { entity_id: 1, field: 'name', value: 'mine' },
    { entity_id: 1, field: 'email', value: 'e' },
  )
  const stored = new Map([[0, { row: { name: 'mine+theirs', email: 'e' }, standing: standing() }]])
  expect(fieldOutcome(push, [result('merged')], stored, true)).toMatchObject({
    applied: 1,
    conflicts: 1,
    conflict_details: [{ field: 'name', server_value: 'mine+theirs' }],
  })
})

test('[E4] of a row or a column that the writer does not see nothing is told', () => {
  const push = decode({ entity_id: 1, field: 'name', value: 'mine' }, { entity_id: 1, action: 'delete' })
  const conflicts = [result('conflict'), result('conflict')]
  const seen = (stored: StoredRow): unknown[] =>
    fieldOutcome(push, conflicts, new Map([0, 1].map(place => [place, stored])), true).conflict_details.map(
      ({ server_value, server_timestamp }) => [server_value, server_timestamp],
    )
  expect(seen({ row: null, standing: standing() })).toEqual([
    [null, null],
    [null, null],
  ])
  // the time of the hidden column is not the row's either
  expect(seen({ row: { email: 'e' }, standing: standing() })).toEqual([
    [null, null],
    [{ email: 'e' }, '1970-01-01T00:00:01.000Z'],
  ])
  const gone = { seq: 8, stamp: stamp(8000) }
  expect(seen({ row: null, standing: standing({ exists: false, gone }) })).toEqual([
    [null, '1970-01-01T00:00:08.000Z'],
    [null, '1970-01-01T00:00:08.000Z'],
  ])
})

test('[E7] X58 the latest fields have the version of their own last write, of the row, or none', () => {
  expect(latestFields({ id: 1, name: 'A' }, standing())).toEqual([
    { field: 'id', value: 1, version: 2, timestamp: '1970-01-01T00:00:01.000Z' },
    { field: 'name', value: 'A', version: 7, timestamp: '1970-01-01T00:00:05.000Z' },
  ])
  expect(latestFields({ id: 1 }, standing({ whole: null, cells: {} }))).toEqual([
    { field: 'id', value: 1, version: 0, timestamp: '1970-01-01T00:00:00.000Z' },
  ])
})
