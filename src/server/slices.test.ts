import fc from 'fast-check'
import { expect, test } from 'vitest'
import { membersOf, slicesOf } from './slices.ts'

const value = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: fc.constantFrom('"', '\\', ',', ':', '[', ']', '{', '}', 'a', '😀', '\n') }),
)

test('[V1] a row is cut at its own commas and no others, in both forms, and nothing of it is changed', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.string(), value), { minLength: 1, selector: ([name]) => name }),
      row => {
        const texts = row.map(([, one]) => JSON.stringify(one))
        expect(slicesOf(texts.join(','), 'values')).toEqual(texts)
        const members = row.map(([name], i) => `${JSON.stringify(name)}:${texts[i]}`)
        expect(slicesOf(`{${members.join(',')}}`, 'object')).toEqual(texts)
        expect(membersOf(`{${members.join(',')}}`)).toEqual(row.map(([name], i) => [name, texts[i]]))
      },
    ),
    { seed: 7, numRuns: 2000 },
  )
})
