import { expect, test } from 'vitest'
import { SyncError } from '../core/index.ts'
import { TokenBucket } from './bucket.ts'
import { nodeEnv } from './env.ts'
import { defaultServerLimits } from './limits.ts'
import { classOf, Meters } from './meter.ts'
import type { Meter } from './meter.ts'

test('[G1] X43 a bucket gives its burst, then so many a second; what is taken beyond it is paid back first', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 0)
  for (let i = 0; i < 3; i++) {
    expect(bucket.wait(0)).toBe(0)
    bucket.take(1, 0)
  }
  expect(bucket.wait(0)).toBe(100)
  expect(bucket.wait(99)).toBe(1)
  expect(bucket.wait(100)).toBe(0)
  bucket.take(21, 100)
  expect(bucket.wait(100)).toBe(2100)
  expect(bucket.wait(2200)).toBe(0)
  // nothing is saved up beyond the burst
  for (let i = 0; i < 3; i++) bucket.take(1, 100_000)
  expect(bucket.wait(100_000)).toBe(100)
})

test('[G1] a clock that is set back neither gives nor takes', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 1 }, 50_000)
  bucket.take(1, 50_000)
  expect(bucket.wait(10_000)).toBe(100)
  expect(bucket.wait(10_100)).toBe(0)
})

const later =
  (timers: (() => void)[]) =>
  (_ms: number, run: () => void): (() => void) => {
    timers.push(run)
    return () => {}
  }

function meters() {
  const clock = { now: 0 }
  const timers: (() => void)[] = []
  const limits = {
    ...defaultServerLimits,
    controlRate: { perSecond: 1, burst: 2 },
    dataRate: { perSecond: 10, burst: 20 },
    userControlRate: { perSecond: 1, burst: 3 },
    userDataRate: { perSecond: 10, burst: 30 },
  }
  const env = { ...nodeEnv(), now: () => clock.now, after: later(timers) }
  return { clock, timers, meters: new Meters(limits, env) }
}

function refusal(meter: Meter, kind: 'control' | 'data', cost = 1): number | null {
  try {
    meter.charge(kind, cost)
    return null
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    expect([error.code, error.retryable]).toEqual(['RATE_LIMITED', true])
    return error.retryAfterMs ?? 0
  }
}

test('[G1] X43 each connection has its own, those of a user share one more, and the classes none', () => {
  const { clock, meters: all } = meters()
  const [phone, desk] = [all.connection('ada'), all.connection('ada')]
  expect([1, 2, 3].map(() => refusal(phone, 'control'))).toEqual([null, null, 1000])
  expect(refusal(phone, 'data', 20)).toBe(null)
  // the third of the user
  expect([1, 2].map(() => refusal(desk, 'control'))).toEqual([null, 1000])
  expect(refusal(desk, 'data', 15)).toBe(null)
  expect(refusal(all.user('ada'), 'data')).toBe(600)
  expect(refusal(all.connection('bob'), 'data')).toBe(null)
  clock.now += 600
  expect(refusal(desk, 'data')).toBe(null)
})

test('[G1] of those who wait for the same place one is answered, and the other waits on', async () => {
  const { clock, timers, meters: all } = meters()
  const [phone, desk] = [all.connection('ada'), all.connection('ada')]
  all.user('ada').take('control', 3)
  const answered: string[] = []
  const waiting = [
    phone.turn(() => true).then(() => answered.push('phone')),
    desk.turn(() => true).then(() => answered.push('desk')),
  ]
  const pass = async (ms: number): Promise<void> => {
    clock.now += ms
    for (const run of timers.splice(0)) run()
    await new Promise(resolve => setImmediate(resolve))
  }
  await pass(1000)
  expect(answered).toEqual(['phone'])
  expect([phone.waits, desk.waits]).toEqual([false, true])
  await pass(1000)
  await Promise.all(waiting)
  expect(answered).toEqual(['phone', 'desk'])
  expect(desk.waits).toBe(false)
})

test('[G1] who is gone is waited for no longer', async () => {
  const { clock, timers, meters: all } = meters()
  const phone = all.connection('ada')
  phone.take('control', 9)
  let open = true
  const turn = phone.turn(() => open)
  open = false
  clock.now += 1
  for (const run of timers.splice(0)) run()
  await turn
  expect(timers).toEqual([])
})

test('[G1] where nobody is asked who they are, only connections are counted', () => {
  const { meters: all } = meters()
  for (let i = 0; i < 10; i++) expect(refusal(all.user('anon'), 'control')).toBe(null)
  const connection = all.connection('anon')
  expect([1, 2, 3].map(() => refusal(connection, 'control'))).toEqual([null, null, 1000])
  expect(all.size).toBe(0)
})

test('[G1] users who have not asked for long are forgotten, and others not', () => {
  const { clock, meters: all } = meters()
  refusal(all.user('ada'), 'control')
  all.beat()
  expect(all.size).toBe(1)
  clock.now += 1000
  all.beat()
  expect(all.size).toBe(0)
})

test('[G1] a heartbeat costs nothing', () => {
  expect(Object.entries(classOf).flatMap(([type, kind]) => (kind === null ? [type] : []))).toEqual([
    'ping',
    'sync:ping',
  ])
})
