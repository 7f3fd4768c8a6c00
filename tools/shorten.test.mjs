import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { shortened } from './shorten.mjs'

/** Where names are declared that servers, other releases in other tabs, or pages see. */
const seen = [
  'src/core/protocol.ts',
  'src/core/change.ts',
  'src/core/cursor.ts',
  'src/core/errors.ts',
  'src/client/tabs.ts: TabMessage',
  'src/client/tabs.ts: LinkView',
  'src/client/tabs.ts: Told',
  'src/client/state.ts: Change',
  'src/faces/events.ts',
  'src/faces/forms.ts: QueuedDetail',
  'src/faces/conflict-events.ts: ConflictDetail',
  'src/faces/face.ts: Face',
  'src/faces/page.ts: Page',
  'src/faces/rhtmx-field.ts: RhtmxFieldSync',
  'src/client/conflicts.ts: Conflict',
  'src/client/conflicts.ts: Conflicts',
  'src/client/tabs.ts: ChangedField',
]

test('no name that others see is shortened, and no two names to the same', () => {
  const names = Object.keys(shortened.cache)
  expect(new Set(Object.values(shortened.cache)).size).toBe(names.length)
  for (const place of seen) {
    const [file, only] = place.split(': ')
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    const part =
      only === undefined ? text : new RegExp(`(?:interface|type) ${only} [^]*?\n(?:}|\n)`).exec(text)?.[0]
    const members = Array.from(
      part.matchAll(/^ *(?:\| \{ )?(?:readonly )?(\w+)\??[:(]/gm),
      ([, name]) => name,
    )
    expect(members.length).toBeGreaterThan(1)
    expect(members.filter(name => shortened.include.test(name))).toEqual([])
  }
})
