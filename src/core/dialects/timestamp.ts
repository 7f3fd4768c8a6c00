// Points in time as both bare dialects spell them. Pure: there is no Date in core.
import { isStamp, readingOfMs, stampOf } from '../clock.ts'
import { invalid } from '../limits.ts'

/** ISO-8601 text, epoch milliseconds, or a stamp. */
export function decodeTimestamp(value: unknown, nowMs: number): string | null {
  if (value === undefined || value === null) return null
  if (isStamp(value)) return value
  const ms = typeof value === 'string' ? parseIso(value) : value
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0)
    throw invalid('timestamp must be ISO-8601 text or milliseconds since 1970')
  // beyond any clock: the drift limit clamps it, and the reading stays a safe integer
  return stampOf(readingOfMs(Math.min(ms, nowMs + 86_400_000)), 'push')
}

const isoPattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,3})\d*)?)?)?(Z|[+-]\d\d:?\d\d)?$/i

/** Milliseconds since 1970 of ISO-8601 text, UTC where it names no zone; NaN where it is none. */
export function parseIso(text: string): number {
  const match = isoPattern.exec(text)
  if (match === null) return Number.NaN
  const part = (i: number): number => Number(match[i] ?? 0)
  if (
    part(2) < 1 ||
    part(2) > 12 ||
    part(3) < 1 ||
    part(3) > 31 ||
    part(4) > 24 ||
    part(5) > 59 ||
    part(6) > 60
  )
    return Number.NaN
  const ms = Number((match[7] ?? '').padEnd(3, '0')) || 0
  const zone = match[8]
  const offset =
    zone === undefined || zone.length < 5
      ? 0
      : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
  return (
    ((daysSince1970(part(1), part(2), part(3)) * 24 + part(4)) * 60 + part(5) - offset) * 60_000 +
    part(6) * 1000 +
    ms
  )
}

/** Days of the Gregorian calendar, counted with years that begin in March, so that a leap day is a year's last. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const monthFromMarch = (month + 9) % 12
  return (
    365 * y +
    Math.floor(y / 4) -
    Math.floor(y / 100) +
    Math.floor(y / 400) +
    Math.floor((153 * monthFromMarch + 2) / 5) +
    day -
    1 -
    719_468
  )
}

/** The text of milliseconds since 1970: `2026-01-02T03:04:05.678Z`. It sorts as the times do. */
export function printIso(ms: number): string {
  const days = Math.floor(ms / 86_400_000)
  const rest = ms - days * 86_400_000
  const pad = (value: number, width = 2): string => String(Math.floor(value)).padStart(width, '0')
  const [year, month, day] = dayOf(days)
  const time = `${pad(rest / 3_600_000)}:${pad((rest / 60_000) % 60)}:${pad((rest / 1000) % 60)}.${pad(rest % 1000, 3)}`
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${time}Z`
}

/** The other way round: of the days before a day, as many whole eras, years and months as fit. */
function dayOf(days: number): readonly [year: number, month: number, day: number] {
  const sinceMarch0 = days + 719_468
  const era = Math.floor(sinceMarch0 / 146_097)
  const inEra = sinceMarch0 - era * 146_097
  const yearInEra = Math.floor(
    (inEra - Math.floor(inEra / 1460) + Math.floor(inEra / 36_524) - Math.floor(inEra / 146_096)) / 365,
  )
  const inYear = inEra - (365 * yearInEra + Math.floor(yearInEra / 4) - Math.floor(yearInEra / 100))
  const monthFromMarch = Math.floor((5 * inYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const day = inYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  return [yearInEra + era * 400 + (month <= 2 ? 1 : 0), month, day]
}
