// What is remembered of clients, through a change of our own tables.
import { afterEach, expect, test } from 'vitest'
import { nodeEnv } from '../env.ts'
import { Owners, touchClient } from './clients.ts'
import { installTables } from './schema.ts'
import { Connection } from './driver.ts'
import { sqliteStatus } from './offline.ts'
import { alice, bob, freshPlace, mutation, openHandle, openStore, push } from './testkit.test.ts'

const open: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

/** As the first layout had them. */
const before = `
CREATE TABLE _syncline_clients(user TEXT NOT NULL, client TEXT NOT NULL, last INTEGER NOT NULL, lead INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(user, client)) WITHOUT ROWID;
CREATE TABLE _syncline_results(user TEXT NOT NULL, client TEXT NOT NULL, last INTEGER NOT NULL, first INTEGER NOT NULL, results TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(user, client, last)) WITHOUT ROWID;
INSERT INTO _syncline_clients VALUES('u','alice',7,3,1900000000000),('u','bob',4,1,1900000000000);
INSERT INTO _syncline_results VALUES('u','alice',5,4,'[{"n":4,"status":"applied","version":2},{"n":5,"status":"applied","version":3}]',1900000000000),
  ('u','alice',7,6,'[{"n":6,"status":"applied","version":5},{"n":7,"status":"applied","version":6}]',1900000000000);
DROP TABLE _syncline_commits;
UPDATE _syncline_meta SET value=1 WHERE key='version';
`

test('[Q3] [Q7] clients of a database of the first layout stay known, with their results and leads', async () => {
  const place = freshPlace()
  const app = openHandle('node:sqlite', place.path)
  open.push(() => {
    app.close()
    place.dispose()
  })
  app.exec('CREATE TABLE items(id INTEGER PRIMARY KEY, title TEXT)')
  installTables(new Connection(app), () => nodeEnv().secret(16), Date.now())
  app.exec(before)
  await expect(sqliteStatus(app)).rejects.toMatchObject({ code: 'INVALID_CONFIG' })

  const store = await openStore(app, ['items'])
  open.push(() => store.close())
  const again = (n: number) =>
    mutation(n, { entity: 'items', id: '1', action: 'create', values: { title: 'x' } })
  expect(await push(store, { ...alice, lead: 3 }, again(4), again(7))).toEqual([
    { n: 4, status: 'duplicate', version: 2 },
    { n: 7, status: 'duplicate', version: 6 },
  ])
  await expect(push(store, { ...alice, lead: 2 }, again(8))).rejects.toMatchObject({ code: 'FENCED' })
  expect(await push(store, bob, again(4), again(5))).toMatchObject([
    { n: 4, status: 'duplicate' },
    { n: 5, status: 'applied' },
  ])
  expect(await store.identify({ ...bob, lead: 9 })).toEqual({ last: 5, lead: 9 })
  expect((await store.stats()).clients).toBe(2)
  const ours = app
    .prepare("SELECT name FROM sqlite_master WHERE type='table' AND name LIKE '\\_syncline\\_%' ESCAPE '\\'")
    .all()
  expect(ours.map(({ name }) => name)).not.toContain('_syncline_results')
  expect(ours.map(({ name }) => name)).not.toContain('_syncline_clients')
})

test('[I1] a client is looked for among those of all users once, and one that nobody has until it is there', () => {
  const db = new Connection(openHandle('node:sqlite', ':memory:'))
  installTables(db, () => nodeEnv().secret(16), 1)
  const touch = (user: string, client: string): void =>
    touchClient(db, { user, client }, { last: 1, lead: 0 }, 0, 1)
  touch('eve', 'phone')
  const owners = new Owners()
  expect(owners.of(db, 'phone', 'eve')).toBe('eve')
  expect([owners.of(db, 'phone', 'adam'), owners.of(db, 'laptop', 'adam')]).toEqual(['eve', null])
  touch('adam', 'laptop')
  touch('adam', 'phone')
  db.run("DELETE FROM _syncline_commits WHERE user='eve'")
  expect(['eve', 'zoe'].map(user => owners.of(db, 'laptop', user))).toEqual(['adam', 'adam'])
  // whose key it is comes first, and else it is whose it was
  expect(['adam', 'zoe'].map(user => owners.of(db, 'phone', user))).toEqual(['adam', 'eve'])
})
