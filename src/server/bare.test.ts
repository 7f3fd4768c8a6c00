import { expect, test } from 'vitest'
import { stampOf } from '../core/index.ts'
import { bareFrame, bareFrames } from './bare.ts'
import type { BareDialect, PlacedChange } from './bare.ts'

const row = (seq: number, more: Partial<PlacedChange> = {}): PlacedChange => ({
  entity: 'users',
  id: '1',
  seq,
  json: '{"id":1,"name":"A, \\"b\\"","tags":[1,{"x":2}],"note":null}',
  idJson: '1',
  created: false,
  reading: 1_700_000_000_000_000,
  temporary: null,
  previous: 0,
  ...more,
})
const cell = (seq: number, ms = 1_700_000_000_000): { seq: number; stamp: string; by: null } => ({
  seq,
  stamp: stampOf(ms * 1000, 'n'),
  by: null,
})
const told = (dialect: BareDialect, rows: PlacedChange[], after = 0): Record<string, unknown>[] =>
  bareFrames(dialect, rows, after, true).map(
    frame => (JSON.parse(frame.text) as { change: Record<string, unknown> }).change,
  )

test('a plain change: its version is the id of the event', () => {
  const origin = { client: 'c', mutation: 'm-3' }
  const made = { id: '7', idJson: '7', json: '{"id":7}', created: true, previous: 4, origin }
  const [frame] = bareFrames('plain', [row(7, made)], 4, true)
  expect(frame?.eventId).toBe(7)
  expect(JSON.parse(frame?.text ?? '')).toEqual({
    type: 'change',
    change: {
      entity: 'users',
      id: 7,
      entity_id: '7',
      action: 'create',
      data: { id: 7 },
      version: 7,
      prev_version: 4,
      timestamp: 1_700_000_000_000,
      // whose it was is nobody's business; the name that its sender gave it tells the sender
      mutation_id: 'm-3',
    },
  })
  expect(told('plain', [row(8, { json: null })])).toMatchObject([{ action: 'delete', data: null }])
})

test('[E1] each field that was written is a change with its own version and time, in the order of their writing', () => {
  const rows = [
    row(4, { id: '2', idJson: '2', cells: { note: cell(4) } }),
    row(9, {
      cells: { tags: cell(9, 1_700_000_000_500), name: cell(3) },
      origin: { client: 'c', mutation: 'm' },
    }),
  ]
  expect(told('field', rows)).toEqual([
    {
      entity: 'users',
      id: 1,
      entity_id: '1',
      field: 'name',
      value: 'A, "b"',
      action: 'update',
      version: 3,
      timestamp: '2023-11-14T22:13:20.000Z',
    },
    {
      entity: 'users',
      id: 2,
      entity_id: '2',
      field: 'note',
      value: null,
      action: 'update',
      version: 4,
      timestamp: '2023-11-14T22:13:20.000Z',
    },
    {
      entity: 'users',
      id: 1,
      entity_id: '1',
      field: 'tags',
      value: [1, { x: 2 }],
      action: 'update',
      version: 9,
      timestamp: '2023-11-14T22:13:20.500Z',
      // the name is that of the row's last write, and says nothing of the other
      mutation_id: 'm',
    },
  ])
  // what is known already is not told again
  expect(told('field', rows, 4).map(change => change['field'])).toEqual(['tags'])
})

test('[E1] of a row made anew every column is one, and a deleted row is one without a field', () => {
  const made = told('field', [row(5, { created: true, cells: undefined })])
  expect(made.map(({ field, action, version }) => [field, action, version])).toEqual([
    ['id', 'create', 5],
    ['name', 'create', 5],
    ['tags', 'create', 5],
    ['note', 'create', 5],
  ])
  expect(told('field', [row(6, { json: null })])).toMatchObject([
    { entity_id: '1', field: null, value: null, action: 'delete', version: 6 },
  ])
})

test('[E1] [V1] what was written to a column that the row does not show is told to nobody', () => {
  expect(told('field', [row(5, { cells: { secret: cell(5) } })])).toEqual([])
})

test('[E5] the last field of all that is told together has its id: whoever heard it has heard the others', () => {
  const rows = [
    row(5, { created: true, cells: undefined }),
    row(6, { cells: { name: cell(6), tags: cell(6) } }),
  ]
  expect(bareFrames('field', rows, 0, true).map(frame => frame.eventId)).toEqual([
    null,
    null,
    null,
    null,
    null,
    6,
  ])
  const more = bareFrames('field', rows, 0, true).map(({ text }) => text.endsWith(',"more":true}'))
  expect(more).toEqual([true, true, true, true, true, false])
  expect(bareFrames('field', rows, 0, false).every(frame => frame.eventId === null)).toBe(true)
})

test('many changes in one frame', () => {
  const frame = bareFrame('field', { entity: 'users', version: 8, more: false }, [row(8, { json: null })], 0)
  expect(JSON.parse(frame.text)).toMatchObject({
    type: 'field_changes',
    entity: 'users',
    version: 8,
    changes: [{ field: null, action: 'delete' }],
    has_more: false,
  })
})
