import { expect, test } from 'vitest'
import { check } from './walls.mjs'

const refused = [
  ['src/core/a.ts', `import { x } from '../client/index.ts'`, 'core may not import client'],
  ['src/core/a.ts', `import fs from 'node:fs'`, `core may not import 'node:fs'`],
  ['src/core/a.ts', `export * from 'ws'`, `core may not import 'ws'`],
  ['src/core/a.ts', `const x = await import('fs')`, `core may not import 'fs'`],
  ['src/core/a.ts', `type X = import('../client/index.ts').X`, 'core may not import client'],
  ['src/core/dialects/a.ts', `import { x } from '../../server/index.ts'`, 'core may not import server'],
  ['src/client/a.ts', `import { cut } from '../core/change.ts'`, 'entered by its index.ts'],
  ['src/client/a.ts', `import { x } from '../server/index.ts'`, 'client may not import server'],
  ['src/server/a.ts', `import { x } from '../faces/index.ts'`, 'server may not import faces'],
  ['src/server/a.ts', `import { x } from './a.test.ts'`, 'may not import tests'],
  ['src/adapters/a.ts', `import { x } from '../server/index.ts'`, 'adapters may not import server'],
  ['src/core/a.ts', `import { x } from '../../tools/root.mjs'`, 'outside src/'],
  ['src/utils/a.ts', `import { x } from './b.ts'`, 'not a room'],
  ['test/a.test.ts', `import { x } from '../src/core/index.ts'`, 'by name'],
  ['bench/x/main.mjs', `import { x } from '../../dist/core/index.js'`, 'by name'],
  ['src/core/a.ts', `export const a = b as string`, '"as" needs'],
  ['src/core/a.ts', `export const a = <string>b`, '"as" needs'],
  ['src/core/a.ts', `export const a = b!.c`, '"!" needs'],
  ['src/core/a.ts', `// @ts-expect-error\nb()`, '@ts-expect-error needs'],
  ['src/core/a.ts', `b() // oxlint-disable-line no-console`, 'oxlint-disable needs'],
  ['src/server/a.ts', `export const a = new Date().toISOString()`, 'from the environment'],
]

test.each(refused)('%s refuses %s', (file, text, message) => {
  const problems = check(file, text)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toContain(message)
})

const allowed = [
  ['src/core/dialects/a.ts', `import { x } from '../protocol.ts'`],
  ['src/client/a.ts', `import { cut } from '../core/index.ts'`],
  ['src/server/a.ts', `import fs from 'node:fs'\nimport { WebSocket } from 'ws'`],
  ['src/cli/a.ts', `import { x } from '../server/sqlite/index.ts'`],
  ['src/adapters/a.ts', `import type { X } from '../server/index.ts'`],
  ['src/core/a.test.ts', `import { x } from '../testing/random.ts'\nconst y = x as string`],
  ['test/a.test.ts', `import { x } from 'syncline/client'\nimport { y } from './world.ts'`],
  ['src/server/a.ts', `export const a = new Date(0)`],
  ['src/server/env.ts', `export const a = new Date()`],
  ['src/core/a.ts', `export const a = ['b'] as const`],
  ['src/core/a.ts', `import { a as b } from './c.ts'`],
  ['src/core/a.ts', `// reason: the parser only makes strings\nexport const a = b as string`],
  ['src/core/a.ts', `export const a = b! // reason: checked above`],
  ['src/core/a.ts', `// reason: old browsers lack it\n// @ts-expect-error\nb()`],
]

test.each(allowed)('%s allows %s', (file, text) => {
  expect(check(file, text)).toEqual([])
})

test('the line of a problem is the line of its end', () => {
  expect(check('src/core/a.ts', '\n\nexport const a = {\n  b,\n} as B\n')[0]).toMatch(/^src\/core\/a\.ts:5: /)
})
