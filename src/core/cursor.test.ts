import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contiguity, isSeq, keepMark, maxMarks, sameCursor } from './cursor.ts'
import type { Cursor } from './cursor.ts'

const at = (seq: number, check = seq * 7, epoch = 'e'): Cursor => ({ epoch, seq, check })

test('[R3] a batch fits where the replica stands, was overtaken, or leaves a gap', () => {
  const cases: [Cursor | null, Cursor | null, Cursor, string][] = [
    [at(5), at(5), at(9), 'apply'],
    [at(5), at(5), at(5), 'apply'],
    [null, null, at(9), 'apply'],
    [at(9), at(5), at(9), 'overtaken'],
    [at(9), at(2), at(4), 'overtaken'],
    [at(9), null, at(4), 'overtaken'],
    [at(5), at(7), at(9), 'gap'],
    [at(5), at(4), at(9), 'gap'],
    [at(5), null, at(9), 'gap'],
    [null, at(5), at(9), 'gap'],
    [at(5), at(5, 1), at(9), 'gap'],
    [at(9), at(5), at(6, 1, 'other'), 'gap'],
  ]
  for (const [here, from, to, then] of cases)
    expect(contiguity(here, from, to), JSON.stringify([here, from, to])).toBe(then)
})

test('cursors are the same in all three parts or not at all', () => {
  expect(sameCursor(at(5), at(5))).toBe(true)
  for (const other of [at(6), at(5, 1), at(5, 35, 'f'), null]) expect(sameCursor(at(5), other)).toBe(false)
  expect(sameCursor(null, null)).toBe(true)
})

test('isSeq', () => {
  for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) expect(isSeq(value)).toBe(true)
  for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, undefined, 1n])
    expect(isSeq(value)).toBe(false)
})

test('[L6] marks are few, newest first, of one log, and reach far back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 300 }), steps => {
      let seq = 0
      let marks: Cursor[] = []
      for (const step of steps) {
        marks = keepMark(marks, at(seq))
        seq += step
        expect(marks.length).toBeLessThanOrEqual(maxMarks)
        for (const [i, mark] of marks.entries())
          expect(mark.seq).toBeLessThan(marks[i - 1]?.seq ?? Number.POSITIVE_INFINITY)
      }
    }),
    { seed: 3, numRuns: 50 },
  )
  let marks: Cursor[] = []
  for (let seq = 1; seq <= 100_000; seq++) marks = keepMark(marks, at(seq))
  expect(marks[0]?.seq).toBe(100_000)
  expect(marks.at(-1)?.seq).toBe(1)
  // wherever the log branched off, a mark below it is not much further back
  for (const branch of [99_990, 99_000, 50_000, 10]) {
    const common = marks.find(mark => mark.seq <= branch)?.seq ?? 0
    expect(100_000 - common).toBeLessThanOrEqual(5 * (100_000 - branch) + 5)
  }
  expect(keepMark(marks, at(3, 1, 'new'))).toEqual([at(3, 1, 'new')])
})
