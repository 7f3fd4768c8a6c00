import { DatabaseSync } from 'node:sqlite'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { seededRandom } from '../testing/random.ts'
import type { Random } from '../testing/random.ts'
import type { Filter } from './filter.ts'
import { matcher } from './filter.ts'
import type { Json, Row } from './ids.ts'
import { compareText, rowOrder } from './order.ts'

type Scalar = string | number | null
const values: readonly Scalar[] = [
  null,
  null,
  0,
  1,
  -1,
  2.5,
  1e15,
  '',
  '1',
  'a',
  'B',
  'é',
  '\uffee',
  '😀',
  '😀a',
]
const columns = ['a', 'b', 'c'] as const

function makeRows(random: Random, count: number): Row[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    ...Object.fromEntries(columns.map(column => [column, random.pick(values)])),
  }))
}

const operators = { ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

/** A filter, and what it means in SQL: made together, so that neither explains the other. */
function make(random: Random, depth = 3): [filter: Filter<Row>, sql: string, values: Scalar[]] {
  const what = random.int(depth > 0 ? 9 : 5)
  const column = random.pick(columns)
  const value = random.pick(values)
  if (what === 0) return [{ [column]: null }, `${column} IS NULL`, []]
  if (what === 1 && value !== null) return [{ [column]: value }, `${column} = ?`, [value]]
  if (what === 2) return [{ [column]: { ne: null } }, `${column} IS NOT NULL`, []]
  if (what === 3) {
    const list = Array.from({ length: random.int(4) }, () => random.pick(values))
    // reason: the types keep null out; what comes off the wire may hold it
    const filter = { [column]: { in: list as string[] } }
    return [filter, `${column} IN (${list.map(() => '?').join()})`, list]
  }
  if (what < 6) {
    const one = random.pick(['ne', 'gt', 'gte', 'lt', 'lte'] as const)
    const two = random.pick(['gt', 'lte'] as const)
    const other = random.pick(values)
    if (one === 'ne' && value === null) return make(random, depth)
    if (one === two) return [{ [column]: { [one]: value } }, `${column} ${operators[one]} ?`, [value]]
    return [
      { [column]: { [one]: value, [two]: other } },
      `(${column} ${operators[one]} ? AND ${column} ${operators[two]} ?)`,
      [value, other],
    ]
  }
  const [left, right] = [make(random, depth - 1), make(random, depth - 1)]
  if (what === 6) return [{ not: left[0] }, `NOT (${left[1]})`, left[2]]
  const both = [...left[2], ...right[2]]
  if (what === 7) return [{ or: [left[0], right[0]] }, `((${left[1]}) OR (${right[1]}))`, both]
  return [{ and: [left[0], right[0]] }, `((${left[1]}) AND (${right[1]}))`, both]
}

function database(rows: readonly Row[]): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)')
  const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?, ?)')
  for (const row of rows) insert.run(...['id', ...columns].map(name => row[name] as Scalar))
  return db
}

describe('[R11] filters', () => {
  test('mean what their SQL means: 1,500 random ones over 300 rows', () => {
    const random = seededRandom(1)
    const rows = makeRows(random, 300)
    const db = database(rows)
    for (let i = 0; i < 1500; i++) {
      const [filter, sql, bound] = make(random)
      const expected = db.prepare(`SELECT id FROM t WHERE ${sql} ORDER BY id`).all(...bound)
      const found = rows.filter(matcher(filter)).map(({ id }) => ({ id }))
      expect(found, `${sql} ${JSON.stringify(bound)}`).toEqual(expected)
    }
    db.close()
  })

  test('rows sort as in SQLite', () => {
    const rows = makeRows(seededRandom(2), 400)
    const db = database(rows)
    const order = [
      ['a', 'desc'],
      ['b', 'asc'],
      ['id', 'desc'],
    ] as const
    const expected = db.prepare('SELECT id FROM t ORDER BY a DESC, b ASC, id DESC').all()
    expect([...rows].sort(rowOrder<Row>(order)).map(({ id }) => ({ id }))).toEqual(expected)
    expect(['b', 'a', 'ab'].sort(compareText)).toEqual(['a', 'ab', 'b'])
    db.close()
  })

  test('nothing, many columns, booleans, missing columns, JSON', () => {
    const is = (filter: Filter<Row>, row: Row): boolean => matcher(filter)(row)
    expect(is({}, { a: 1 })).toBe(true)
    expect(is({ or: [] }, { a: 1 })).toBe(false)
    expect(is({ and: [] }, { a: 1 })).toBe(true)
    expect(is({ a: 1, b: undefined }, { a: 1 })).toBe(true)
    expect(is({ a: 1, b: 'x' }, { a: 1, b: 'x' })).toBe(true)
    expect(is({ a: 1, b: 'x' }, { a: 1, b: 'y' })).toBe(false)
    expect(is({ a: true }, { a: 1 })).toBe(true)
    expect(is({ a: 0 }, { a: false })).toBe(true)
    expect(is({ a: { gt: false } }, { a: true })).toBe(true)
    expect(is({ a: null }, {})).toBe(true)
    expect(is({ toString: null }, {})).toBe(true)
    const json: Json = { $blob: '' }
    for (const filter of [{ a: 1 }, { not: { a: 1 } }, { a: { ne: 1 } }])
      expect(is(filter, { a: json })).toBe(false)
    expect(is({ not: { a: null } }, { a: json })).toBe(true)
  })

  test('what is no filter is refused', () => {
    const wrong: unknown[] = [null, 1, [], { a: { like: 'x' } }, { a: { constructor: 1 } }, { a: { gt: {} } }]
    wrong.push({ and: {} }, { or: [1] }, { not: null }, { a: { in: 1 } }, { a: [1] }, { a: Number.NaN })
    for (const filter of wrong)
      expect(() => matcher(filter as Filter<Row>), JSON.stringify(filter)).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIG' }),
      )
  })

  test('types follow the row', () => {
    interface Todo {
      id: number
      title: string
      done: boolean
      due?: string | null
    }
    const filter: Filter<Todo> = {
      done: 0,
      id: { gte: 3, in: [1, 2] },
      or: [{ title: 'x' }, { not: { due: { ne: null } } }],
    }
    expectTypeOf(filter).toExtend<Filter<Todo>>()
    // @ts-expect-error: no such column
    matcher<Todo>({ titel: 'x' })
    // @ts-expect-error: no text
    matcher<Todo>({ title: { gt: 1 } })
  })
})
