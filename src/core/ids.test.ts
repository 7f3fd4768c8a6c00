import { expect, test } from 'vitest'
import { idOfRow, idOfValue, isForbiddenName, isTemporaryId, keyOfId, maxIdLength } from './ids.ts'

test('every spelling of an id becomes text, and what is none becomes null', () => {
  const cases: [unknown, string | null][] = [
    ['a', 'a'],
    [7, '7'],
    [7.5, '7.5'],
    [9n, '9'],
    [-0, '0'],
    [['a', 1], '["a",1]'],
    [{ $blob: 'AA==' }, '{"$blob":"AA=="}'],
    ['', null],
    [null, null],
    [undefined, null],
    [true, null],
    [{}, null],
    [['a'], null],
    [[], null],
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    ['x'.repeat(maxIdLength), 'x'.repeat(maxIdLength)],
    ['x'.repeat(maxIdLength + 1), null],
    [['x'.repeat(maxIdLength), 1], null],
  ]
  for (const [value, id] of cases) expect(idOfValue(value), typeof value).toBe(id)
})

test('the id of a row comes from its key, whole or not at all', () => {
  expect(idOfRow({ id: 5, a: 1 }, ['id'])).toBe('5')
  expect(idOfRow({ a: 'x', b: 2 }, ['a', 'b'])).toBe('["x",2]')
  expect(idOfRow({ a: 'x', b: null }, ['a', 'b'])).toBe(null)
  expect(idOfRow({ a: 'x' }, ['a', 'b'])).toBe(null)
  expect(idOfRow({}, ['id'])).toBe(null)
})

test('the key of an id is spelled as its columns are', () => {
  const columns = [
    ['n', 'integer'],
    ['t', 'text'],
  ] as const
  expect(keyOfId('7', null)).toEqual({ id: '7' })
  expect(keyOfId('7', { key: ['t'], columns })).toEqual({ t: '7' })
  expect(keyOfId('7', { key: ['n'], columns })).toEqual({ n: 7 })
  expect(keyOfId('9007199254740993', { key: ['n'], columns })).toEqual({ n: '9007199254740993' })
  expect(keyOfId('["x",7]', { key: ['t', 'n'], columns })).toEqual({ t: 'x', n: 7 })
  expect(keyOfId('x', { key: ['t', 'n'], columns })).toEqual({ t: 'x', n: null })
})

test('temporary ids and forbidden names', () => {
  expect([isTemporaryId('tmp_1'), isTemporaryId('1'), isTemporaryId('xtmp_')]).toEqual([true, false, false])
  expect(['__proto__', 'constructor', 'prototype', 'toString', 'id'].map(isForbiddenName)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})
