// Tables that cannot be synced, schemas that change under an open store, and leaving without a trace.
import { afterEach, expect, test } from 'vitest'
import type { EntityDefinition } from '../../core/index.ts'
import { nodeEnv } from '../env.ts'
import type { ServerStore } from '../store.ts'
import { detach, sqliteStore, uninstall } from './index.ts'
import { drivers, entity, freshPlace, openHandle, openStore, Replica } from './testkit.test.ts'
import type { App } from './testkit.test.ts'

const closing: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function application(schema: string, inMemory = false): App {
  const place = freshPlace(inMemory)
  const app = openHandle('node:sqlite', place.path)
  app.exec(schema)
  closing.push(() => {
    app.close()
    place.dispose()
  })
  return app
}

async function opened(app: App, entities: readonly (string | EntityDefinition)[]): Promise<ServerStore> {
  const store = await openStore(app, entities)
  closing.push(() => store.close())
  return store
}

const waitFor = async (done: () => boolean): Promise<void> => {
  for (let i = 0; i < 200 && !done(); i++) await new Promise(resolve => setTimeout(resolve, 10))
  if (!done()) throw new Error('it did not happen within 2 s')
}

interface Heard {
  readonly changed: string[]
  readonly failed: string[]
}

function listen(store: ServerStore): Heard {
  const heard: Heard = { changed: [], failed: [] }
  closing.push(
    store.watch({
      wake() {},
      schemaChanged: entities => heard.changed.push(...entities),
      failed: error => heard.failed.push(error.message),
    }),
  )
  return heard
}

test.each([
  ['UNKNOWN_TABLE', 'nowhere', '', 'nowhere'],
  ['UNKNOWN_TABLE', 'v', 'CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT * FROM t', 'view'],
  ['UNKNOWN_TABLE', 'f', 'CREATE VIRTUAL TABLE f USING fts5(a)', 'virtual'],
  ['NO_PRIMARY_KEY', 't', 'CREATE TABLE t(a TEXT)', "'t'"],
  ['UNSUPPORTED_KEY', 't', 'CREATE TABLE t(id PRIMARY KEY NOT NULL)', 'no type'],
  ['UNSUPPORTED_KEY', 't', 'CREATE TABLE t(id BLOB PRIMARY KEY NOT NULL)', 'BLOB'],
  ['UNSUPPORTED_KEY', 't', 'CREATE TABLE t(id REAL PRIMARY KEY NOT NULL)', 'floating'],
  ['INVALID_CONFIG', 't', 'CREATE TABLE t(id INTEGER PRIMARY KEY, "__proto__" TEXT)', '__proto__'],
])('%s: %s (%s)', async (code, name, schema, words) => {
  const app = application(schema, true)
  const store = sqliteStore(app, { env: nodeEnv() })
  closing.push(() => store.close())
  const error: unknown = await store.open([entity(name)]).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code, message: expect.stringContaining(words) })
})

test("a key of the user's choice must not be NULL", async () => {
  const app = application('CREATE TABLE t(id TEXT UNIQUE, n INTEGER PRIMARY KEY)', true)
  const store = sqliteStore(app, { env: nodeEnv() })
  closing.push(() => store.close())
  await expect(store.open([entity('t', { primaryKey: ['id'] })])).rejects.toMatchObject({
    code: 'UNSUPPORTED_KEY',
    message: expect.stringContaining('NOT NULL'),
  })
})

test('[C1, L7] where SQLite stores NULL in a primary key, rows without a key are left out and those with one are not', async () => {
  const app = application(
    `CREATE TABLE t(id TEXT PRIMARY KEY, v); CREATE TABLE p(a TEXT, b INT, v, PRIMARY KEY(a, b));
     INSERT INTO t VALUES (NULL, 1), ('x', 2), (NULL, 3); INSERT INTO p VALUES ('a', NULL, 1), ('a', 2, 2), (NULL, 3, 3)`,
    true,
  )
  const store = await opened(app, ['t', 'p'])
  const ids = async (name: string): Promise<string[]> => {
    const page = await store.snapshot({ entity: name, after: null, limit: 10, form: 'values' })
    return page.rows.map(row => row.id)
  }
  expect([await ids('t'), await ids('p')]).toEqual([['x'], ['["a",2]']])
  app.exec(
    'INSERT INTO t VALUES (NULL, 4); UPDATE t SET v = 9 WHERE id IS NULL; INSERT INTO p VALUES (NULL, NULL, 5)',
  )
  const query = { entities: ['t', 'p'], after: 0, limit: 10, form: 'values' } as const
  expect((await store.changes(query)).rows).toEqual([])
  app.exec(
    "UPDATE t SET id = 'y' WHERE v = 9 AND rowid = 1; UPDATE p SET b = 7 WHERE b IS NULL AND v = 1; UPDATE t SET id = NULL WHERE id = 'x'",
  )
  const seen = async (): Promise<unknown[]> =>
    (await store.changes(query)).rows.map(row => [row.entity, row.id, row.json !== null])
  const wanted = [
    ['t', 'y', true],
    ['p', '["a",7]', true],
    ['t', 'x', false],
  ]
  expect(await seen()).toEqual(wanted)
  await store.fold()
  expect(await seen()).toEqual(wanted)
  expect([await ids('t'), await ids('p')]).toEqual([['y'], ['["a",2]', '["a",7]']])
})

test('keys of every supported kind, and which of them the database assigns', async () => {
  const app = application(
    `CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(8)))));
     CREATE TABLE c(id INT PRIMARY KEY NOT NULL); CREATE TABLE d(x TEXT, y INT, PRIMARY KEY(x, y)) WITHOUT ROWID;
     CREATE TABLE e(id UUID NOT NULL, n TEXT NOT NULL UNIQUE, PRIMARY KEY(id)); CREATE TABLE people(id INTEGER PRIMARY KEY)`,
    true,
  )
  const store = await opened(app, [
    'a',
    'b',
    'c',
    'd',
    entity('e', { primaryKey: ['n'] }),
    entity('Person', { table: 'people' }),
  ])
  const infos = [...store.entities.values()].map(info => [
    info.name,
    info.table,
    info.shape.key.join(),
    info.integerKey,
    info.assignsKey,
  ])
  expect(infos).toEqual([
    ['a', 'a', 'id', true, true],
    ['b', 'b', 'id', false, true],
    ['c', 'c', 'id', true, false],
    ['d', 'd', 'x,y', false, false],
    ['e', 'e', 'n', false, false],
    ['Person', 'people', 'id', true, true],
  ])
})

test('[C8] columns that come, go and are renamed', async () => {
  const app = application(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT); INSERT INTO t VALUES(1, 'x', 'y')",
  )
  const store = await opened(app, ['t'])
  const heard = listen(store)
  const before = store.entities.get('t')?.shape.hash
  app.exec('ALTER TABLE t ADD COLUMN z; UPDATE t SET z = 1')
  await waitFor(() => heard.changed.length === 1)
  expect(store.entities.get('t')?.shape.hash).not.toBe(before)
  app.exec('UPDATE t SET z = 2')
  expect(
    (await store.changes({ entities: ['t'], after: 0, limit: 10, form: 'object' })).rows.at(-1)?.json,
  ).toBe('{"id":1,"a":"x","b":"y","z":2}')
  app.exec('ALTER TABLE t RENAME COLUMN a TO aa')
  await waitFor(() => heard.changed.length === 2)
  app.exec("UPDATE t SET aa = 'new'")
  expect(Object.keys((await store.look('t', ['1']))[0]?.standing.cells ?? {}).toSorted()).toEqual(['aa', 'z'])
  // SQLite refuses to drop a column that a trigger names; the migration detaches first
  expect(() => app.exec('ALTER TABLE t DROP COLUMN b')).toThrow('_syncline')
  app.exec('BEGIN')
  detach(app)
  app.exec('ALTER TABLE t DROP COLUMN b; COMMIT')
  await waitFor(() => heard.changed.length === 3)
  app.exec("UPDATE t SET aa = 'again'")
  expect(
    (await store.changes({ entities: ['t'], after: 0, limit: 10, form: 'object' })).rows.at(-1)?.json,
  ).toBe('{"id":1,"aa":"again","z":2}')
  expect(heard.failed).toEqual([])
})

test('[C8] a column that has a rule is not followed without it: nobody would be kept from what it guards', async () => {
  const app = application("CREATE TABLE t(id INTEGER PRIMARY KEY, rank TEXT); INSERT INTO t VALUES(1, 'low')")
  const store = await opened(app, [entity('t', { serverOwned: ['rank'] })])
  const heard = listen(store)
  app.exec('ALTER TABLE t RENAME COLUMN rank TO grade')
  await waitFor(() => heard.failed.length === 1)
  expect(heard.failed[0]).toContain("a rule for 'rank'")
  app.exec('ALTER TABLE t RENAME COLUMN grade TO rank')
  await waitFor(() => heard.changed.length === 2)
  expect(store.entities.has('t')).toBe(true)
})

test('[C8] a table that is rebuilt gets its triggers back and its subscribers everything', async () => {
  const app = application(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES(1, 'x'), (2, 'y')",
  )
  const store = await opened(app, ['t'])
  const heard = listen(store)
  const before = store.entities.get('t')?.shape.hash
  app.exec(
    'BEGIN; CREATE TABLE t_new(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t_new SELECT * FROM t WHERE id = 1; DROP TABLE t; ALTER TABLE t_new RENAME TO t; COMMIT',
  )
  await waitFor(() => heard.changed.length === 1)
  expect(store.entities.get('t')?.shape.hash).not.toBe(before)
  app.exec("UPDATE t SET a = 'seen'")
  expect(
    (await store.changes({ entities: ['t'], after: 0, limit: 10, form: 'values' })).rows.map(row => row.json),
  ).toEqual(['1,"seen"'])
})

test('[C8] a dropped table breaks nothing else, and heals when it returns', async () => {
  const app = application(
    'CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE u(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1, 1)',
  )
  const store = await opened(app, ['t', 'u'])
  const heard = listen(store)
  app.exec('DROP TABLE t')
  await waitFor(() => heard.failed.length === 1)
  expect(heard.failed[0]).toContain("'t'")
  app.exec('INSERT INTO u VALUES(5)')
  expect(
    (await store.changes({ entities: ['t', 'u'], after: 0, limit: 10, form: 'values' })).rows.map(
      row => row.entity,
    ),
  ).toEqual(['u'])
  await expect(store.snapshot({ entity: 't', after: null, limit: 10, form: 'values' })).rejects.toMatchObject(
    { code: 'UNKNOWN_TABLE' },
  )
  while (await store.fold());
  app.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(7, 7, 7)')
  await waitFor(() => heard.changed.length === 2)
  expect(
    (await store.snapshot({ entity: 't', after: null, limit: 10, form: 'values' })).rows.map(row => row.json),
  ).toEqual(['7,7,7'])
})

test('[C8] a unique index and a trigger that come later are reckoned with', async () => {
  const app = application(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES(1, 'x'), (2, 'y')",
  )
  const store = await opened(app, ['t'])
  const heard = listen(store)
  app.exec('CREATE UNIQUE INDEX late ON t(a)')
  await waitFor(() => heard.changed.length === 1)
  app.exec("INSERT OR REPLACE INTO t VALUES(3, 'x')")
  const { rows } = await store.changes({ entities: ['t'], after: 0, limit: 10, form: 'values' })
  expect(rows.map(row => [row.id, row.json])).toEqual([
    ['1', null],
    ['3', '3,"x"'],
  ])
  app.exec("CREATE TRIGGER newest AFTER INSERT ON t BEGIN SELECT RAISE(FAIL, 'no') WHERE NEW.a = 'bad'; END")
  const ours =
    "SELECT min(rowid) > (SELECT rowid FROM sqlite_master WHERE name = 'newest') AS last FROM sqlite_master WHERE name LIKE '\\_syncline\\_%' ESCAPE '\\' AND type = 'trigger'"
  await waitFor(() => app.prepare(ours).get()?.['last'] === 1)
  expect(() => app.exec("INSERT INTO t VALUES(4, 'bad')")).toThrow('no')
  expect(
    (
      await store.changes({ entities: ['t'], after: rows.at(-1)?.seq ?? 0, limit: 10, form: 'values' })
    ).rows.map(row => row.id),
  ).toEqual(['4'])
})

test('an entity that leaves the list is forgotten, and starts anew when it returns', async () => {
  const app = application('CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE u(id INTEGER PRIMARY KEY)')
  const first = await openStore(app, ['t', 'u'])
  const before = first.entities.get('t')?.shape.hash
  app.exec('INSERT INTO t VALUES(1, 1)')
  while (await first.fold());
  await first.close()
  const second = await openStore(app, ['u'])
  app.exec('UPDATE t SET a = 2')
  expect(await second.stats()).toMatchObject({ tail: 1, rows: 0 })
  await second.close()
  const third = await opened(app, ['t', 'u'])
  expect(third.entities.get('t')?.shape.hash).not.toBe(before)
  const replica = new Replica()
  await replica.load(third, 't', 10)
  expect([...replica.rows.values()].map(row => row.json)).toEqual(['1,2'])
})

const nasty = `
CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT COLLATE NOCASE UNIQUE, g TEXT GENERATED ALWAYS AS (upper(n)) VIRTUAL);
CREATE TABLE b(x TEXT NOT NULL, y INT NOT NULL, p BLOB, PRIMARY KEY(x, y)) WITHOUT ROWID;
CREATE TABLE c(id TEXT PRIMARY KEY NOT NULL, a INT REFERENCES a(id) ON DELETE CASCADE) STRICT;
CREATE TABLE _syncline(id INTEGER PRIMARY KEY);
CREATE VIEW v AS SELECT * FROM a JOIN c ON c.a = a.id;
CREATE INDEX c_a ON c(a);
CREATE TRIGGER own AFTER INSERT ON a BEGIN INSERT OR IGNORE INTO b VALUES(NEW.n, 1, x'00'); END;
CREATE VIRTUAL TABLE f USING fts5(body);
INSERT INTO _syncline VALUES(1);
`

function dump(app: App): string {
  const schema = app.prepare('SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name, type').all()
  const data = ['a', 'b', 'c', '_syncline', 'f'].map(table => app.prepare(`SELECT * FROM ${table}`).all())
  return JSON.stringify([schema, data])
}

test.each(drivers)('[C10] uninstall leaves what the application itself made: %s', async driver => {
  const statements = [
    "INSERT INTO a(n) VALUES('one'), ('two')",
    "INSERT INTO c VALUES('k', 1), ('l', 2)",
    "INSERT OR REPLACE INTO a(id, n) VALUES(9, 'ONE')",
    "UPDATE b SET p = x'ff' WHERE x = 'one'",
    'DELETE FROM a WHERE id = 2',
    "INSERT INTO f VALUES('words')",
  ]
  const dumps: string[] = []
  for (const synced of [false, true]) {
    const place = freshPlace()
    const app = openHandle(driver, place.path)
    app.exec(`PRAGMA foreign_keys = ON; ${nasty}`)
    const store = synced ? await openStore(app, ['a', 'b', 'c']) : null
    for (const statement of statements) app.exec(statement)
    if (store !== null) {
      await expect(uninstall(app)).rejects.toMatchObject({ code: 'ENGINE_ATTACHED' })
      await store.fold()
      await store.close()
      await uninstall(app)
      await uninstall(app)
    }
    dumps.push(dump(app))
    app.close()
    place.dispose()
  }
  expect(dumps[1]).toBe(dumps[0])
})

test('[C10] an engine that died without closing holds uninstall up for half a minute', async () => {
  const app = application('CREATE TABLE t(id INTEGER PRIMARY KEY)', true)
  const store = await openStore(app, ['t'])
  app.exec("CREATE TABLE kept AS SELECT * FROM _syncline_meta WHERE key LIKE 'lease:%'")
  await store.close()
  app.exec('INSERT INTO _syncline_meta SELECT * FROM kept; DROP TABLE kept')
  await expect(uninstall(app)).rejects.toMatchObject({ code: 'ENGINE_ATTACHED' })
  await uninstall(app, { ...nodeEnv(), now: () => Date.now() + 31_000 })
  expect(app.prepare('SELECT name FROM sqlite_master').all()).toEqual([{ name: 't' }])
})
