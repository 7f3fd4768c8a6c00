import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Summary, bucketCount, bucketOf, unequalBuckets } from './hash.ts'

const pairs = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 12 }), fc.nat(1e6)), {
  selector: ([id]) => id,
  maxLength: 80,
})

function summary(held: readonly (readonly [string, number])[]): number[] {
  const made = new Summary()
  for (const [id, seq] of held) made.toggle(id, seq)
  return made.values()
}

test('[S7] equal holdings have equal summaries in any order, and values are safe integers', () => {
  fc.assert(
    fc.property(pairs, held => {
      expect(summary([...held].reverse())).toEqual(summary(held))
      expect(summary([...held, ...held])).toEqual(summary([]))
      expect(summary(held).every(Number.isSafeInteger)).toBe(true)
    }),
    { seed: 4 },
  )
})

test('[S7] what differs shows in the buckets of the ids that differ', () => {
  fc.assert(
    fc.property(pairs, fc.string({ maxLength: 12 }), fc.nat(1e6), (held, id, seq) => {
      fc.pre(held.every(([other]) => other !== id))
      expect(unequalBuckets(summary(held), summary([...held, [id, seq]]))).toEqual([bucketOf(id)])
      expect(unequalBuckets(summary([...held, [id, seq + 1]]), summary([...held, [id, seq]]))).toEqual([
        bucketOf(id),
      ])
    }),
    { seed: 5 },
  )
})

test('[S7] ids and seqs do not run into each other, and buckets fill evenly', () => {
  expect(summary([['1:1', 2]])).not.toEqual(summary([['1', 21]]))
  const counts = Array.from({ length: bucketCount }, () => 0)
  for (let i = 0; i < 100_000; i++) counts[bucketOf(String(i))] = (counts[bucketOf(String(i))] ?? 0) + 1
  expect(Math.min(...counts)).toBeGreaterThan(250)
  expect(Math.max(...counts)).toBeLessThan(550)
  const seen = new Set<number>()
  for (let i = 0; i < 20_000; i++) seen.add(summary([['same', i]])[bucketOf('same')] ?? -1)
  expect(seen.size).toBe(20_000)
})
