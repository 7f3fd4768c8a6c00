import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../limits.ts'
import type { EntityShape } from '../protocol.ts'
import { batchOf, cursorOf, decodeAnswer } from './differential-down.ts'
import {
  decodeDifferential,
  placeIn,
  printClock,
  printResponse,
  readClock,
  unmeasured,
} from './differential.ts'
import type { PlainDelta, VectorClock } from './differential.ts'

const shape: EntityShape = {
  columns: [
    ['id', 'text'],
    ['a', 'any'],
    ['b', 'any'],
  ],
  key: ['id'],
  hash: 'h',
  strategy: 'last-write-wins',
}

const names = fc.string({ minLength: 1, maxLength: 20 })
const seqs = fc.nat(Number.MAX_SAFE_INTEGER)
const cursors = fc.record({ epoch: names, seq: seqs, check: seqs })
const clocks: fc.Arbitrary<VectorClock> = fc.record(
  {
    clientId: names,
    versions: fc.array(fc.tuple(names, seqs), { maxLength: 5 }).map(all => new Map(all)),
    timestamp: seqs,
    lamportCounter: seqs,
    nodeId: names,
    cursor: cursors,
  },
  { requiredKeys: ['clientId', 'versions', 'timestamp', 'lamportCounter', 'nodeId'] },
)

describe('[W2] a clock is a cursor, printed', () => {
  test('T-D07 what is printed is read again as it was, also where nothing is known', () => {
    fc.assert(
      fc.property(clocks, clock => {
        const wire: unknown = JSON.parse(JSON.stringify(printClock(clock)))
        expect(readClock(wire)).toEqual(clock)
      }),
    )
    const empty = { clientId: 'c', versions: new Map(), timestamp: 0, lamportCounter: 0, nodeId: 'n' }
    expect(readClock(JSON.parse(JSON.stringify(printClock(empty))))).toEqual(empty)
  })

  test('without a cursor, its versions or its node say how far it has a log', () => {
    const clock = { clientId: 'c', timestamp: 0, lamportCounter: 7, nodeId: 'e' }
    expect(placeIn({ ...clock, versions: new Map([['e', 5]]) }, 'e')).toBe(5)
    expect(placeIn({ ...clock, versions: new Map() }, 'e')).toBe(7)
    expect(placeIn({ ...clock, versions: new Map([['e', 5]]) }, 'other')).toBe(0)
    expect(cursorOf({ ...clock, versions: new Map() })).toEqual({ epoch: 'e', seq: 7, check: 0 })
  })

  test('X59 it does not grow with what is written, and one that did is refused', () => {
    const deltas: PlainDelta[] = Array.from({ length: 5000 }, (_, i) => ({
      entity: 'users',
      id: `u${i}`,
      action: 'update',
      fields: [{ name: 'a', value: '1' }],
      version: i + 1,
      reading: 0,
      temporary: null,
    }))
    const asked = { syncId: 's', clientId: 'c', quality: unmeasured }
    const text = printResponse(asked, 'users', deltas, { epoch: 'e', seq: 5000, check: 1 }, 0)
    expect(decodeAnswer(JSON.parse(text)).currentVectorClock.versions).toEqual(new Map([['e', 5000]]))
    const versions = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`n${i}`, 1]))
    expect(() => readClock({ clientId: 'c', versions })).toThrow(/1000/)
  })
})

test('[W3] an answer becomes the batch that brings its rows: made, patched, gone, renamed', () => {
  const deltas: PlainDelta[] = [
    {
      entity: 'users',
      id: 'new',
      action: 'create',
      fields: [
        { name: 'b', value: '[2]' },
        { name: 'id', value: '"new"' },
      ],
      version: 3,
      reading: 5_000,
      temporary: 'tmp_1',
    },
    {
      entity: 'users',
      id: 'old',
      action: 'update',
      fields: [{ name: 'a', value: '"x"' }],
      version: 4,
      reading: 6_000,
      temporary: null,
    },
    {
      entity: 'users',
      id: 'over',
      action: 'delete',
      fields: [{ name: 'id', value: 'null', old: '"over"' }],
      version: 5,
      reading: 7_000,
      temporary: null,
    },
  ]
  const from = { epoch: 'e', seq: 2, check: 1 }
  const to = { epoch: 'e', seq: 6, check: 2 }
  const asked = { syncId: 's', clientId: 'c', quality: unmeasured }
  const answer = decodeAnswer(JSON.parse(printResponse(asked, 'users', deltas, to, 9)))
  expect(answer.deltas.map(({ changes }) => changes[0])).toEqual([
    { field: 'b', oldValue: null, newValue: [2], changeType: 'create', timestamp: 5 },
    { field: 'a', oldValue: null, newValue: 'x', changeType: 'update', timestamp: 6 },
    { field: 'id', oldValue: 'over', newValue: null, changeType: 'delete', timestamp: 7 },
  ])
  expect(batchOf(answer, from, shape)).toEqual({
    type: 'batch',
    scopes: ['users'],
    from,
    to,
    sets: [
      {
        entity: 'users',
        rows: [[3, 'new', null, [2]]],
        patches: [['old', 4, { a: 'x' }]],
        gone: [['over', 5]],
        renamed: [['tmp_1', 'new']],
      },
    ],
  })
  const part = decodeAnswer(JSON.parse(printResponse(asked, 'users', [], to, 9, { hasMore: true })))
  expect(batchOf(part, from, shape)).not.toHaveProperty('to')
})

describe('[W5] what is no message is refused with a code', () => {
  const decode = (message: object): unknown => decodeDifferential({ ...message }, defaultLimits, 0)

  test('requests, deltas and clocks that lack something', () => {
    expect(decode({ type: 'sync:other' })).toBe(undefined)
    for (const message of [
      { type: 'sync:request', data: { entityType: 'users' } },
      { type: 'sync:request', syncId: 's', data: {} },
      { type: 'sync:request', syncId: 's', data: { entityType: 'users', lastKnownVectorClock: 7 } },
      { type: 'sync:request', syncId: 's', data: { entityType: 'users', qualityMetrics: { latency: -1 } } },
      { type: 'sync:subscribe', data: {} },
      { type: 'sync:delta', data: { entityType: 'users', entityId: 'u', changes: [] } },
      { type: 'sync:delta', data: { entityType: 'users', entityId: 'u', changes: [{ field: '__proto__' }] } },
      // one field that is deleted would take the row, and with it the other
      {
        type: 'sync:delta',
        data: {
          entityType: 'users',
          entityId: 'u',
          timestamp: 1,
          changes: [
            { field: 'note', newValue: null, changeType: 'delete' },
            { field: 'title', newValue: 'kept' },
          ],
        },
      },
    ])
      expect(() => decode(message), JSON.stringify(message)).toThrow(
        expect.objectContaining({ code: 'INVALID_MESSAGE' }),
      )
  })

  test('a delta goes by the cursor of its clock, else by its time', () => {
    const changes = [{ field: 'a', newValue: 1 }]
    const delta = { entityType: 'users', entityId: 7, changes, timestamp: 5 }
    const clock = { clientId: 'c', cursor: { epoch: 'e', seq: 3, check: 1 } }
    expect(decode({ type: 'sync:delta', data: { ...delta, vectorClock: clock } })).toMatchObject({
      mutations: [
        { n: null, base: { epoch: 'e', seq: 3 }, writes: [{ id: '7', action: 'update', data: { a: 1 } }] },
      ],
    })
    expect(decode({ type: 'sync:delta', data: delta })).toMatchObject({
      mutations: [{ base: null, stamp: expect.stringMatching(/^\d{16}\.push$/) }],
    })
  })
})
