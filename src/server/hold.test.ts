import { expect, test } from 'vitest'
import type { Mutation } from '../core/index.ts'
import { SyncError } from '../core/index.ts'
import { Hold } from './hold.ts'

const frame = (...ns: (number | null)[]): Mutation[] =>
  ns.map(n => ({ n, base: null, stamp: null, writes: [] }))

function held(hold: Hold, mutations: Mutation[], acked: number): boolean {
  try {
    hold.check(mutations, acked)
    return false
  } catch (error) {
    expect(error instanceof SyncError && error.code === 'OVERLOADED' && error.retryable).toBe(true)
    return true
  }
}

test('[Q2] frames behind a refused one wait until it came again', () => {
  const hold = new Hold()
  expect(held(hold, frame(1, 2), 0)).toBe(false)
  hold.refused(3)
  expect(held(hold, frame(5, 6), 2)).toBe(true)
  // those before it go on, and open nothing
  expect(held(hold, frame(2), 1)).toBe(false)
  hold.passed(frame(2), 1)
  expect(held(hold, frame(5), 2)).toBe(true)
  expect(held(hold, frame(3, 4), 2)).toBe(false)
  hold.passed(frame(3, 4), 2)
  expect(held(hold, frame(5), 2)).toBe(false)
})

test('[Q2] or until it came again alone', () => {
  const hold = new Hold()
  hold.refused(3)
  hold.passed(frame(3), 2)
  expect(held(hold, frame(4), 2)).toBe(false)
})

test('[Q2] what fails when it is done holds what is behind it, at once or later', async () => {
  for (const run of [
    () => {
      throw new Error('broken')
    },
    () => Promise.reject(new Error('broken')),
  ]) {
    const hold = new Hold()
    await expect((async () => hold.unless(frame(3, 4), run))()).rejects.toThrow('broken')
    expect(held(hold, frame(5), 2)).toBe(true)
    expect(held(hold, frame(3), 2)).toBe(false)
  }
})

test('[Q2] [Q4] or until the client gave it up', () => {
  const hold = new Hold()
  hold.refused(3)
  expect(held(hold, frame(4), 2)).toBe(true)
  expect(held(hold, frame(4), 3)).toBe(false)
  hold.passed(frame(4), 3)
  expect(held(hold, frame(5), 3)).toBe(false)
})

test("[Q2] the earliest refusal counts; bare pushes are nobody's sequence", () => {
  const hold = new Hold()
  hold.refused(3)
  hold.refused(7)
  hold.refused(null)
  expect(held(hold, frame(4), 0)).toBe(true)
  expect(held(hold, frame(null), 0)).toBe(false)
})
