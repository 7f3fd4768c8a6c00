import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import { rulesOf } from './rules.ts'

test('[D4] [D7] rules are those of the definition, column by column; where it says nothing, rows are judged as one, by last write', () => {
  const defaults = { grain: 'entity', strategy: 'last-write-wins', resolver: false }
  expect(rulesOf(undefined)).toEqual(defaults)
  expect(rulesOf(defineEntity({ name: 't' }))).toEqual(defaults)
  const made = defineEntity({
    name: 't',
    grain: 'field',
    strategy: 'server-wins',
    fields: { a: { strategy: 'client-wins' }, b: { strategy: 'keep-both', resolver: () => null }, c: {} },
  })
  const rules = {
    grain: 'field',
    strategy: 'server-wins',
    resolver: false,
    fields: { a: 'client-wins', b: null },
  }
  // asked again it is the same, and another definition's are its own
  for (let i = 0; i < 2; i++) {
    expect(rulesOf(made)).toEqual(rules)
    expect(rulesOf(defineEntity({ name: 't', resolver: server => server }))).toEqual({
      ...defaults,
      resolver: true,
    })
  }
})
