import { expect, test } from 'vitest'
import { unmeasured } from '../../core/index.ts'
import type { Delta, SyncAnswer, VectorClock } from '../../core/index.ts'
import type { Engine } from '../../client/index.ts'
import { FakeEnv } from '../../testing/fake-env.ts'
import { Emitter } from './emitter.ts'
import type { DifferentialEvents } from './events.ts'
import { Requests } from './requests.ts'

test('[W3] [W8] an answer in pages is told once, whole; an answer to another question is for nobody here', async () => {
  const clock: VectorClock = {
    clientId: 'c',
    versions: new Map(),
    timestamp: 1,
    lamportCounter: 1,
    nodeId: 'n',
  }
  const deltaOf = (entityId: string): Delta => ({
    entityType: 'users',
    entityId,
    changes: [],
    vectorClock: clock,
    timestamp: 1,
  })
  const events = new Emitter<DifferentialEvents>(error => {
    throw error
  })
  const told: string[][] = []
  events.add('sync:response', ({ deltas }) => told.push(deltas.map(({ entityId }) => entityId)))
  const requests = new Requests(
    {
      engine: {} as Engine, // reason: what is asked of it is not what is tested
      env: new FakeEnv('x_'),
      clientId: 'c',
      patience: { answerMs: 1, policy: { initial: 1, max: 1, factor: 1, jitter: 0, attempts: 0 } },
      targetReduction: 0.5,
      clockOf: () => clock,
      quality: () => unmeasured,
      filled: deltas => [...deltas],
      sizeOf: () => 0,
    },
    events,
  )
  const done = requests.run('users').catch(() => 'over')
  const syncId = requests.get('users')?.syncId ?? ''
  const page = (ids: string[], hasMore: boolean, of = syncId): boolean => {
    const answer: SyncAnswer = {
      syncId: of,
      clientId: 'c',
      entityType: 'users',
      deltas: ids.map(deltaOf),
      currentVectorClock: clock,
      serverLamportClock: { counter: 1, nodeId: 'n', timestamp: 1 },
      qualityMetrics: unmeasured,
      timestamp: 1,
      hasMore,
    }
    return requests.answered(answer, '{}')
  }
  expect([page(['z'], false, 'other'), page(['a', 'b'], true), page(['c'], false)]).toEqual([
    false,
    false,
    true,
  ])
  expect(told).toEqual([['a', 'b', 'c']])
  // who asks while the question is open waits for the same answer; then it is over
  expect(requests.run('users')).toBe(requests.run('users'))
  expect(await done).toBe('over')
  expect(requests.get('users')).toBeUndefined()
})
