import { expect, test } from 'vitest'
import { idOfRow, idOfValue, isForbiddenName, isTemporaryId, maxIdLength } from './ids.ts'
import { keyOfId, nativeId } from './keys.ts'

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

test('an id is a number where its column is one that JavaScript can hold, and text otherwise', () => {
  const integers = ['7', '-7', '9007199254740991', '9007199254740993', 'tmp_1'].map(id => nativeId(id, true))
  expect(integers).toEqual([7, -7, 9_007_199_254_740_991, '9007199254740993', 'tmp_1'])
  expect(nativeId('7', false)).toBe('7')
})

test('the key columns of an id are its own values', () => {
  const columns = [
    ['a', 'text'],
    ['b', 'integer'],
  ] as const
  expect(keyOfId('5', null)).toEqual({ id: '5' })
  expect(keyOfId('5', { key: ['b'], columns })).toEqual({ b: 5 })
  expect(keyOfId('["5","6"]', { key: ['a', 'b'], columns })).toEqual({ a: '5', b: 6 })
  // of a key that was a single column before
  expect(keyOfId('5', { key: ['a', 'b'], columns })).toEqual({ a: '5', b: null })
})
