import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { compare } from '../tools/spec-rules.mjs'

const root = path.resolve(import.meta.dirname, '..')
const specFile = path.join(root, 'SPEC.md')

/** The texts of all tests by their names; this file is about ids, not for one. */
function tests(): Map<string, string> {
  const files = ['src', 'test'].flatMap(folder =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .map(name => path.join(folder, name))
      .filter(file => /\.(?:test|spec)\.ts$/.test(file) || (folder === 'test' && /\.(?:ts|mjs)$/.test(file)))
      .filter(file => path.join(root, file) !== import.meta.filename),
  )
  return new Map(files.map(file => [file, readFileSync(path.join(root, file), 'utf8')]))
}

describe('SPEC.md and the tests agree', () => {
  const { rules, twice, unquoted, unknown } = compare(readFileSync(specFile, 'utf8'), tests())

  test('there are rules, each given once', () => {
    expect(rules.length, 'no list item of SPEC.md begins with a bold id').toBeGreaterThan(0)
    expect(twice).toEqual([])
  })

  test('every rule is quoted by a test', () => {
    expect(unquoted).toEqual([])
  })

  test('every quoted rule exists', () => {
    expect(unknown).toEqual([])
  })
})
