import { expect, test } from 'vitest'
import type { BareClient, Change } from '../client/index.ts'
import { holdChanges } from './page.ts'

test('what changes before the second script is there is told to it, the last thousand of it, and then as it happens', () => {
  let hear: (change: Change) => void = () => {}
  const client = {
    on: (event: string, listener: typeof hear) => {
      if (event === 'changed') hear = listener
      return () => {}
    },
  } as unknown as BareClient
  const follow = holdChanges(client, [], new Set())
  const change = (version: number): Change => ({
    entity: 'todos',
    ids: ['a'],
    action: 'update',
    source: 'server',
    version,
  })
  for (let version = 1; version <= 1_003; version++) hear(change(version))
  const told: number[] = []
  follow(({ version }) => told.push(version))
  expect([told.length, told[0], told.at(-1)]).toEqual([1_000, 4, 1_003])
  hear(change(1_004))
  expect([told.length, told.at(-1)]).toEqual([1_001, 1_004])
})
