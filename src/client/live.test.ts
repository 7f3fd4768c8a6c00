import { expect, test } from 'vitest'
import { createLive } from './live.ts'

test('[R6] one list until something changes, one call per batch, exceptions stay with their listener', () => {
  let made = 0
  const errors: unknown[] = []
  const live = createLive(
    () => ((made += 1), []),
    error => errors.push(error),
  )
  expect(live.all('t')).toBe(live.all('t'))
  expect(made).toBe(1)
  const calls: string[] = []
  const stop = live.subscribe('t', null, () => calls.push('any'))
  live.subscribe('t', 'a', () => calls.push('a'))
  live.subscribe('t', 'b', () => calls.push('b'))
  live.subscribe('u', null, () => calls.push('u'))
  live.subscribe('t', null, () => {
    throw new Error('no')
  })
  live.subscribe('t', null, () => calls.push('last'))
  const views = new Map([['t', new Set(['a', 'c'])]])
  live.forget(views)
  live.notify(views)
  expect(calls).toEqual(['any', 'last', 'a'])
  expect(errors).toHaveLength(1)
  live.all('t')
  expect(made).toBe(2)
  stop()
  stop()
  calls.length = 0
  live.notify(new Map([['t', null]]))
  expect(calls).toEqual(['last', 'a', 'b'])
})
