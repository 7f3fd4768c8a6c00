// What may be asked for of an entity, and what is taken for what a client says that it holds.
import { describe, expect, test } from 'vitest'
import { defineEntity, maxLimit, maxWhere, scoped } from '../core/index.ts'
import type { AccessRules, Json, Row } from '../core/index.ts'
import { checkWish, heldBy, wishOf } from './scope.ts'
import type { EntityInfo } from './store.ts'
import { Views } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const kinds = {
  id: 'text',
  owner: 'text',
  rank: 'integer',
  title: 'text',
  data: 'json',
  bytes: 'blob',
} as const

function tableOf(access?: AccessRules): EntityInfo {
  return {
    name: 't',
    table: 't',
    shape: { columns: Object.entries(kinds), key: ['id'], hash: 'h', strategy: 'last-write-wins' },
    definition: defineEntity({ name: 't', ...(access && { access }) }),
    integerKey: false,
    assignsKey: false,
    generated: new Set<string>(),
    routing: ['owner', 'rank'],
  }
}

const invalid = (detail: object = {}): unknown =>
  expect.objectContaining({ code: 'INVALID_MESSAGE', ...detail })
const window = (more: Row = {}): Row => ({ orderBy: [['rank', 'desc']], limit: 1, ...more })

describe('[V12] a window', () => {
  test('is so many rows in an order, of a filter maybe', () => {
    for (const limit of [1, maxLimit])
      expect(wishOf(window({ limit })).windows).toEqual([{ where: null, order: [['rank', 'desc']], limit }])
    const where = { owner: 'a' }
    expect(wishOf({ or: [window({ where }), { owner: 'b' }, window({ limit: 2 })] })).toMatchObject({
      windows: [
        { where, limit: 1 },
        { where: null, limit: 2 },
      ],
      filters: [{ owner: 'b' }],
    })
    const eight: Json = Array.from({ length: 8 }, (_, i) => [`c${i}`, 'asc'])
    expect(wishOf(window({ orderBy: eight })).windows[0]?.order).toHaveLength(8)
    expect(wishOf({ or: Array.from({ length: 16 }, () => window()) }).windows).toHaveLength(16)
  })

  test('that is none is refused', () => {
    for (const limit of [0, -1, 1.5, maxLimit + 1, '1', null])
      expect(() => wishOf(window({ limit })), String(limit)).toThrow(invalid())
    expect(() => wishOf({ orderBy: [['rank', 'desc']] })).toThrow(invalid())
    for (const one of ['rank', ['rank'], ['rank', 'up'], ['rank', 'asc', 'asc'], [1, 'asc'], { rank: 'asc' }])
      expect(() => wishOf(window({ orderBy: [one] })), JSON.stringify(one)).toThrow(invalid())
    expect(() => wishOf(window({ offset: 1 }))).toThrow(invalid())
    const nine: Json = Array.from({ length: 9 }, (_, i) => [`c${i}`, 'asc'])
    expect(() => wishOf(window({ orderBy: nine }))).toThrow(invalid())
    expect(() => wishOf({ or: Array.from({ length: 17 }, () => window()) })).toThrow(invalid())
  })

  test('among other conditions is not looked for: all of it is one filter', () => {
    const asked = { or: [window()], owner: 'a' }
    expect(wishOf(asked)).toMatchObject({ windows: [], filters: [asked] })
  })
})

describe('[V1] [V9] what may be asked for', () => {
  const asks = (asked: Row, access?: AccessRules): (() => void) => {
    const info = tableOf(access)
    const rights = new Views({ id: 'u' }, new Map([['t', info]]), quiet).rights('t')
    return () => checkWish(info, rights, wishOf(asked))
  }
  const hidden: AccessRules = { columns: () => ['rank', 'title', 'data', 'bytes'] }

  test('goes by columns that the definition names and the user sees, in windows too', () => {
    expect(asks({ owner: 'a', rank: { gt: 1 } })).not.toThrow()
    for (const where of [{ title: 'x' }, { nowhere: 1 }, { or: [{ owner: 'a' }, { not: { title: 'x' } }] }]) {
      expect(asks(where)).toThrow(invalid())
      expect(asks(window({ where }))).toThrow(invalid())
    }
    expect(asks({ owner: 'a' }, hidden)).toThrow(invalid({ details: { column: 'owner' } }))
    expect(asks(window({ where: { owner: 'a' } }), hidden)).toThrow(invalid({ details: { column: 'owner' } }))
    expect(asks({ rank: 1 }, hidden)).not.toThrow()
    // of a name that is none only its beginning is said again
    const long = 'x'.repeat(500)
    expect(asks({ [long]: 1 })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(long) }),
    )
  })

  test('is ordered by columns that can be compared and are seen, named or not', () => {
    const by = (column: string): Row => window({ orderBy: [[column, 'asc']] })
    expect(asks(by('title'))).not.toThrow()
    for (const column of ['data', 'bytes', 'nowhere'])
      expect(asks(by(column))).toThrow(invalid({ details: { column } }))
    expect(asks(by('owner'), hidden)).toThrow(invalid({ details: { column: 'owner' } }))
  })
})

describe('[V9] [V11] what a client says that it holds', () => {
  const rowOf = (owner: string, title = 'x') => ({
    id: 'r',
    seq: 1,
    json: JSON.stringify(['r', owner, 1, title, null, null]).slice(1, -1),
    idJson: '"r"',
    reading: 0,
    temporary: null,
  })
  const held = (text: string, access?: AccessRules): ReturnType<typeof heldBy> => {
    const info = tableOf(access)
    const rights = new Views({ id: 'u' }, new Map([['t', info]]), quiet).rights('t')
    return heldBy(info, rights, scoped('h', text))
  }

  test('is taken where it could be asked for', () => {
    const has = held('{"owner":"a"}')
    expect([has?.(rowOf('a')), has?.(rowOf('b'))]).toEqual([true, false])
  })

  test('and else is nothing: no text, no filter, a hidden column, one that routes nothing, more than can be asked for', () => {
    expect(held('')).toBe(null)
    expect(heldBy(tableOf(), null, null)).toBe(null)
    expect(heldBy(undefined, null, scoped('h', '{"owner":"a"}'))).toBe(null)
    for (const text of ['{', '1', '{"owner":{"like":"x"}}', '{"title":"x"}'])
      expect(held(text), text).toBe(null)
    expect(held('{"owner":"a"}', { columns: () => ['title'] })).toBe(null)
    const long = JSON.stringify({ owner: 'x'.repeat(maxWhere) })
    expect(held(long)).toBe(null)
  })
})
