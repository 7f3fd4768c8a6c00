import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readingOf, msOfReading } from '../clock.ts'
import { decodeTimestamp, parseIso, printIso } from './timestamp.ts'

test('parseIso and printIso agree with Date on everything that Date prints, in every zone', () => {
  const ms = fc.integer({ min: Date.UTC(0, 0, 1) + 1e12, max: Date.UTC(9999, 11, 31) })
  fc.assert(
    fc.property(ms, fc.integer({ min: -14 * 60, max: 14 * 60 }), (time, minutes) => {
      const text = new Date(time).toISOString()
      expect(parseIso(text)).toBe(time)
      expect(printIso(time)).toBe(text)
      expect(parseIso(text.slice(0, 10))).toBe(Math.floor(time / 86_400_000) * 86_400_000)
      const sign = minutes < 0 ? '-' : '+'
      const zone = `${sign}${String(Math.floor(Math.abs(minutes) / 60)).padStart(2, '0')}:${String(Math.abs(minutes) % 60).padStart(2, '0')}`
      const shifted = new Date(time + minutes * 60_000).toISOString().replace('Z', zone)
      expect(parseIso(shifted)).toBe(Date.parse(shifted))
      expect(parseIso(shifted.replace(/:(\d\d)$/, '$1'))).toBe(time)
    }),
    { seed: 13, numRuns: 1000 },
  )
})

test('every day of four centuries', () => {
  for (let day = Date.UTC(1900, 0, 1); day < Date.UTC(2300, 0, 1); day += 86_400_000) {
    const text = new Date(day).toISOString()
    if (parseIso(text) !== day || printIso(day) !== text) throw new Error(text)
  }
})

test('other spellings, and what is no time', () => {
  const noon = Date.UTC(2026, 1, 3, 12, 0, 0)
  for (const text of [
    '2026-02-03T12:00',
    '2026-02-03 12:00:00',
    '2026-02-03t12:00:00z',
    '2026-02-03T12:00:00,000Z',
    '2026-02-03T12:00:00.0004Z',
    '2026-02-03T14:00+02:00',
    '2026-02-03T14:00+0200',
  ]) {
    expect(parseIso(text), text).toBe(noon)
  }
  expect(parseIso('2026-02-03T12:00:00.5Z')).toBe(noon + 500)
  for (const text of [
    '',
    'now',
    '2026',
    '2026-02',
    '2026-13-01',
    '2026-00-01',
    '2026-01-32',
    '2026-01-00',
    '2026-01-01T25:00Z',
    '2026-01-01T00:60Z',
    '2026-1-1',
    '+2026-01-01',
    '2026-01-01T00:00 Z',
  ]) {
    expect(parseIso(text), text).toBeNaN()
  }
})

test('[D3] a timestamp is text, milliseconds or a stamp; absurd ones are pulled to tomorrow', () => {
  const now = Date.UTC(2026, 1, 3)
  const ms = (value: unknown): number => msOfReading(readingOf(decodeTimestamp(value, now) ?? ''))
  expect([ms('2026-02-02T00:00:00Z'), ms(now - 5), ms(1e300)]).toEqual([
    now - 86_400_000,
    now - 5,
    now + 86_400_000,
  ])
  expect([decodeTimestamp(null, now), decodeTimestamp(undefined, now)]).toEqual([null, null])
  expect(decodeTimestamp('0000000000000001.n', now)).toBe('0000000000000001.n')
  for (const bad of [Number.NaN, -1, true, {}, 'x', Number.POSITIVE_INFINITY])
    expect(() => decodeTimestamp(bad, now)).toThrow('timestamp')
})
