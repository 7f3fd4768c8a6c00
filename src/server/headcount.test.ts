import { expect, test } from 'vitest'
import { ByteBudget, leastBytes } from './budget.ts'
import { fakePeer } from '../testing/fake-peer.ts'
import { Headcount } from './headcount.ts'
import { defaultServerLimits, readLimits } from './limits.ts'
import type { ServerLimits } from './limits.ts'
import { Pulse } from './pulse.ts'
import type { Peer } from './peer.ts'

const headcount = (limits: Partial<ServerLimits>): Headcount =>
  new Headcount({ ...defaultServerLimits, ...limits })

test('[G3] connections are counted by address from the door on, and in all', () => {
  const count = headcount({ maxConnections: 4, maxConnectionsPerAddress: 2 })
  const atTheDoor = count.arrive('1.1.1.1')
  const inside = count.enter('ada', '1.1.1.1')
  expect(() => count.arrive('1.1.1.1')).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
  count.enter('bob', '2.2.2.2')
  // without an address: only in all
  count.enter('bob', undefined)
  expect(() => count.enter('eve', undefined)).toThrow(expect.objectContaining({ code: 'OVERLOADED' }))
  atTheDoor()
  atTheDoor()
  count.arrive('3.3.3.3')
  expect(() => count.arrive('3.3.3.3')).toThrow(expect.objectContaining({ code: 'OVERLOADED' }))
  inside()
  count.arrive('1.1.1.1')
})

test('[G3] X43 a user has so many; who is not let in leaves no trace, and nobody in particular is not counted', () => {
  const count = headcount({ maxConnectionsPerUser: 1, maxConnectionsPerAddress: 3 })
  const leave = count.enter('ada', 'a')
  for (let i = 0; i < 10; i++) {
    expect(() => count.enter('ada', 'a')).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED', retryAfterMs: 10_000 }),
    )
  }
  count.enter('anon', 'a')
  count.enter('anon', 'a')
  leave()
  count.enter('ada', 'a')
})

test('[G5] beyond the budget of the process each has no more than a little', () => {
  const budget = new ByteBudget(1000)
  const first = budget.move(0, 900)
  expect(budget.limit(2 ** 20)).toBe(2 ** 20)
  const second = budget.move(0, 101)
  expect([budget.tight, budget.limit(2 ** 20), budget.limit(10)]).toEqual([true, leastBytes, 10])
  budget.move(first, 0)
  budget.move(second, 0)
  expect([budget.used, budget.tight]).toEqual([0, false])
})

test('[G6] a limit that is misspelt or none is refused at the start', () => {
  expect(readLimits({ maxItems: 5 })).toEqual({ ...defaultServerLimits, maxItems: 5 })
  expect(readLimits({ dataRate: { perSecond: 1, burst: Infinity } }).dataRate.burst).toBe(Infinity)
  expect(readLimits({ maxConnections: Infinity }).maxConnections).toBe(Infinity)
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ maxItem: 5 }, /unknown option 'limits.maxItem'/],
    [{ maxItems: 0 }, /maxItems must be a number above 0/],
    [{ maxItems: Number.NaN }, /maxItems/],
    [{ maxBuffered: '1' }, /maxBuffered/],
    [{ dataRate: 5 }, /dataRate must be \{ perSecond, burst \}/],
    [{ dataRate: { perSecond: 5 } }, /dataRate/],
    [{ dataRate: { perSecond: 0, burst: 1 } }, /dataRate/],
    // it would never have a whole token
    [{ dataRate: { perSecond: 1, burst: 0.5 } }, /dataRate/],
    [{ dataRate: { perSecond: Infinity, burst: 1 } }, /dataRate/],
  ]
  for (const [limits, why] of refused)
    expect(() => readLimits(limits), JSON.stringify(limits)).toThrow(
      expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(why) as string }),
    )
})

function pulse(kind: Peer['kind']) {
  const clock = { now: 0 }
  const said: string[] = []
  const peer = fakePeer(kind, { probe: () => void said.push('probe') })
  const made = new Pulse(peer, () => clock.now, 12_000)
  const beat = (used: boolean, waits = false): string => {
    clock.now += 5_000
    return made.beat(waits, used)
  }
  return { made, said, beat }
}

test.each(['websocket', 'sse', 'long-poll'] as const)(
  '[G4] who asks for nothing is idle in time (%s)',
  kind => {
    const idle = pulse(kind)
    expect([1, 2, 3].map(() => idle.beat(false))).toEqual(['alive', 'alive', 'idle'])
    const used = pulse(kind)
    expect([1, 2, 3, 4].map(() => used.beat(true))).toEqual(['alive', 'alive', 'alive', 'alive'])
  },
)

test('[K12] who is silent is asked twice and then given up; who has to wait is not', () => {
  const { made, said, beat } = pulse('websocket')
  const beats = (n: number, waits = false): string[] => Array.from({ length: n }, () => beat(true, waits))
  expect(beats(6)).toEqual(['alive', 'alive', 'alive', 'alive', 'alive', 'dead'])
  expect(said).toEqual(['probe', 'probe'])
  made.hear()
  expect(beats(20, true)).not.toContain('dead')
})
