import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cut, patched, sameJson } from './change.ts'
import type { Json, Row } from './ids.ts'

const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json> // reason: fast-check's JSON values are ours, under another name
const row = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'toString'), value, {
  noNullPrototype: true,
}) as fc.Arbitrary<Row> // reason: as above

test('sameJson is equality of what JSON prints, whatever the order of keys', () => {
  const sorted = (json: Json): Json => {
    if (Array.isArray(json)) return json.map(item => sorted(item as Json)) // reason: items of a Json array are Json
    if (typeof json !== 'object' || json === null) return json
    return Object.fromEntries(
      Object.keys(json)
        .sort()
        .map(key => [key, sorted((json as Row)[key] ?? null)]),
    ) // reason: arrays are handled above
  }
  fc.assert(
    fc.property(value, value, (a, b) => {
      expect(sameJson(a, a)).toBe(true)
      expect(sameJson(a, structuredClone(a))).toBe(true)
      if (!JSON.stringify([a, b]).includes('-0'))
        expect(sameJson(a, b)).toBe(JSON.stringify(sorted(a)) === JSON.stringify(sorted(b)))
    }),
    { seed: 11, numRuns: 300 },
  )
  expect(sameJson({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true)
  expect(sameJson({ a: 1 }, { toString: 1 })).toBe(false)
  for (const [a, b] of [
    [[], {}],
    [null, {}],
    [0, false],
    ['', null],
    [[1], [1, 2]],
    [undefined, null],
  ] as const)
    expect(sameJson(a, b)).toBe(false)
})

test('[R5] cut keeps the changed columns and nothing else', () => {
  expect(cut({ a: 1, b: [1] }, { a: 1, b: [1] })).toBe(null)
  expect(cut({ a: 1, b: [1] }, { a: 2, b: [1] })).toEqual({ a: 2 })
  expect(cut({}, { a: null })).toEqual({ a: null })
  expect(cut({}, { toString: 'mine' })).toEqual({ toString: 'mine' })
  fc.assert(
    fc.property(row, row, (view, patch) => {
      const changed = cut(view, patch)
      expect(patched(view, changed ?? {})).toEqual(patched(view, patch))
      for (const column of Object.keys(changed ?? {}))
        expect(sameJson(view[column], patch[column])).toBe(false)
    }),
    { seed: 12, numRuns: 300 },
  )
})

test('[R6] a patch that changes nothing gives the same reference', () => {
  const view = { a: { deep: [1] }, b: null }
  expect(patched(view, { a: { deep: [1] } })).toBe(view)
  expect(patched(view, {})).toBe(view)
  expect(patched(view, { b: 1 })).toEqual({ a: { deep: [1] }, b: 1 })
  expect(view.b).toBe(null)
})
