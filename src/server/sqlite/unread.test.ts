// Updates whose log entries are read and signed together, at the end of their transaction: the log must say the same as
// if each had been looked at by itself.
import { afterEach, expect, test } from 'vitest'
import { readingOf, stampOf } from '../../core/index.ts'
import { nodeEnv } from '../env.ts'
import type { Accepted, Prepared, ServerStore } from '../store.ts'
import { seededRandom } from '../../testing/index.ts'
import { alice, bob, deciding, freshPlace, mutation, openHandle, openStore, push } from './testkit.test.ts'
import type { App, Wish } from './testkit.test.ts'

const wide = Array.from({ length: 12 }, (_, i) => `c${i}`)
const schema = `
CREATE TABLE items(id INTEGER PRIMARY KEY, title TEXT NOT NULL, n INTEGER UNIQUE);
CREATE TABLE wide(id TEXT PRIMARY KEY NOT NULL, ${wide.map(column => `${column} INTEGER`).join(', ')});
CREATE TABLE other(id INTEGER PRIMARY KEY, v INTEGER NOT NULL DEFAULT 0);
INSERT INTO items VALUES(1,'a',1),(2,'b',2),(3,'c',3),(4,'d',4);
INSERT INTO wide(id) VALUES('x'),('y');
INSERT INTO other(id) VALUES(1);
`
/** A trigger that does nothing, and makes a table one whose writes are looked at one by one. */
const loud = `
CREATE TRIGGER items_loud AFTER UPDATE ON items WHEN 0 BEGIN SELECT 1; END;
CREATE TRIGGER wide_loud AFTER UPDATE ON wide WHEN 0 BEGIN SELECT 1; END;
`

const open: (() => Promise<void>)[] = []

async function world(extra = ''): Promise<{ app: App; store: ServerStore }> {
  const place = freshPlace()
  const app = openHandle('better-sqlite3', place.path)
  app.exec(schema + extra)
  const store = await openStore(app, ['items', 'wide', 'other'], { ...nodeEnv(), after: () => () => {} })
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

const update = (entity: string, id: string, values: Wish['values'] = {}): Wish => ({
  entity,
  id,
  action: 'update',
  values,
})

const log = (app: App): unknown[] =>
  app
    .prepare(
      'SELECT seq, ent, id, op, old, stamp, client, mutation, own, tmp FROM _syncline_tail ORDER BY seq',
    )
    .all()

const clocks = (app: App): number[] =>
  app
    .prepare('SELECT clock FROM _syncline_tail ORDER BY seq')
    .all()
    .map(({ clock }) => Number(clock))

const now = 1_900_000_000_000

function batches(seed: number): { sender: typeof alice; mutations: Prepared[] }[] {
  const random = seededRandom(seed)
  const last = { alice: 0, bob: 0 }
  const wish = (): Wish => {
    const id = String(random.between(1, 5))
    const kind = random.between(0, 9)
    if (kind === 0) return { entity: 'items', id, action: 'delete' }
    if (kind === 1)
      return { entity: 'items', id, action: 'create', upsert: true, values: { title: 'made', n: null } }
    if (kind < 5)
      return update(
        'wide',
        random.between(0, 1) === 0 ? 'x' : 'y',
        Object.fromEntries(
          wide.filter(() => random.between(0, 2) === 0).map(column => [column, random.between(0, 2)]),
        ),
      )
    return update('items', id, { title: `t${random.between(0, 2)}`, n: random.between(1, 9) })
  }
  return Array.from({ length: 12 }, () => {
    const name = random.between(0, 1) === 0 ? 'alice' : 'bob'
    const mutations = Array.from({ length: random.between(1, 8) }, () => {
      const several = random.between(0, 6) === 0 ? [wish(), wish()] : wish()
      const stamp = random.between(0, 1) === 0 ? stampOf((now + random.between(0, 99)) * 1000, name) : null
      return mutation(++last[name], several, { client: name, stamp, base: random.between(0, 30) })
    })
    return { sender: name === 'alice' ? alice : bob, mutations }
  })
}

test.each(Array.from({ length: 60 }, (_, i) => i + 1))(
  '[D2] [L3] what is read together is what is read one by one: seed %i',
  async seed => {
    const quiet = await world()
    const checked = await world(loud)
    for (const { sender, mutations } of batches(seed)) {
      const [a, b]: Accepted[][] = await Promise.all(
        [quiet, checked].map(({ store }) => store.accept(sender, mutations, deciding({}, now), 0)),
      )
      expect(a).toEqual(b)
      expect(log(quiet.app)).toEqual(log(checked.app))
      if (seed % 3 === 0) for (const { store } of [quiet, checked]) await store.fold()
    }
    for (const { app } of [quiet, checked]) {
      const all = clocks(app)
      expect(all).toEqual([...new Set(all)].toSorted((x, y) => x - y))
    }
    const table = 'SELECT * FROM items ORDER BY id'
    expect(quiet.app.prepare(table).all()).toEqual(checked.app.prepare(table).all())
  },
)

test('[Q2] each result names the place of its own change, also where some change nothing', async () => {
  const { store } = await world()
  await push(store, bob, mutation(1, update('items', '1', { title: 'bob' }), { client: 'bob' }))
  const results = await store.accept(
    alice,
    [
      mutation(1, update('items', '2', { title: 'x' })),
      mutation(2, update('items', '1', { title: 'late' }), { base: 0 }),
      mutation(3, update('items', '2', { title: 'x' })),
      mutation(4, update('items', '3', { n: 4 })),
      mutation(5, update('items', '3', { title: 'z' })),
      mutation(5, update('items', '3', { title: 'z' })),
    ],
    deciding({ strategy: 'server-wins' }),
    0,
  )
  expect(results).toMatchObject([
    { result: { n: 1, status: 'applied', version: 2 } },
    { result: { n: 2, status: 'conflict', version: 2 } },
    { result: { n: 3, status: 'applied', version: 2 } },
    { result: { n: 4, status: 'rejected', version: 2 } },
    { result: { n: 5, status: 'applied', version: 3 } },
    { result: { n: 5, status: 'duplicate', version: 3 } },
  ])
})

test('[L3] clocks rise along the log where a writer is ahead of those behind it', async () => {
  const { app, store } = await world()
  const ahead = stampOf((Date.now() + 50_000) * 1000, 'fast')
  await push(
    store,
    alice,
    mutation(1, update('items', '1', { title: 'x' }), { stamp: ahead }),
    mutation(2, update('items', '2', { title: 'y' })),
  )
  const [first = 0, second = 0] = clocks(app)
  expect(first).toBe(readingOf(ahead))
  expect(second).toBeGreaterThan(first)
})

test('[D2] a trigger that nobody knew of: its effects on other rows are nobody’s', async () => {
  const { app, store } = await world()
  const twoUpdates = (n: number): Prepared[] => [
    mutation(n, update('items', '1', { title: `x${n}` })),
    mutation(n + 1, update('items', '2', { title: `y${n}` })),
  ]
  await push(store, alice, ...twoUpdates(1))
  // the store has not looked at the schema again
  app.exec(
    'CREATE TRIGGER late AFTER UPDATE OF title ON items BEGIN UPDATE other SET v=v+1; UPDATE items SET n=n+10 WHERE id=NEW.id; END',
  )
  const results = await push(store, alice, ...twoUpdates(3))
  expect(results).toMatchObject([
    { n: 3, status: 'applied' },
    { n: 4, status: 'applied', version: 8 },
  ])
  const entries = app
    .prepare(
      'SELECT ent, CAST(id AS TEXT) AS id, old, client, mutation, own FROM _syncline_tail WHERE seq > 2',
    )
    .all()
  const own = entries.filter(({ ent }) => ent !== 3)
  expect(own.map(({ id, client, mutation: n, own: mine }) => [id, client, n, mine])).toEqual([
    ['1', 'alice', 3, 1],
    ['1', 'alice', 3, 1],
    ['2', 'alice', 4, 1],
    ['2', 'alice', 4, 1],
  ])
  expect(entries.filter(({ ent }) => ent === 3)).toMatchObject([
    { client: null, mutation: null, own: 0 },
    { client: null, mutation: null, own: 0 },
  ])
})

test('[D2] a trigger that nobody knew of: its effects on the row are the client’s, under the log’s clock', async () => {
  const { app, store } = await world()
  app.exec(
    'CREATE TRIGGER late AFTER UPDATE OF title ON items BEGIN UPDATE items SET n=n+10 WHERE id=NEW.id; END',
  )
  const stamp = stampOf(1_000, 'alice')
  await push(store, alice, mutation(1, update('items', '1', { title: 'x' }), { stamp }))
  const entries = app.prepare('SELECT old, stamp, client, own FROM _syncline_tail ORDER BY old').all()
  expect(entries).toEqual([
    { old: ',"n"', stamp: null, client: 'alice', own: 1 },
    { old: ',"title"', stamp, client: 'alice', own: 1 },
  ])
})

test('[L2] what is folded stays known, and what others write to it is heard of', async () => {
  const { app, store } = await world()
  const [seen] = await push(store, alice, mutation(1, update('items', '1', { title: 'alice' })))
  await store.fold()
  app.exec("UPDATE items SET title = 'somebody' WHERE id = 1; DELETE FROM items WHERE id = 2")
  const base = seen?.version ?? 0
  const results = await store.accept(
    alice,
    [
      mutation(2, update('items', '1', { title: 'late' }), { base }),
      mutation(3, update('items', '2', { title: 'gone' }), { base }),
    ],
    deciding({ strategy: 'server-wins' }),
    0,
  )
  expect(results).toMatchObject([
    { result: { status: 'conflict', error: { code: 'CONFLICT' } } },
    { result: { status: 'conflict', error: { code: 'ROW_DELETED' } } },
  ])
})
