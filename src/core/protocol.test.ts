import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { protocolVersion } from './protocol.ts'

/**
 * What each version's messages look like, by the hash of their declarations. Change a message and this test fails: then
 * bump `protocolVersion`, write its line of history in protocol.ts, and add the new hash here. Never edit an old one
 * once its version was released.
 */
const released: Readonly<Record<number, string>> = {
  1: '8006767aeb7ce0c8',
}

/** The declarations without comments and blanks: a better word in a comment is no new protocol. */
function declarations(source: string): string {
  const code = source
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\/\/.*$/gm, '')
    .replaceAll(/^import .*$/gm, '')
  return code
    .replaceAll(/export const protocolVersion = \d+/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

test('[S6] the wire changes only with protocolVersion', () => {
  const source = readFileSync(new URL('protocol.ts', import.meta.url), 'utf8')
  const hash = createHash('sha256').update(declarations(source)).digest('hex').slice(0, 16)
  expect(released[protocolVersion], `protocol.ts now hashes to ${hash}`).toBe(hash)
  expect(Math.max(...Object.keys(released).map(Number))).toBe(protocolVersion)
  for (const version of Object.keys(released))
    expect(source).toMatch(new RegExp(`^// ${version} {2}\\w`, 'm'))
})
