// Hybrid logical clock. A reading is an integer of microseconds since 1970 (below 2^53 until 2255): the wall clock in
// its thousands, a counter in its last three digits, carrying over when a millisecond holds more than a thousand events.
// A stamp is its printable form, `<16 digits>.<node>`, and sorts as plain ASCII: greater stamp, later write; equal
// readings are ordered by node, so every replica names the same winner. SQLite's triggers make the same integers.

export type Reading = number
export type Stamp = string

/** How far ahead of the server a writer's clock may be before its stamp is clamped. Milliseconds. */
export const defaultMaxDrift = 60_000

const digits = 16
const stampPattern = /^\d{16}\.[\w-]{1,64}$/

export function stampOf(reading: Reading, node: string): Stamp {
  return `${String(reading).padStart(digits, '0')}.${node}`
}

export function readingOf(stamp: Stamp): Reading {
  return Number(stamp.slice(0, digits))
}

export function isStamp(value: unknown): value is Stamp {
  return typeof value === 'string' && stampPattern.test(value) && readingOf(value) <= Number.MAX_SAFE_INTEGER
}

export function readingOfMs(ms: number): Reading {
  return Math.trunc(ms) * 1000
}

export function msOfReading(reading: Reading): number {
  return Math.floor(reading / 1000)
}

/** The next reading of a clock that last read `last`, at wall time `nowMs`: never equal, never backwards. */
export function tick(last: Reading, nowMs: number): Reading {
  return Math.max(readingOfMs(nowMs), last + 1)
}

/**
 * The stamp under which a write is stored: the writer's own, pulled back to at most `maxDriftMs` ahead of the server,
 * and always above `stored`, so that stamps rise with `seq` along each cell whatever the writers' clocks say.
 */
export function settleStamp(
  written: Stamp | null,
  stored: Stamp | null,
  nowMs: number,
  node: string,
  maxDriftMs: number,
): Stamp {
  const clamped = clampStamp(written, nowMs, node, maxDriftMs)
  if (stored === null || clamped > stored) return clamped
  return stampOf(readingOf(stored) + 1, nodeOf(clamped))
}

/** The stamp that a write competes with: its own within the allowed drift, or the server's clock where it has none. */
export function clampStamp(written: Stamp | null, nowMs: number, node: string, maxDriftMs: number): Stamp {
  if (written === null) return stampOf(readingOfMs(nowMs), node)
  const limit = readingOfMs(nowMs + maxDriftMs)
  return readingOf(written) > limit ? stampOf(limit, nodeOf(written)) : written
}

export function nodeOf(stamp: Stamp): string {
  return stamp.slice(digits + 1)
}
