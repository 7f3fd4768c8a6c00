import { expect, test } from 'vitest'
import { compare, quotesIn, rulesIn } from './spec-rules.mjs'

const spec = `
# Rules
- **M1** The first.
- **M2** The second, see **Q1** and [M1].
  - **Q1** One inside a list item.
**M9** is not a list item, and - **note** is not an id.
`

test('rules are the bold ids at the start of list items', () => {
  expect(rulesIn(spec)).toEqual(['M1', 'M2', 'Q1'])
})

test('quotes are ids in brackets, one or several', () => {
  expect(quotesIn(`test('[M1] x'); test('[M2, Q1] y'); list[M1x]; other[i]`)).toEqual(['M1', 'M2', 'Q1'])
})

test('every rule is quoted and every quote exists', () => {
  const tests = new Map([
    ['a.test.ts', `test('[M1] ...')`],
    ['b.test.ts', `test('[M1, Q1] ...'); test('[M7] ...'); table[Z1]`],
  ])
  expect(compare(spec, tests)).toEqual({
    rules: ['M1', 'M2', 'Q1'],
    twice: [],
    unquoted: ['M2'],
    unknown: ['M7 (b.test.ts)'],
  })
})

test('an id given twice is found', () => {
  expect(compare('- **M1** a\n- **M1** b\n', new Map()).twice).toEqual(['M1'])
})
