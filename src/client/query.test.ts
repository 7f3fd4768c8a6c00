import { describe, expect, expectTypeOf, test } from 'vitest'
import { compareText, matcher, rowOrder } from '../core/index.ts'
import type { Filter, Order, StandardSchema } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { seededRandom } from '../testing/random.ts'
import { createClient, defineEntity } from './index.ts'
import type { Query, Row } from './index.ts'
import { createQuery } from './query.ts'
import type { QueryOptions, Source } from './query.ts'

/** Rows that change by batches, as a client shows them. */
function table() {
  const rows = new Map<string, Row>()
  const watchers = new Set<Parameters<Source['watch']>[0]>()
  const listeners = new Set<() => void>()
  const source: Source = {
    key: () => key,
    entries: () => rows,
    view: id => rows.get(id),
    watch(changed) {
      watchers.add(changed)
      return () => watchers.delete(changed)
    },
    subscribe(listener) {
      const own = () => listener()
      listeners.add(own)
      return () => listeners.delete(own)
    },
  }
  const tell = (ids: ReadonlySet<string> | null) => {
    for (const watch of watchers) watch(ids)
    for (const listener of listeners) listener()
  }
  return { rows, source, tell, watchers, listeners }
}
const key = ['id']

function scratch(rows: ReadonlyMap<string, Row>, options: QueryOptions<Row>): Row[] {
  const { where = {}, orderBy = [], limit } = options
  const by = rowOrder<Row>(orderBy)
  const ids = rowOrder<Row>('id')
  return [...rows]
    .filter(([, row]) => (typeof where === 'function' ? where(row) : matcher<Row>(where)(row)))
    .sort(([x, a], [y, b]) => by(a, b) || ids(a, b) || compareText(x, y))
    .slice(0, limit)
    .map(([, row]) => row)
}

describe('[R10] a live query', () => {
  const variants: QueryOptions<Row>[] = [
    {},
    { where: { done: 0 } },
    { where: { n: { gt: 20, lt: 80 } }, orderBy: 'n' },
    { where: { not: { title: null } }, orderBy: [['title', 'desc']], limit: 7 },
    {
      orderBy: [
        ['done', 'asc'],
        ['n', 'desc'],
      ],
      limit: 40,
    },
    { where: row => Number(row['n']) % 3 === 0, orderBy: 'title', limit: 0 },
    { where: { or: [{ n: { in: [1, 2, 3, 50] } }, { title: 'd' }] }, orderBy: 'done', limit: 5 },
  ]

  for (const seed of [1, 2, 3])
    test(`equals filtering and sorting everything, 1,000 batches, seed ${seed}`, () => {
      const random = seededRandom(seed)
      const { rows, source, tell } = table()
      const fresh = (id: number): Row => ({
        id,
        n: random.int(100),
        title: random.pick([null, 'a', 'b', 'c', 'd']),
        done: random.int(2),
      })
      const queries = variants.map(options => createQuery(source, options))
      const last = queries.map(query => query.rows)
      const told = queries.map(() => 0)
      queries.forEach((query, i) => query.subscribe(() => (told[i] = (told[i] ?? 0) + 1)))
      for (let step = 0; step < 1000; step++) {
        const size = random.pick([1, 1, 1, 2, 5, 60])
        const ids = new Set<string>()
        for (let i = 0; i < size; i++) {
          const id = random.int(300)
          ids.add(String(id))
          // also changes that change nothing, and rows that come and go
          if (random.chance(0.3)) rows.delete(String(id))
          else if (random.chance(0.9)) rows.set(String(id), fresh(id))
        }
        const before = [...told]
        tell(random.chance(0.01) ? null : ids)
        queries.forEach((query, i) => {
          const expected = scratch(rows, variants[i] ?? {})
          const was = last[i] ?? []
          const same = expected.length === was.length && expected.every((row, at) => row === was[at])
          expect(query.rows === was).toBe(same)
          expect(told[i]).toBe((before[i] ?? 0) + (same ? 0 : 1))
          if (!same) {
            expect(query.rows.length).toBe(expected.length)
            expect(expected.every((row, at) => row === query.rows[at])).toBe(true)
          }
          last[i] = query.rows
        })
      }
    })

  test('a change costs the rows that changed', () => {
    const { rows, source, tell } = table()
    for (let id = 0; id < 10_000; id++) rows.set(String(id), { id, n: id })
    let looks = 0
    const query = createQuery(source, { where: row => ((looks += 1), Number(row['n']) > 10), orderBy: 'n' })
    expect(query.rows).toHaveLength(9989)
    expect(looks).toBe(10_000)
    rows.set('5', { id: 5, n: 11.5 })
    rows.delete('20')
    tell(new Set(['5', '20', '21']))
    expect(query.rows).toHaveLength(9989)
    expect(query.rows[1]).toBe(rows.get('5'))
    expect(looks).toBe(10_002)
  })

  test('what throws is thrown again until it does not; closed, it stays as it is', () => {
    const { rows, source, tell, watchers, listeners } = table()
    rows.set('1', { id: 1 })
    let broken = false
    const query = createQuery(source, {
      where() {
        if (broken) throw new Error('no')
        return true
      },
    })
    expect(query.rows).toHaveLength(1)
    broken = true
    rows.set('2', { id: 2 })
    tell(new Set(['2']))
    expect(() => query.rows).toThrow('no')
    expect(() => query.rows).toThrow('no')
    broken = false
    expect(query.rows).toHaveLength(2)
    const stop = query.subscribe(() => {})
    query.subscribe(() => {})
    stop()
    rows.delete('1')
    tell(new Set(['1']))
    query.close()
    query.close()
    expect([watchers.size, listeners.size]).toEqual([0, 0])
    rows.clear()
    tell(null)
    expect(query.rows).toEqual([{ id: 2 }])
    query.subscribe(() => {})()
  })
})

interface Todo {
  id: string
  title: string
  done: number | null
}

const schema = null as unknown as StandardSchema<Todo> // reason: only its type is of interest

function world() {
  const server = new FakeServer()
  server.define('todos', ['id', 'title', 'done'])
  const client = createClient({
    url: 'http://local/api/sync',
    entities: [defineEntity({ name: 'todos', schema })],
    env: new FakeEnv(),
    transports: [server.transport()],
    store: 'memory',
  })
  return { server, client }
}

describe('client.query', () => {
  test('[R10] follows the server, writes of this page at once, and a cleared client', async () => {
    const { server, client } = world()
    const query = client.query('todos', { where: { done: 0 }, orderBy: 'title' })
    expectTypeOf(query).toEqualTypeOf<Query<Todo>>()
    const titles = () => query.rows.map(({ title }) => title)
    expect(titles()).toEqual([])
    const seen: string[][] = []
    query.subscribe(() => seen.push(titles()))
    server.put('todos', 'a', { id: 'a', title: 'b', done: 0 })
    server.put('todos', 'b', { id: 'b', title: 'a', done: 1 })
    await client.ready
    expect(titles()).toEqual(['b'])
    const { rows } = query
    expect(rows[0]).toBe(client.get('todos', 'a'))
    client.update('todos', 'b', { title: 'z' })
    expect(query.rows).toBe(rows)
    client.update('todos', 'b', { done: 0 })
    expect(titles()).toEqual(['b', 'z'])
    client.delete('todos', 'a')
    client.create('todos', { title: 'new', done: 0 })
    expect(titles()).toEqual(['new', 'z'])
    await settle()
    // its temporary id has become a real one, and it is there once
    expect(titles()).toEqual(['new', 'z'])
    expect(query.rows[0]?.id.startsWith('tmp_')).toBe(false)
    server.put('todos', 'c', { id: 'c', title: 'c', done: 0 })
    await settle()
    expect(titles()).toEqual(['c', 'new', 'z'])
    expect(seen.at(-1)).toEqual(['c', 'new', 'z'])
    await client.clear()
    await settle()
    expect(titles()).toEqual(['c', 'new', 'z'])
    query.close()
    await client.close()
  })

  test('[R10] inside a listener it shows what was written there', async () => {
    const { server, client } = world()
    server.put('todos', 'a', { id: 'a', title: 'a', done: 0 })
    await client.ready
    const query = client.query('todos', { where: row => row.done === 1 })
    expect(query.rows).toEqual([])
    let inside: readonly Todo[] = []
    const stop = client.subscribe('todos', () => {
      stop()
      client.update('todos', 'a', { done: 1 })
      inside = query.rows
    })
    server.put('todos', 'b', { id: 'b', title: 'b', done: 0 })
    await settle()
    expect(inside).toEqual([{ id: 'a', title: 'a', done: 1 }])
    await client.close()
  })

  test('names and filters are checked', async () => {
    const { client } = world()
    const filter: Filter<Todo> = { title: { in: ['x'] } }
    const order: Order<Todo> = [['title', 'desc']]
    client.query('todos', { where: filter, orderBy: order, limit: 3 }).close()
    // @ts-expect-error: no such entity
    expect(() => client.query('others')).toThrow(expect.objectContaining({ code: 'UNKNOWN_ENTITY' }))
    // @ts-expect-error: no such column
    client.query('todos', { orderBy: 'titel' }).close()
    await client.close()
  })
})
