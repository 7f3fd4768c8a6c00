// One look at windows, over both stores: what it finds, and what it reads to find it.
import { DatabaseSync } from 'node:sqlite'
import { afterEach, expect, test } from 'vitest'
import { defineEntity, equalitiesOf, matcher, rowOrder } from '../core/index.ts'
import type { Filter, Json, Row } from '../core/index.ts'
import { sqlApp } from '../testing/contracts/server-store.ts'
import { FakeEnv } from '../testing/fake-env.ts'
import { memoryApp } from '../testing/memory-app.ts'
import { MemoryDatabase } from '../testing/memory-database.ts'
import { memoryStore } from '../testing/memory-store.ts'
import { seededRandom } from '../testing/random.ts'
import { nodeEnv } from './env.ts'
import { sqliteStore } from './sqlite/index.ts'
import type { ServerStore } from './store.ts'
import { gather } from './windows.ts'
import type { Members, Window } from './windows.ts'

const table = {
  name: 'notes',
  key: ['id'],
  columns: {
    id: { kind: 'integer' },
    owner: { kind: 'text' },
    rank: { kind: 'any' },
    title: { kind: 'text' },
  },
} as const
const ddl = 'CREATE TABLE notes(id INTEGER PRIMARY KEY, owner TEXT, rank, title TEXT COLLATE NOCASE)'
const definition = defineEntity({ name: 'notes', by: ['owner', 'rank', 'title'] })

const opened: ServerStore[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

type Kind = 'memory' | 'sqlite'

async function storeOf(rows: Iterable<Row>, kind: Kind): Promise<ServerStore> {
  const database = new MemoryDatabase({ tables: [table], env: new FakeEnv() })
  const handle = new DatabaseSync(':memory:')
  handle.exec(ddl)
  const app = kind === 'memory' ? memoryApp(database) : sqlApp(sql => handle.exec(sql), [table])
  for (const row of rows) await app.insert('notes', row)
  const store = kind === 'memory' ? memoryStore({ database }) : sqliteStore(handle, { env: nodeEnv() })
  opened.push(store)
  await store.open([definition])
  return store
}

function manyRows(count: number): Map<string, Row> {
  const random = seededRandom(count)
  const rows = new Map<string, Row>()
  for (let id = 1; id <= count; id++) {
    const owner = random.pick(['a', 'b', 'c', null])
    const rank = random.pick<Json>([
      null,
      1,
      2.5,
      random.int(count),
      'a',
      '😀',
      '\uFFFD',
      `t${random.int(9)}`,
    ])
    rows.set(String(id), { id, owner, rank, title: 't' })
  }
  return rows
}

/** What is read of a store. */
class Readings {
  rows = 0
  longest = 0
  sorted = 0
  turns = 0

  async look(store: ServerStore, windows: readonly Window[], turns = Infinity): Promise<Members | null> {
    const info = store.entities.get('notes')
    if (info === undefined) throw new Error('no table')
    const count = <T extends { readonly length: number }>(read: T): T => {
      this.rows += read.length
      this.longest = Math.max(this.longest, read.length)
      return read
    }
    const counting: Parameters<typeof gather>[0] = {
      ordered: query => {
        this.sorted += 1
        return store.ordered(query)
      },
      rowsById: async (entity, ids) => count(await store.rowsById(entity, ids)),
      snapshot: async query => {
        const page = await store.snapshot(query)
        count(page.rows)
        return page
      },
    }
    return gather(counting, info, { windows, plain: null, plainWhere: [] }, () =>
      Promise.resolve(++this.turns <= turns),
    )
  }
}

function windowOf(where: Filter<Row> | null, limit: number, order: Window['order']): Window {
  const matches = where === null ? null : matcher(where)
  return { matches, where: where === null ? [] : equalitiesOf(where), order, limit }
}

const both = ['memory', 'sqlite'] as const

test.each(both)(
  '[V12] [V5] a look sorts a table once for each window and reads it once for all, however little of it is seen: %s',
  async kind => {
    const store = await storeOf(manyRows(3_000).values(), kind)
    const nothing = Array.from({ length: 16 }, (_, i) =>
      windowOf({ rank: { gt: `zz${i}` }, owner: { lt: 'a' } }, 1, [['rank', 'desc']]),
    )
    const readings = new Readings()
    expect((await readings.look(store, nothing))?.ids.size).toBe(0)
    expect(readings.sorted).toBe(16)
    // of each the first ones, one by one
    expect(readings.rows).toBeLessThanOrEqual(16 * 500 + 3_000)
    expect(readings.longest).toBeLessThanOrEqual(250)
    // and each reading is somebody's turn
    expect(readings.turns).toBeGreaterThan(readings.rows / 250)
  },
)

test.each(both)('[V12] what is seen whole is not read at all: %s', async kind => {
  const store = await storeOf(manyRows(1_500).values(), kind)
  const readings = new Readings()
  const found = await readings.look(store, [windowOf(null, 1_000, [['title', 'asc']])])
  expect([...(found?.ids ?? [])]).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i + 1)))
  expect([readings.sorted, readings.rows]).toEqual([1, 0])
})

test.each(both)(
  '[V12] [V1] windows of which much is hidden hold the first rows of what is seen, over 30 random ones: %s',
  async kind => {
    const rows = manyRows(4_000)
    const store = await storeOf(rows.values(), kind)
    const random = seededRandom(5)
    for (let round = 0; round < 30; round++) {
      const windows = Array.from({ length: 1 + random.int(3) }, () => {
        const where = random.pick<Filter<Row>>([
          { rank: { gt: 3_900, lt: '' } },
          { owner: { gt: 'b' }, rank: { ne: 2.5 } },
          { owner: 'a', rank: { gt: 'a' } },
          { owner: 'b', rank: { lt: 40 } },
          { not: { owner: 'c' } },
          { rank: null },
        ])
        return windowOf(where, random.pick([1, 7, 300, 1_000]), [['rank', random.pick(['asc', 'desc'])]])
      })
      const expected = windows.flatMap(({ matches, order, limit }) =>
        [...rows]
          .filter(([, row]) => matches?.(row) ?? true)
          .sort(([a, x], [b, y]) => rowOrder<Row>(order)(x, y) || Number(a) - Number(b))
          .slice(0, limit)
          .map(([id]) => id),
      )
      const found = await new Readings().look(store, windows)
      expect([...(found?.ids ?? [])].sort()).toEqual([...new Set(expected)].sort())
    }
  },
)

test('[V12] they are the first ones of SQL also where JSON says less than the column holds', async () => {
  const handle = new DatabaseSync(':memory:')
  handle.exec(ddl)
  const ranks = [
    '9007199254740993',
    '9007199254740992',
    '9e999',
    '-9e999',
    '3',
    "'9007199254740993'",
    "x'ff'",
    "x'00'",
  ]
  // few are seen, and all of those are behind the ones that come first
  const insert = handle.prepare('INSERT INTO notes VALUES(?,?,?,?)')
  for (let id = 1; id <= 1_600; id++) insert.run(id, 'hidden', null, null)
  for (let i = 0; i < 2_400; i++) {
    const title = ['b', 'B', 'a', 'A'][i % 4] ?? ''
    handle.exec(
      `INSERT INTO notes VALUES(${2_000 + i}, 'seen', ${ranks[(i * 7) % ranks.length]}, '${title}')`,
    )
  }
  const store = sqliteStore(handle, { env: nodeEnv() })
  opened.push(store)
  await store.open([definition])
  for (const [column, way] of [
    ['rank', 'asc'],
    ['rank', 'desc'],
    ['title', 'asc'],
  ] as const) {
    for (const limit of [1, 350]) {
      const window = windowOf({ owner: { gt: 'm' } }, limit, [[column, way]])
      const readings = new Readings()
      const found = await readings.look(store, [window])
      const expected = handle
        .prepare(
          `SELECT id FROM notes WHERE owner='seen' ORDER BY ${column} COLLATE BINARY ${way}, id LIMIT ${limit}`,
        )
        .all()
        .map(row => String(row['id']))
      expect([...(found?.ids ?? [])].sort()).toEqual(expected.sort())
      // where all of the first ones are hidden, the table was read, and sorted no oftener than it had to be
      if (way === 'asc') expect(readings.rows).toBeGreaterThan(4_000)
      expect(readings.sorted).toBeLessThan(8)
    }
  }
})

test.each([
  ['id TEXT PRIMARY KEY COLLATE NOCASE, v', "'x'||i", "NULL,'a'", ['x1', 'x2', 'x3']],
  ['a TEXT, b INTEGER, v, PRIMARY KEY(a, b)', "'x',i", "NULL,7,'a'", ['["x",1]', '["x",2]', '["x",3]']],
])(
  '[V12] [L8] a row without an id takes nobody else his place in a window: %s',
  async (columns, ids, none, first) => {
    const handle = new DatabaseSync(':memory:')
    handle.exec(`CREATE TABLE notes(${columns})`)
    for (let i = 0; i < 3; i++) handle.exec(`INSERT INTO notes VALUES(${none})`)
    const numbers = 'WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1500)'
    handle.exec(`${numbers} INSERT INTO notes SELECT ${ids}, CASE WHEN i > 3 THEN 'b' ELSE 'c' END FROM c`)
    const store = sqliteStore(handle, { env: nodeEnv() })
    opened.push(store)
    await store.open([defineEntity({ name: 'notes', by: ['v'] })])
    const all = await new Readings().look(store, [windowOf(null, 4, [['v', 'desc']])])
    expect([...(all?.ids ?? [])].slice(0, 3)).toEqual(first)
    expect(all?.ids.size).toBe(4)
    // and behind 1,497 that are not seen
    const seen = await new Readings().look(store, [windowOf({ v: { gt: 'b' } }, 4, [['v', 'asc']])])
    expect([...(seen?.ids ?? [])]).toEqual(first)
  },
)

test('[V12] what changes during a look is above its place', async () => {
  const handle = new DatabaseSync(':memory:')
  const store = sqliteStore(handle, { env: nodeEnv() })
  opened.push(store)
  handle.exec(ddl)
  for (let id = 1; id <= 1_200; id++) handle.exec(`INSERT INTO notes VALUES(${id}, 'o', ${id}, NULL)`)
  await store.open([definition])
  const info = store.entities.get('notes')
  if (info === undefined) throw new Error('no table')
  const { epoch, seq, check } = await store.head()
  const window = windowOf({ owner: { lt: '' } }, 5, [['rank', 'asc']])
  let turns = 0
  const found = await gather(store, info, { windows: [window], plain: null, plainWhere: [] }, () => {
    // the first turn comes before anything was read
    if (turns++ > 0) handle.exec(`UPDATE notes SET title = ${turns}`)
    return Promise.resolve(true)
  })
  expect(turns).toBeGreaterThan(7)
  expect((await store.head()).seq).toBe(seq + 1_200 * (turns - 1))
  expect(found?.at).toEqual({ epoch, seq, check })
})

test('[V12] whoever gives a look up at any of its turns gets nothing', async () => {
  const store = await storeOf(manyRows(1_200).values(), 'memory')
  const windows = [
    windowOf({ owner: { lt: '' } }, 1, [['rank', 'asc']]),
    windowOf({ owner: { gt: '' } }, 60, [['rank', 'asc']]),
  ]
  const whole = new Readings()
  expect((await whole.look(store, windows))?.ids.size).toBe(60)
  for (let turns = 0; turns < whole.turns; turns++)
    expect(await new Readings().look(store, windows, turns)).toBe(null)
})
