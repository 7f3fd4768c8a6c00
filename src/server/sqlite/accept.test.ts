// A client's mutations against real tables: decided, stored whole or not at all, exactly once.
import { afterEach, expect, test } from 'vitest'
import { readingOf, readingOfMs, stampOf } from '../../core/index.ts'
import type { Json } from '../../core/index.ts'
import type { ServerStore } from '../store.ts'
import {
  alice,
  bob,
  deciding,
  drivers,
  entity,
  freshPlace,
  mutation,
  openHandle,
  openStore,
  push,
  resultsOf,
} from './testkit.test.ts'
import type { App, DriverName, Wish } from './testkit.test.ts'

const schema = `
CREATE TABLE lists(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE tasks(id INTEGER PRIMARY KEY, list_id INTEGER REFERENCES lists(id) ON DELETE CASCADE, title TEXT UNIQUE, done BOOLEAN,
  meta JSON, pic BLOB, big INTEGER, loose, touched INTEGER DEFAULT 0, len INTEGER GENERATED ALWAYS AS (length(title)) VIRTUAL);
CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, body TEXT, rev INTEGER NOT NULL DEFAULT 0);
CREATE TABLE late(id INTEGER PRIMARY KEY, list_id INTEGER REFERENCES lists(id) DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER notes_rev AFTER UPDATE OF body ON notes BEGIN UPDATE notes SET rev = rev + 1, body = trim(NEW.body) WHERE id = NEW.id; END;
CREATE TRIGGER tasks_fail AFTER UPDATE OF title ON tasks WHEN NEW.title = 'fail' BEGIN SELECT RAISE(FAIL, 'half done'); END;
CREATE TRIGGER tasks_rollback AFTER UPDATE OF title ON tasks WHEN NEW.title = 'rollback' BEGIN SELECT RAISE(ROLLBACK, 'all undone'); END;
CREATE TRIGGER tasks_abort BEFORE UPDATE OF title ON tasks WHEN NEW.title = 'abort' BEGIN SELECT RAISE(ABORT, 'not this'); END;
CREATE TRIGGER lists_ignore BEFORE INSERT ON lists WHEN NEW.name = 'ignore' BEGIN SELECT RAISE(IGNORE); END;
`

interface World {
  readonly app: App
  readonly store: ServerStore
}

const open: (() => Promise<void>)[] = []

async function world(driver: DriverName = 'node:sqlite', inMemory = true): Promise<World> {
  const place = freshPlace(inMemory)
  const app = openHandle(driver, place.path)
  app.exec(schema)
  app.exec(
    "PRAGMA foreign_keys = ON; INSERT INTO lists VALUES(1, 'one'); INSERT INTO tasks(id, list_id, title) VALUES(1, 1, 'a'), (2, 1, 'b')",
  )
  const store = await openStore(app, ['lists', 'tasks', entity('notes', { serverOwned: ['rev'] }), 'late'])
  open.push(async () => {
    await store.close()
    app.close()
    place.dispose()
  })
  return { app, store }
}

afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

const task = (id: string, values: Record<string, Json>): Wish => ({
  entity: 'tasks',
  id,
  action: 'update',
  values,
})
const title = (app: App, id: number): unknown =>
  app.prepare('SELECT title FROM tasks WHERE id = ?').get(id)?.['title']

test.each(drivers)('[Q3] a mutation comes twice and is stored once, with its result: %s', async driver => {
  const { app, store } = await world(driver, false)
  const create = mutation(1, { entity: 'lists', id: 'tmp_1', action: 'create', values: { name: 'new' } })
  const bad = mutation(2, { entity: 'lists', id: '1', action: 'create', values: { name: 'x' } })
  const [first, refused] = await push(store, alice, create, bad)
  expect(first).toEqual({ n: 1, status: 'applied', ids: { tmp_1: '2' }, version: 1 })
  expect(refused).toMatchObject({ n: 2, status: 'rejected', error: { code: 'ALREADY_EXISTS' } })
  const again = await push(store, alice, create, bad)
  expect(again[0]).toEqual({ n: 1, status: 'duplicate', ids: { tmp_1: '2' }, version: 1 })
  expect(again[1]).toMatchObject({ n: 2, status: 'duplicate', error: { code: 'ALREADY_EXISTS' } })
  expect(app.prepare('SELECT count(*) AS c FROM lists').get()).toEqual({ c: 2 })
  // acknowledged results are forgotten, the number is not
  await store.accept(alice, [], deciding(), 2)
  expect(await push(store, alice, create)).toEqual([{ n: 1, status: 'duplicate', version: 1 }])
  expect(await store.identify(alice)).toEqual({ last: 2, lead: 1 })
  expect(
    await push(store, bob, mutation(1, task('1', { title: 'by bob' }), { client: 'bob' })),
  ).toMatchObject([{ status: 'applied' }])
})

test('[Q3] a mutation that names itself is known by that name', async () => {
  const { store } = await world()
  const named = mutation(null, task('1', { title: 'n' }), { mutationId: 'm-1', client: null })
  const sender = { user: 'u', client: null, lead: null }
  expect(await push(store, sender, named, named)).toMatchObject([
    { n: null, mutation_id: 'm-1', status: 'applied', version: 1 },
    { n: null, mutation_id: 'm-1', status: 'duplicate', version: 1 },
  ])
  expect(await push(store, sender, named)).toMatchObject([{ status: 'duplicate', version: 1 }])
})

test('[Q7] a lower lead stores nothing', async () => {
  const { app, store } = await world()
  expect(await store.identify({ ...alice, lead: 5 })).toEqual({ last: 0, lead: 5 })
  await expect(
    push(store, { ...alice, lead: 4 }, mutation(1, task('1', { title: 'old tab' }))),
  ).rejects.toMatchObject({ code: 'FENCED' })
  expect(title(app, 1)).toBe('a')
  expect(
    await push(store, { ...alice, lead: 6 }, mutation(1, task('1', { title: 'new tab' }))),
  ).toMatchObject([{ status: 'applied' }])
  expect(await store.identify(alice)).toEqual({ last: 1, lead: 6 })
})

test('[Q6] temporary ids are resolved in ids and foreign keys, in later pushes too', async () => {
  const { app, store } = await world()
  const results = await push(
    store,
    alice,
    mutation(1, { entity: 'lists', id: 'tmp_l', action: 'create', values: { name: 'mine' } }),
    mutation(2, {
      entity: 'tasks',
      id: 'tmp_t',
      action: 'create',
      values: { list_id: 'tmp_l', title: 'child' },
    }),
  )
  expect(results).toMatchObject([{ ids: { tmp_l: '2' } }, { ids: { tmp_t: '3' } }])
  const [later] = await push(
    store,
    alice,
    mutation(3, [
      task('tmp_t', { title: 'renamed' }),
      { entity: 'lists', id: 'tmp_l', action: 'update', values: { name: 'n' } },
    ]),
  )
  expect(later).toMatchObject({ status: 'applied' })
  expect(app.prepare('SELECT list_id, title FROM tasks WHERE id = 3').get()).toEqual({
    list_id: 2,
    title: 'renamed',
  })
  const { rows } = await store.changes({ entities: ['lists', 'tasks'], after: 0, limit: 100, form: 'values' })
  expect(rows.map(row => [row.entity, row.id, row.temporary])).toEqual([
    ['tasks', '3', 'tmp_t'],
    ['lists', '2', 'tmp_l'],
  ])
  // nobody else's temporary id, and none where the client has to make the key
  expect(
    await push(
      store,
      bob,
      mutation(1, task('tmp_t', { title: 'x' })),
      mutation(2, { entity: 'notes', id: 'tmp_n', action: 'create', values: { body: 'b' } }),
    ),
  ).toMatchObject([
    { status: 'rejected', error: { code: 'INVALID_ID' } },
    { status: 'rejected', error: { code: 'INVALID_ID' } },
  ])
})

test('[D13] a transaction is stored whole or not at all, and spoils no other', async () => {
  const { app, store } = await world()
  const results = await push(
    store,
    alice,
    mutation(1, [task('1', { title: 'one' }), task('2', { title: 'one' })]),
    mutation(2, [
      task('1', { title: 'two' }),
      { entity: 'lists', id: 'tmp_x', action: 'create', values: { name: 'x' } },
    ]),
    mutation(3, [task('1', { title: 'three' }), { entity: 'lists', id: '77', action: 'create', values: {} }]),
  )
  expect(results).toMatchObject([
    {
      status: 'rejected',
      error: { code: 'CONSTRAINT_FAILED', details: { sqlite: 'UNIQUE constraint failed: tasks.title' } },
    },
    { status: 'applied', ids: { tmp_x: '2' } },
    { status: 'rejected', error: { code: 'CONSTRAINT_FAILED' } },
  ])
  expect([title(app, 1), title(app, 2)]).toEqual(['two', 'b'])
  const { rows } = await store.changes({ entities: ['lists', 'tasks'], after: 0, limit: 100, form: 'values' })
  expect(rows.map(row => row.id)).toEqual(['1', '2'])
  // what was undone is forgotten by the next judgement as well
  expect(
    await push(store, bob, mutation(1, task('2', { title: 'z' }), { base: 0, client: 'bob' })),
  ).toMatchObject([{ status: 'applied' }])
})

test.each(drivers)(
  '[D13] triggers that break off a transaction spoil only their own mutation: %s',
  async driver => {
    const { app, store } = await world(driver, driver === 'node:sqlite')
    const results = await push(
      store,
      alice,
      mutation(1, task('1', { title: 'first' })),
      mutation(2, task('2', { title: 'fail' })),
      mutation(3, task('2', { title: 'rollback' })),
      mutation(4, task('2', { title: 'abort' })),
      mutation(5, [task('2', { done: true }), task('1', { title: 'rollback' })]),
      mutation(6, { entity: 'lists', id: 'tmp_1', action: 'create', values: { name: 'ignore' } }),
      mutation(7, { entity: 'lists', id: '9', action: 'create', values: { name: 'ignore' } }),
      mutation(8, { entity: 'late', id: '1', action: 'create', values: { list_id: 99 } }),
      mutation(9, task('1', { done: true })),
    )
    expect(results.map(result => `${result.n} ${result.status} ${result.error?.code ?? ''}`)).toEqual([
      '1 applied ',
      '2 rejected CONSTRAINT_FAILED',
      '3 rejected CONSTRAINT_FAILED',
      '4 rejected CONSTRAINT_FAILED',
      '5 rejected CONSTRAINT_FAILED',
      '6 rejected CONSTRAINT_FAILED',
      '7 rejected CONSTRAINT_FAILED',
      '8 rejected CONSTRAINT_FAILED',
      '9 applied ',
    ])
    expect(app.prepare('SELECT id, title, done FROM tasks').all()).toEqual([
      { id: 1, title: 'first', done: 1 },
      { id: 2, title: 'b', done: null },
    ])
    expect(await store.identify(alice)).toMatchObject({ last: 9 })
  },
)

test('[D2] side effects of a mutation are its own and keep the clock of the server', async () => {
  const { store } = await world()
  await push(store, alice, mutation(1, { entity: 'notes', id: 'n', action: 'create', values: { body: 'x' } }))
  const { seq } = await store.head()
  const old = stampOf(readingOfMs(Date.now() - 3_600_000), 'alice')
  const offline = { base: seq, stamp: old }
  const results = await push(
    store,
    alice,
    mutation(2, { entity: 'notes', id: 'n', action: 'update', values: { body: ' 1 ' } }, offline),
    mutation(3, { entity: 'notes', id: 'n', action: 'update', values: { body: '2' } }, offline),
  )
  expect(results.map(result => result.status)).toEqual(['applied', 'applied'])
  const [found] = await store.look('notes', ['n'])
  expect(found?.row).toEqual({ id: 'n', body: '2', rev: 2 })
  const { cells } = found?.standing ?? {}
  expect(cells?.['body']?.by).toBe('alice')
  expect(cells?.['rev']?.by).toBe('alice')
  expect(readingOf(cells?.['rev']?.stamp ?? '')).toBeGreaterThan(readingOfMs(Date.now() - 60_000))
  // for somebody else with the same base they are news
  expect(
    await push(
      store,
      bob,
      mutation(
        1,
        { entity: 'notes', id: 'n', action: 'update', values: { body: 'b' } },
        { ...offline, client: 'bob' },
      ),
    ),
  ).toMatchObject([{ status: 'conflict', error: { code: 'CONFLICT' } }])
})

test('[L3] stamps rise with seq, also beneath a client whose clock is ahead', async () => {
  const { app, store } = await world()
  await push(store, alice, mutation(1, { entity: 'notes', id: 'n', action: 'create', values: { body: 'x' } }))
  let last = ''
  const check = async (): Promise<void> => {
    const [found] = await store.look('notes', ['n'])
    const stamp = found?.standing.cells['body']?.stamp ?? ''
    expect(stamp > last).toBe(true)
    last = stamp
  }
  for (let n = 2; n < 8; n++) {
    const stamp = stampOf(readingOfMs(Date.now() + (n % 3) * 50_000 - 20_000), 'alice')
    await push(
      store,
      alice,
      mutation(n, { entity: 'notes', id: 'n', action: 'update', values: { body: `v${n}` } }, { stamp }),
    )
    await check()
    app.exec(`UPDATE notes SET body = 'raw ${n}'`)
    await check()
    if (n % 2 === 0) await store.fold()
  }
})

test('[D6] a resolver is asked for, those behind it wait, and its value is nobodys own', async () => {
  const { app, store } = await world()
  app.exec("UPDATE tasks SET title = 'server', done = 1 WHERE id = 1")
  const decide = deciding({ grain: 'entity', resolver: true })
  const wish = task('1', { title: 'client' })
  const asked = await store.accept(
    alice,
    [
      mutation(1, task('2', { done: true })),
      mutation(2, wish, { base: 0 }),
      mutation(3, task('2', { done: false })),
    ],
    decide,
    0,
  )
  expect(asked).toMatchObject([
    { kind: 'result', result: { n: 1 } },
    { kind: 'resolve', writes: [{ index: 0, columns: ['title'] }] },
  ])
  expect(asked.length).toBe(2)
  const [found] = await store.look('tasks', ['1'])
  const resolution = { seq: found?.standing.seq ?? 0, changes: { title: 'both' } }
  const settled = await store.accept(
    alice,
    [mutation(2, { ...wish, resolution }, { base: 0 }), mutation(3, task('2', { done: false }))],
    decide,
    0,
  )
  expect(resultsOf(settled)).toMatchObject([
    { n: 2, status: 'merged' },
    { n: 3, status: 'applied' },
  ])
  expect(title(app, 1)).toBe('both')
  expect((await store.look('tasks', ['1']))[0]?.standing.cells['title']?.by).toBe(null)
})

test('[L8] values are stored by the kind of their column, and what cannot be stored is refused', async () => {
  const { app, store } = await world()
  const [good] = await push(
    store,
    alice,
    mutation(
      1,
      task('1', {
        done: true,
        meta: { a: [1, 'x'] },
        pic: { $blob: 'AP8=' },
        big: '9007199254740993',
        loose: 5,
      }),
    ),
  )
  expect(good).toMatchObject({ status: 'applied' })
  expect(
    app
      .prepare(
        'SELECT done, meta, hex(pic) AS pic, CAST(big AS TEXT) AS big, typeof(loose) AS loose FROM tasks WHERE id = 1',
      )
      .get(),
  ).toEqual({
    done: 1,
    meta: '{"a":[1,"x"]}',
    pic: '00FF',
    big: '9007199254740993',
    loose: 'integer',
  })
  expect((await store.look('tasks', ['1']))[0]?.row).toMatchObject({
    done: true,
    meta: { a: [1, 'x'] },
    pic: { $blob: 'AP8=' },
    big: '9007199254740993',
    loose: 5,
  })
  const bad: [Wish, string][] = [
    [task('1', { done: 'yes' }), 'INVALID_VALUE'],
    [task('1', { title: { a: 1 } }), 'INVALID_VALUE'],
    [task('1', { big: 'many' }), 'INVALID_VALUE'],
    [task('1', { len: 3 }), 'INVALID_VALUE'],
    [task('1', { nothing: 3 }), 'UNKNOWN_FIELD'],
    [task('one', { done: true }), 'INVALID_ID'],
    [task('99999999999999999999', { done: true }), 'INVALID_ID'],
    [task('1', { list_id: 99 }), 'CONSTRAINT_FAILED'],
    [{ entity: 'notes', id: 'x', action: 'create', values: { rev: 3 } }, 'INVALID_VALUE'],
    [{ entity: 'nowhere', id: 'x', action: 'create', values: {} }, 'UNKNOWN_ENTITY'],
    [{ entity: 'lists', id: '50', action: 'update', values: {} }, 'NOT_FOUND'],
  ]
  const results = await push(store, alice, ...bad.map(([wish], i) => mutation(i + 2, wish)))
  expect(results.map(result => result.error?.code)).toEqual(bad.map(([, code]) => code))
  expect(results.at(-1)?.error?.message).toMatch(/^there is no such row to update, .*NOT NULL/)
})

test('[D9] a cascade is seen, and belongs to nobody', async () => {
  const { store } = await world()
  await push(store, alice, mutation(1, { entity: 'lists', id: '1', action: 'delete' }))
  const { rows } = await store.changes({ entities: ['lists', 'tasks'], after: 0, limit: 10, form: 'values' })
  const seen = rows.map(row => `${row.entity} ${row.id} ${row.json === null} ${row.origin?.client ?? ''}`)
  expect(seen.toSorted()).toEqual(['lists 1 true alice', 'tasks 1 true ', 'tasks 2 true '])
})

test('[C1] [W3] what the database computes of a written column is written with it, and not otherwise', async () => {
  const { store } = await world()
  const columns = async (values: Record<string, Json>, n: number): Promise<string[]> => {
    const after = (await store.head()).seq
    await push(store, alice, mutation(n, task('1', values)))
    const page = await store.changes({ entities: ['tasks'], after, limit: 9, form: 'values', cells: true })
    return Object.keys(page.rows[0]?.cells ?? {}).toSorted()
  }
  expect(await columns({ title: 'longer' }, 1)).toEqual(['len', 'title'])
  expect(await columns({ title: 'as long'.slice(0, 6) }, 2)).toEqual(['title'])
  expect(await columns({ done: true }, 3)).toEqual(['done'])
  while (await store.fold());
  expect(await columns({ big: 1, title: 'x' }, 4)).toEqual(['big', 'len', 'title'])
})
