import { expect, test } from 'vitest'
import {
  defineEntity,
  normalizeEntities,
  parseStrategy,
  pluralTable,
  reservedNames,
  tableCandidates,
} from './entity.ts'
import { SyncError } from './errors.ts'

function codeOf(run: () => unknown): string | null {
  try {
    run()
    return null
  } catch (error) {
    return error instanceof SyncError ? error.code : 'another error'
  }
}

test('tables are found under the name or its snake_case plural', () => {
  const plurals = {
    BlogPost: 'blog_posts',
    user: 'users',
    Category: 'categories',
    day: 'days',
    Box: 'boxes',
    bus: 'buses',
    Match: 'matches',
    Dish: 'dishes',
    quiz: 'quizes',
    HTTPLog: 'httplogs',
    Line2Item: 'line2_items',
  }
  for (const [name, table] of Object.entries(plurals)) expect(pluralTable(name)).toBe(table)
  expect(tableCandidates(defineEntity({ name: 'todo' }))).toEqual(['todo', 'todos'])
  expect(tableCandidates(defineEntity({ name: 'todo', table: 't' }))).toEqual(['t'])
})

test('[S2] names that would be a path, a trap or unreadable are refused', () => {
  for (const name of reservedNames) expect(codeOf(() => defineEntity({ name }))).toBe('RESERVED_NAME')
  for (const name of [
    '',
    '_log',
    '__proto__',
    'constructor',
    'prototype',
    'a/b',
    'a?b',
    'a#b',
    'a%b',
    'a,b',
    'a b',
    'a\nb',
    'x'.repeat(129),
  ]) {
    expect(
      codeOf(() => defineEntity({ name })),
      name,
    ).toBe('INVALID_CONFIG')
  }
  for (const name of ['todo', 'BlogPost', 'möbel', 'toString', 'a-b.c:d'])
    expect(codeOf(() => defineEntity({ name }))).toBe(null)
})

test('what is misspelt is refused: a rule that nobody reads keeps nobody out', () => {
  const rules = { read: () => true, write: () => false }
  expect(codeOf(() => defineEntity({ name: 'a', access: rules, by: ['x'] }))).toBe(null)
  for (const wrong of [{ acess: rules }, { access: { reads: rules.read } }, { access: { read: { a: 1 } } }]) {
    expect(
      codeOf(() => defineEntity({ name: 'a', ...wrong } as never)), // reason: an application without types
      JSON.stringify(wrong),
    ).toBe('INVALID_CONFIG')
  }
})

test('a rule takes the user that the application says it gives', () => {
  interface Member {
    readonly id: string
    readonly team: string
  }
  const notes = defineEntity({
    name: 'notes',
    access: {
      read: (user: Member) => ({ team: user.team }),
      write: user => ({ team: user.team }),
    },
  })
  expect(notes.access?.read?.({ id: 'u1', team: 'a' })).toEqual({ team: 'a' })
})

test('strategies in any spelling; unknown ones name those that there are', () => {
  for (const text of ['last-write-wins', 'LastWriteWins', 'last_write_wins', 'LAST-WRITE-WINS'])
    expect(parseStrategy(text)).toBe('last-write-wins')
  expect(parseStrategy('KeepBoth')).toBe('keep-both')
  expect(codeOf(() => parseStrategy('newest'))).toBe('INVALID_CONFIG')
})

test('a list of names and definitions is normalised once, without doubles', () => {
  const resolve = (server: object): object => server
  const [plain, full] = normalizeEntities([
    'a',
    defineEntity({ name: 'b', primaryKey: 'k', resolver: resolve as never, grain: 'field' }),
  ]) // reason: the types of a resolver are tested elsewhere
  expect(plain?.name).toBe('a')
  expect([full?.primaryKey, full?.grain, typeof full?.resolver?.resolve]).toEqual([
    ['k'],
    'field',
    'function',
  ])
  expect(codeOf(() => normalizeEntities(['a', defineEntity({ name: 'a' })]))).toBe('INVALID_CONFIG')
  for (const wrong of [{ name: 'a' }, undefined, null, 7])
    expect(codeOf(() => normalizeEntities([wrong as never]))).toBe('INVALID_CONFIG') // reason: as above
})
