import path from 'node:path'
import { expect, test } from 'vitest'
import { borrowing, lending } from './lend.mjs'
import { root } from './root.mjs'

const ask = path.join(root, 'src/client/ask.ts')
const frames = path.join(root, 'src/client/http-frames.ts')

test('what both scripts need is in the first, under a name of its own', () => {
  const borrow = borrowing([frames, ask])
  const { plugin } = borrow
  expect(plugin.load(ask).code).toContain('ask as ask')
  expect(plugin.load(frames).code).toContain('ask_ as ask')
  expect(plugin.load(path.join(root, 'src/client/heal.ts'))).toBeNull()
  const lent = borrow.used('borrowed.ask_(stream); (0, borrowed.answered)(kept); lent.autoRefresh')
  expect(lent).toEqual([
    { lent: 'ask_', id: frames, name: 'ask' },
    { lent: 'answered', id: ask, name: 'answered' },
  ])
  expect(lending(lent).load('/src/faces/lent.ts').code).toContain('lent = [ask_, answered]')
  const { load } = borrowing([frames, ask], lent).plugin
  expect(load('borrowed').code).toBe('export const [ask_, answered] = rhtmxLent')
  expect(load(ask).code).toContain("export { answered as answered } from 'borrowed'")
})
