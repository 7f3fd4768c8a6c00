// What a view shows, against SQL that says the same: over every way in which rows leave the store.
import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import type { AccessRules, AccessUser, Filter, Json, Row } from '../core/index.ts'
import { seededRandom } from '../testing/random.ts'
import type { Random } from '../testing/random.ts'
import { bareTexts, placed } from './bare.ts'
import { Interest } from './interest.ts'
import type { ScopeSet } from './hub.ts'
import { openHandle, openStore } from './sqlite/testkit.test.ts'
import type { App } from './sqlite/testkit.test.ts'
import type { ChangedRow, Move, RowForm, ServerStore } from './store.ts'
import { viewed } from './viewed.ts'
import { see, Views, withMoves } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const values = {
  owner: ['u1', 'U1', 'é', '', '😀', 'it\'s, "so" [1]'],
  team: [1, 2, -3, 2 ** 40],
  done: [true, false],
  score: [0.5, 2, -1],
} as const
type Column = keyof typeof values
const columns = Object.keys(values) as Column[] // reason: as they stand above
const signs = { ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

function literal(value: string | number | boolean): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(Number(value))
}

/** A filter and its SQL, made together. */
function make(random: Random, depth = 2): [filter: Filter<Row>, sql: string] {
  const column = random.pick(columns)
  const pick = (): string | number | boolean => random.pick<string | number | boolean>(values[column])
  const name = `${column} COLLATE BINARY`
  switch (random.int(depth > 0 ? 8 : 5)) {
    case 0:
      return [{ [column]: null }, `${column} IS NULL`]
    case 1: {
      const value = pick()
      return [{ [column]: value }, `${name} = ${literal(value)}`]
    }
    case 2:
      return [{ [column]: { ne: null } }, `${column} IS NOT NULL`]
    case 3: {
      const list = Array.from({ length: random.int(3) }, pick)
      return [{ [column]: { in: list } }, `${name} IN (${list.map(literal).join()})`]
    }
    case 4: {
      const [sign, value] = [random.pick(['ne', 'gt', 'gte', 'lt', 'lte'] as const), pick()]
      return [{ [column]: { [sign]: value } }, `${name} ${signs[sign]} ${literal(value)}`]
    }
    case 5: {
      const [filter, sql] = make(random, depth - 1)
      return [{ not: filter }, `NOT (${sql})`]
    }
    default: {
      const [[a, left], [b, right]] = [make(random, depth - 1), make(random, depth - 1)]
      const word = random.pick(['and', 'or'] as const)
      return [{ [word]: [a, b] }, `((${left}) ${word.toUpperCase()} (${right}))`]
    }
  }
}

const ddl = `CREATE TABLE t (id INTEGER PRIMARY KEY, owner TEXT COLLATE NOCASE, team INTEGER, done BOOLEAN, score REAL,
  secret TEXT, data JSON); CREATE INDEX by_owner ON t(owner)`

function write(app: App, random: Random): void {
  const set = columns.filter(() => random.chance(0.4))
  const text = (column: Column): string =>
    random.chance(0.2) ? 'NULL' : literal(random.pick<string | number | boolean>(values[column]))
  const id = 1 + random.int(60)
  if (random.chance(0.15)) app.exec(`DELETE FROM t WHERE id = ${id}`)
  else if (random.chance(0.1)) app.exec(`UPDATE OR IGNORE t SET id = ${1 + random.int(60)} WHERE id = ${id}`)
  else if (random.chance(0.11))
    app.exec(`INSERT OR REPLACE INTO t(id, owner) VALUES (${id}, ${text('owner')})`)
  else if (set.length > 0)
    app.exec(
      `INSERT INTO t(id, ${set.join()}) VALUES (${id}, ${set.map(text).join()}) ON CONFLICT(id) DO UPDATE SET ${set.map(column => `${column} = excluded.${column}`).join()}, data = '{"a":[1,"x,y"]}'`,
    )
}

function entityWith(access: AccessRules): ReturnType<typeof defineEntity> {
  return defineEntity({ name: 't', access })
}

const viewsOf = (store: ServerStore, user: AccessUser): Views => new Views(user, store.entities, quiet)

async function all(
  read: (after: string | null) => Promise<{ rows: readonly { id: string }[]; next: string | null }>,
): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | null = null; ;) {
    const page = await read(after)
    ids.push(...page.rows.map(({ id }) => id))
    if (page.next === null) return ids.sort()
    after = page.next
  }
}

test('[V1] [V5] snapshot, repair, places and rows by id are what the SQL of the view says: 100 random filters', async () => {
  const random = seededRandom(3)
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const store = await openStore(app, [entityWith({ read: user => user['sees'] as Filter<Row> })])
  for (let i = 0; i < 200; i++) write(app, random)
  for (let i = 0; i < 100; i++) {
    const [sees, sql] = make(random)
    const shown = viewed(store, viewsOf(store, { id: 'u', sees }))
    const ids = app
      .prepare(`SELECT id FROM t WHERE ${sql}`)
      .all()
      .map(row => JSON.stringify(row['id']))
      .sort()
    const note = `${sql} ${JSON.stringify(sees)}`
    const page = { entity: 't', limit: 7 }
    for (const form of ['values', 'object'] as const)
      expect(await all(after => shown.snapshot({ ...page, after, form })), note).toEqual(ids)
    expect(await all(after => shown.rowsAbove({ ...page, after, above: -1, had: null })), note).toEqual(ids)
    const places = await all(async after => {
      const { rows, next } = await shown.places({ ...page, after })
      return { rows: rows.map(([id]) => ({ id })), next }
    })
    expect(places, note).toEqual(ids)
    const everyone = Array.from({ length: 60 }, (_, id) => String(id + 1))
    expect((await shown.rowsById('t', everyone)).map(({ id }) => id).sort(), note).toEqual(ids)
  }
  await store.close()
  app.close()
})

test('[V1] [V9] what a client says that it held brings no rows anew by a column that is hidden from it', async () => {
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const access = { read: () => true, columns: () => ['owner', 'team'] }
  const store = await openStore(app, [entityWith(access)])
  app.exec("INSERT INTO t(id, owner, secret) VALUES (1, 'u1', 'alpha'), (2, 'u2', 'beta')")
  const shown = viewed(store, viewsOf(store, { id: 'u' }))
  const above = (await store.head()).seq
  const again = (held: object): Promise<string[]> =>
    all(after => shown.rowsAbove({ entity: 't', limit: 7, after, above, had: `h|${JSON.stringify(held)}` }))
  for (const held of [
    { secret: 'alpha' },
    { secret: { gt: 'b' } },
    { secret: null },
    { or: [{ secret: 'beta' }] },
  ])
    expect(await again(held), JSON.stringify(held)).toEqual([])
  expect(await again({ owner: 'u1' })).toEqual(['2'])
  await store.close()
  app.close()
})

test('[V2] [V3] whoever takes in the changes of a view has what its SQL says, and heard of no other id', async () => {
  const random = seededRandom(4)
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const store = await openStore(app, [entityWith({ read: user => user['sees'] as Filter<Row> })])
  for (let round = 0; round < 60; round++) {
    const [sees, sql] = make(random)
    const views = viewsOf(store, { id: 'u', sees })
    const shown = viewed(store, views)
    const matching = (): string[] =>
      app
        .prepare(`SELECT id FROM t WHERE ${sql}`)
        .all()
        .map(row => JSON.stringify(row['id']))
        .sort()
    const held = new Set(matching())
    const everSeen = new Set(held)
    let after = (await store.head()).seq
    for (let step = 0; step < 12; step++) {
      for (let i = random.int(8); i >= 0; i--) {
        write(app, random)
        for (const id of matching()) everSeen.add(id)
      }
      if (random.chance(0.3)) await store.fold()
      if (random.chance(0.5)) continue
      const form: RowForm = random.pick(['values', 'object'])
      for (let more = true; more;) {
        const page = await shown.changes({ entities: ['t'], after, limit: 1 + random.int(6), form })
        for (const { id, json } of page.rows) {
          if (json !== null) held.add(id)
          else {
            held.delete(id)
            expect(everSeen.has(id), `${id} ${sql}`).toBe(true)
          }
        }
        ;({ more } = page)
        after = page.to.seq
      }
      expect([...held].sort(), sql).toEqual(matching())
    }
  }
  await store.close()
  app.close()
})

test('[E1] [V2] [V3] whoever takes in the fields of a view, in whatever pages, has its rows', async () => {
  const random = seededRandom(5)
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const store = await openStore(app, [
    entityWith({
      read: user => user['sees'] as Filter<Row>,
      columns: () => ['owner', 'team', 'done', 'score', 'data'],
    }),
  ])
  for (let round = 0; round < 100; round++) {
    const [sees, sql] = make(random)
    const shown = viewed(store, viewsOf(store, { id: 'u', sees }))
    const there = async (): Promise<Record<string, Row>> => {
      const { rows } = await shown.snapshot({ entity: 't', after: null, limit: 1000, form: 'object' })
      return Object.fromEntries(rows.map(({ id, json }) => [id, JSON.parse(json) as Row]))
    }
    const held: Record<string, Record<string, Json>> = structuredClone(await there())
    let since = (await store.head()).seq
    for (let step = 0; step < 6; step++) {
      for (let i = random.int(12); i >= 0; i--) write(app, random)
      if (random.chance(0.5)) while (await store.fold());
      let after = since
      for (let more = true; more;) {
        const query = { entities: ['t'], after, since, limit: 1 + random.int(4), form: 'object' } as const
        const page = await shown.changes({ ...query, cells: true })
        for (const text of bareTexts('field', placed(page.rows, after), since)) {
          const { entity_id, field, value } = JSON.parse(text) as {
            entity_id: string
            field: string | null
            value: Json
          }
          if (field === null) Reflect.deleteProperty(held, entity_id)
          else (held[entity_id] ??= {})[field] = value
        }
        ;({ more } = page)
        after = page.to.seq
      }
      since = after
      expect(held, `${sql}, round ${round}`).toEqual(await there())
    }
  }
  await store.close()
  app.close()
})

test('[V2] [V3] of a row that comes in two pages of one reading, each is told with what moved it before', () => {
  const row = (seq: number): ChangedRow => ({
    entity: 't',
    id: 'a',
    seq,
    json: '1',
    idJson: '1',
    created: false,
    reading: 0,
    temporary: null,
  })
  const move = (seq: number): Move => ({ entity: 't', id: 'a', idJson: '1', seq, was: { owner: `o${seq}` } })
  const to = { epoch: 'e', seq: 9, check: 0 }
  const page = { to, more: false, horizon: 0, moves: [2, 3, 5, 8].map(move) }
  const told = (rows: ChangedRow[]): unknown =>
    withMoves({ ...page, rows }).map(({ seq, was }) => [seq, was?.map(({ owner }) => owner)])
  expect(told([row(3), row(7)])).toEqual([
    [3, ['o2', 'o3']],
    [7, ['o5', 'o8']],
  ])
  expect(told([row(1)])).toEqual([[1, ['o2', 'o3', 'o5', 'o8']]])
})

test('[V1] hidden columns are in no text, hidden rows in none; the rest is to the letter', async () => {
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  app.exec("INSERT INTO t VALUES (1, 'u1', 9007199254740993, 1, 0.1, 'hush', '{\"b\": [1, 2]}')")
  const store = await openStore(app, [entityWith({ columns: () => ['owner', 'team', 'data'] })])
  const views = viewsOf(store, { id: 'u1' })
  expect(views.shapeOf('t')?.columns.map(([name]) => name)).toEqual(['id', 'owner', 'team', 'data'])
  const shown = viewed(store, views)
  const page = { entity: 't', after: null, limit: 9 }
  const json = async (form: RowForm): Promise<string | undefined> =>
    (await shown.snapshot({ ...page, form })).rows[0]?.json
  expect(await json('values')).toBe('1,"u1","9007199254740993",{"b": [1, 2]}')
  expect(await json('object')).toBe('{"id":1,"owner":"u1","team":"9007199254740993","data":{"b": [1, 2]}}')
  await store.close()
  app.close()
})

test('[V4] another rule, other columns or another table is another shape; the same for another user is not', async () => {
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const store = await openStore(app, [
    entityWith({
      read: user => (user['admin'] === true ? true : { team: Number(user['team']) }),
      columns: user =>
        user['all'] === true ? ['owner', 'team', 'done', 'score', 'secret', 'data'] : ['team'],
    }),
  ])
  const hash = (claims: object): string | undefined =>
    viewsOf(store, { id: 'x', ...claims }).shapeOf('t')?.hash
  const whole = store.entities.get('t')?.shape.hash
  expect(hash({ admin: true, all: true })).toBe(whole)
  expect(hash({ team: 1 })).toBe(hash({ team: 1, name: 'other' }))
  expect(
    new Set([
      whole,
      hash({ team: 1 }),
      hash({ team: 2 }),
      hash({ team: 1, all: true }),
      hash({ admin: true }),
    ]).size,
  ).toBe(5)
  await store.close()
  app.close()
})

test('[V6] a rule that throws, or goes by a column of which nothing is logged, shows nothing and is logged', async () => {
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const logged: unknown[] = []
  const log = { ...quiet, error: (details: object) => logged.push(details) }
  const rules: readonly AccessRules[] = [
    { read: () => JSON.parse('{') as boolean },
    { read: () => ({ secret: 'x' }) },
    { read: () => ({ nothing: 1 }) },
    { columns: () => ['nothing'] },
  ]
  for (const access of rules) {
    const store = await openStore(app, [defineEntity({ name: 't', by: ['owner'], access })])
    const views = new Views({ id: 'u' }, store.entities, log)
    expect(() => views.of('t')).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
    await store.close()
  }
  expect(logged.length).toBe(4)
  await expect(openStore(app, [defineEntity({ name: 't', by: ['data'] })])).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
  })
  app.close()
})

test('[V5] a change finds every set that can see it, now or before, and of those that go by a value no others', async () => {
  const random = seededRandom(6)
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const store = await openStore(app, [entityWith({ read: user => user['sees'] as Filter<Row> })])
  const interest = new Interest('values')
  const sets = Array.from({ length: 300 }, (_, i): ScopeSet => {
    const [sees] = i % 2 === 0 ? [{ owner: random.pick(values.owner), team: i }] : make(random)
    const view = viewsOf(store, { id: String(i), sees }).of('t')
    const views = new Map(view === null ? [] : [['t', view]])
    return { key: String(i), list: ['t'], entities: new Set(['t']), views, windows: false }
  })
  for (const set of sets) interest.add(set)
  let after = 0
  let found = 0
  for (let step = 0; step < 100; step++) {
    write(app, random)
    const page = await store.changes({ entities: ['t'], after, limit: 100, form: 'values', moves: true })
    after = page.to.seq
    const rows = withMoves(page)
    const named = interest.in(rows)
    found += named.size
    for (const set of sets) {
      const view = set.views.get('t')
      const concerned = rows.some(row => view === undefined || see(view, row, 'values') !== null)
      if (concerned) expect(named.has(set), JSON.stringify([rows, view?.key])).toBe(true)
    }
  }
  // half of them go by one of six owners
  expect(found).toBeLessThan(100 * 250)
  for (const set of sets) interest.remove(set)
  write(app, random)
  expect(interest.in([{ entity: 't', id: '1', json: '1,"u1",1,true,1,null,null' } as ChangedRow]).size).toBe(
    0,
  )
  await store.close()
  app.close()
})

test('entities without rules are shown as they are', async () => {
  const app = openHandle('node:sqlite', ':memory:')
  app.exec(ddl)
  const store = await openStore(app, ['t'])
  const page = { entity: 't', after: null, limit: 10, form: 'values' } as const
  expect(await viewed(store, viewsOf(store, { id: 'u' })).snapshot(page)).toEqual(await store.snapshot(page))
  await store.close()
  app.close()
})
