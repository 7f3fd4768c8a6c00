import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  clampStamp,
  isStamp,
  msOfReading,
  nodeOf,
  readingOf,
  readingOfMs,
  settleStamp,
  stampOf,
  tick,
} from './clock.ts'

const nowMs = 1_800_000_000_000

test('stamps sort as text as their readings do, ties by node', () => {
  const reading = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
  const node = fc.stringMatching(/^[\w-]{1,12}$/)
  fc.assert(
    fc.property(reading, reading, node, node, (a, b, m, n) => {
      const [one, other] = [stampOf(a, m), stampOf(b, n)]
      expect(one < other).toBe(a < b || (a === b && m < n))
      expect([readingOf(one), nodeOf(one), isStamp(one)]).toEqual([a, m, true])
    }),
    { seed: 1 },
  )
})

test('isStamp refuses everything else', () => {
  const not = [
    '',
    'x',
    1,
    null,
    {},
    '0000000000000001',
    '0000000000000001.',
    '000000000000001.n',
    '0000000000000001.n n',
    '9999999999999999.n',
    `0000000000000001.${'n'.repeat(65)}`,
    '0000000000000001.n\n',
  ]
  for (const value of not) expect(isStamp(value), JSON.stringify(value)).toBe(false)
})

test('a clock never stands still nor goes back, and carries over', () => {
  expect(tick(0, nowMs)).toBe(readingOfMs(nowMs))
  expect(tick(readingOfMs(nowMs), nowMs)).toBe(readingOfMs(nowMs) + 1)
  expect(tick(readingOfMs(nowMs), nowMs - 10_000)).toBe(readingOfMs(nowMs) + 1)
  let reading = readingOfMs(nowMs)
  for (let i = 0; i < 1500; i++) reading = tick(reading, nowMs)
  expect(msOfReading(reading)).toBe(nowMs + 1)
  expect(tick(5, 1.9)).toBe(1000)
})

test('[D12] a stamp is clamped to the drift and settles above what it replaces', () => {
  const limit = stampOf(readingOfMs(nowMs + 60_000), 'n')
  expect(clampStamp(stampOf(readingOfMs(nowMs + 86_400_000), 'n'), nowMs, 's', 60_000)).toBe(limit)
  expect(clampStamp(limit, nowMs, 's', 60_000)).toBe(limit)
  expect(clampStamp(null, nowMs, 's', 60_000)).toBe(stampOf(readingOfMs(nowMs), 's'))
  expect(settleStamp(stampOf(5, 'n'), stampOf(9, 'z'), nowMs, 's', 60_000)).toBe(stampOf(10, 'n'))
  expect(settleStamp(stampOf(9, 'n'), stampOf(9, 'n'), nowMs, 's', 60_000)).toBe(stampOf(10, 'n'))
  expect(settleStamp(stampOf(9, 'n'), null, nowMs, 's', 60_000)).toBe(stampOf(9, 'n'))
})
