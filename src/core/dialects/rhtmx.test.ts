import { expect, test } from 'vitest'
import { temporaryPrefix } from '../ids.ts'
import { defaultLimits } from '../limits.ts'
import { decodePush, plainResult, printChangeFrame, printPlainChange } from './rhtmx.ts'

test('a push in all its spellings', () => {
  const decode = (push: object): object => decodePush({ ...push }, 'todo', defaultLimits, 1e12)
  expect(decode({ id: 5, data: { a: 1 }, base_version: 0, mutation_id: 'm' })).toEqual({
    n: null,
    mutationId: 'm',
    base: { epoch: '', seq: 0 },
    stamp: null,
    writes: [{ entity: 'todo', id: '5', action: 'update', data: { a: 1 } }],
  })
  expect(decode({ entity_id: 'x', action: 'delete' })).toMatchObject({
    base: null,
    writes: [{ id: 'x', action: 'delete' }],
  })
  expect(decode({ action: 'create', data: { title: 't' } })).toMatchObject({
    writes: [{ id: 'tmp_', action: 'create' }],
  })
  expect(decode({ data: { id: 7, a: 1 }, upsert: true })).toMatchObject({
    writes: [{ id: '7', upsert: true }],
  })
  expect(() => decode({ data: {} })).toThrow('id')
})

test('what is printed is JSON, whatever the names are', () => {
  const change = printPlainChange({
    entity: 'a"b',
    id: '\u2028"',
    idJson: '"\\u2028\\""',
    action: 'update',
    data: '{"x":1}',
    version: 4,
    previous: 3,
    reading: 5_000_000,
    origin: { client: 'c"', mutation: 'm' },
  })
  expect(JSON.parse(printChangeFrame('change', change))).toEqual({
    type: 'change',
    change: {
      entity: 'a"b',
      id: '\u2028"',
      entity_id: '\u2028"',
      action: 'update',
      data: { x: 1 },
      version: 4,
      prev_version: 3,
      timestamp: 5000,
      mutation_id: 'm',
    },
  })
})

test('[Q6] a result speaks of the row under the id that it has now', () => {
  const mutation = {
    n: null,
    base: null,
    stamp: null,
    writes: [{ entity: 'e', id: 'tmp_1', action: 'create' as const, data: {} }],
  }
  expect(
    plainResult(mutation, { n: null, status: 'applied', version: 3, ids: { tmp_1: '12' } }, true),
  ).toEqual({ id: 12, entity_id: '12', status: 'applied', version: 3, ids: { tmp_1: '12' } })
  expect(plainResult(mutation, { n: null, status: 'rejected', version: 3 }, true).id).toBe('tmp_1')
  const nameless = { ...mutation, writes: mutation.writes.map(write => ({ ...write, id: temporaryPrefix })) }
  expect(plainResult(nameless, { n: null, status: 'rejected', version: 3 }, true)).toMatchObject({
    id: null,
    entity_id: null,
  })
})
