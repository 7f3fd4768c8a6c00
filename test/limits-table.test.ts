import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { defaultServerLimits } from 'syncline'

test('[G6] the guide names every limit with its default, and no other', () => {
  const guide = readFileSync(path.resolve(import.meta.dirname, '../docs/guides/limits.md'), 'utf8')
  const told = new Map(
    [...guide.matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)].map(([, name, text]) => [
      name,
      text?.replaceAll(',', '').match(/\d+/g)?.map(Number) ?? [],
    ]),
  )
  const limits = Object.entries(defaultServerLimits).map(([name, value]): [string, number[]] => [
    name,
    typeof value === 'number' ? (value === Infinity ? [] : [value]) : [value.perSecond, value.burst],
  ])
  expect(told).toEqual(new Map(limits))
})
