// Medians, rounds in shuffled order, and the printed rows.

export function median(values) {
  return quantile(values, 0.5)
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]
}

/**
 * Runs every variant once per round, in another order each time, so that a slow minute of the machine hits them all.
 * @returns {Promise<Record<string, object[]>>} the samples of each variant
 */
export async function rounds(variants, count, run) {
  const samples = Object.fromEntries(variants.map(variant => [variant, []]))
  for (let round = 0; round < count; round++) {
    for (const variant of shuffled(variants)) samples[variant].push(await run(variant, round))
  }
  return samples
}

function shuffled(items) {
  const rest = [...items]
  return items.map(() => rest.splice(Math.floor(Math.random() * rest.length), 1)[0])
}

/** The median of one figure over the samples. */
export function middle(samples, figure) {
  return median(samples.map(figure))
}

export const rowsPrinted = []

/**
 * One line: `M1a  p50 3.1 ms (floor 2.6, x1.2, target x1.5)  ok`.
 * `limit`: the ratio to the floor that is allowed (`most`) or asked for (`least`); null: only reported.
 */
export function report({ id, what, unit, value, control, name = 'floor', limit = null, kind = 'most' }) {
  const ratio = control === undefined ? undefined : value / control
  const judged = ratio ?? value
  const fine = limit === null ? null : kind === 'most' ? judged <= limit : judged >= limit
  const parts = []
  // a limit in bytes is exact
  const show = figure => (unit === 'B' ? figure.toFixed(0) : round(figure))
  if (control !== undefined) parts.push(`${name} ${show(control)}`, `x${round(ratio)}`)
  const target = control === undefined ? show(limit ?? 0) : `x${round(limit ?? 0)}`
  if (limit !== null) parts.push(`target ${target}${kind === 'least' ? ' or more' : ''}`)
  const verdict = fine === null ? '' : fine ? '  ok' : '  MISS'
  const note = parts.length === 0 ? '' : ` (${parts.join(', ')})`
  console.log(`${id.padEnd(5)}${what} ${show(value)} ${unit}${note}${verdict}`)
  rowsPrinted.push({ id, what, value, control, ratio, limit, ok: fine })
}

function round(value) {
  if (value >= 1000) return value >= 10_000 ? `${Math.round(value / 1000)}k` : `${(value / 1000).toFixed(1)}k`
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** A faster but wrong run does not count: it ends the bench. */
export function expect(fact, message) {
  if (!fact) throw new Error(`wrong result: ${message}`)
}
