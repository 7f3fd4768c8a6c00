import { expect, test } from 'vitest'
import type { EntityShape } from '../core/index.ts'
import { deltasOf, plainDelta } from './deltas.ts'
import type { ChangedRow } from './store.ts'

const shape: EntityShape = {
  columns: [
    ['id', 'text'],
    ['a', 'text'],
    ['b', 'text'],
    ['sum', 'text'],
  ],
  key: ['id'],
  hash: 'h',
  strategy: 'last-write-wins',
}

const row: ChangedRow = {
  entity: 'notes',
  id: 'n',
  seq: 9,
  json: '"n","A,1","B","AB"',
  idJson: '"n"',
  created: false,
  reading: 7_000,
  temporary: null,
}

const cell = (seq: number): { seq: number; stamp: string; by: null; n: null } => ({
  seq,
  stamp: '',
  by: null,
  n: null,
})

const fields = (changed: ChangedRow, after: number): unknown =>
  plainDelta(changed, after, shape)?.fields.map(({ name, value }) => `${name}=${value}`)

test('[W3] the fields that were written since the asked place, and no others', () => {
  const cells = { a: cell(5), b: cell(9), sum: cell(9) }
  expect(fields({ ...row, cells }, 5)).toEqual(['b="B"', 'sum="AB"'])
  expect(fields({ ...row, cells }, 4)).toEqual(['a="A,1"', 'b="B"', 'sum="AB"'])
  expect(fields({ ...row, cells }, 9)).toBe(undefined)
  expect(fields(row, 0)).toHaveLength(4)
  expect(fields({ ...row, cells, created: true }, 8)).toHaveLength(4)
})

test('[W3] a row that is gone is its key; where nothing shows that was written there is no delta', () => {
  expect(plainDelta({ ...row, json: null }, 0, shape)).toMatchObject({
    action: 'delete',
    fields: [{ name: 'id', value: 'null', old: '"n"' }],
  })
  const narrow = { ...shape, columns: shape.columns.slice(0, 2) }
  const cells = { b: cell(9) }
  expect(plainDelta({ ...row, json: '"n","A,1"', cells }, 5, narrow)).toBe(null)
})

test('[W3] a row that was made is said to be, and no other is; a row that is gone is named by its own key', () => {
  const cells = { a: cell(9) }
  expect(plainDelta({ ...row, cells, created: true }, 5, shape)?.action).toBe('create')
  expect(plainDelta({ ...row, cells }, 5, shape)?.action).toBe('update')
  const other = { columns: shape.columns, key: ['code'] }
  expect(plainDelta({ ...row, json: null }, 0, other)?.fields).toEqual([
    { name: 'code', value: 'null', old: '"n"' },
  ])
})

test('[W3] [V1] of an entity that is not shown nothing is told, not even what is gone', () => {
  const rows = [
    row,
    { ...row, json: null },
    { ...row, entity: 'hidden' },
    { ...row, entity: 'hidden', json: null },
  ]
  const told = deltasOf(rows, 0, entity => (entity === 'notes' ? shape : undefined))
  expect(told.map(({ entity, action }) => [entity, action])).toEqual([
    ['notes', 'update'],
    ['notes', 'delete'],
  ])
})
