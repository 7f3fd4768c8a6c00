import { expect, test } from 'vitest'
import type { EntityShape } from '../protocol.ts'
import { batchOf, decodeAnswer } from './differential-down.ts'
import { printSyncAck } from './differential.ts'

const clock = (versions: object): object => ({ clientId: 'e', versions, lamportCounter: 9, nodeId: 'e' })
const delta = (entityType: string, entityId: string, field: string, versions = {}): object => ({
  entityType,
  entityId,
  changes: [{ field, newValue: 'x', changeType: 'update', timestamp: 1 }],
  vectorClock: clock(versions),
  timestamp: 1,
})
const answer = (...deltas: object[]): Record<string, unknown> => ({
  syncId: 's',
  data: {
    clientId: 'c',
    entityType: 'users',
    deltas,
    currentVectorClock: clock({}),
    serverLamportClock: { counter: 9, nodeId: 'e', timestamp: 1 },
    qualityMetrics: { qualityScore: 1, latency: 0, packetLoss: 0, jitter: 0, connectionStability: 1 },
    timestamp: 1,
  },
})
const shape: EntityShape = {
  columns: [
    ['id', 'text'],
    ['name', 'text'],
  ],
  key: ['id'],
  hash: 'h',
  strategy: 'last-write-wins',
}

test('[W3] a delta has the version of its own row, and those of other types are none of the answer', () => {
  const told = decodeAnswer(
    answer(delta('users', 'u', 'name', { u: 4 }), delta('orders', 'o', 'name'), delta('users', 'v', 'name')),
  )
  expect(batchOf(told, null, shape).sets[0]?.patches).toEqual([
    ['u', 4, { name: 'x' }],
    ['v', 9, { name: 'x' }],
  ])
})

test('[W5] a field that would reach the prototype of a row is refused', () => {
  for (const name of ['__proto__', 'constructor', 'prototype'])
    expect(() => decodeAnswer(answer(delta('users', 'u', name)))).toThrow(/must not be called/)
})

test('[W4] [Q6] what became of a delta is said under the id that its row has now', () => {
  const writes = [{ entity: 'users', id: 'tmp_1', action: 'create' } as const]
  const ids = { tmp_1: '7' }
  expect(
    JSON.parse(
      printSyncAck(
        { n: null, base: null, stamp: null, writes },
        { n: null, status: 'applied', version: 3, ids },
      ),
    ),
  ).toMatchObject({ type: 'sync:ack', entityType: 'users', entityId: '7', version: 3 })
})
