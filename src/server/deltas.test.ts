import { expect, test } from 'vitest'
import type { EntityShape } from '../core/index.ts'
import { plainDelta } from './deltas.ts'
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
