// The triggers, trap by trap.
import { afterEach, expect, test } from 'vitest'
import type { EntityDefinition } from '../../core/index.ts'
import type { ServerStore } from '../store.ts'
import { drivers, entity, freshPlace, openHandle, openStore, Replica } from './testkit.test.ts'
import type { App, DriverName } from './testkit.test.ts'

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface World {
  readonly app: App
  readonly store: ServerStore
  /** Entity, id, JSON of what changed since the last call. */
  readonly changed: () => Promise<(string | null)[][]>
}

function inOrder(rows: (string | null)[][]): (string | null)[][] {
  return rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

async function world(
  schema: string,
  entities: readonly (string | EntityDefinition)[],
  driver: DriverName = 'node:sqlite',
): Promise<World> {
  const place = freshPlace(true)
  const app = openHandle(driver, place.path)
  app.exec(schema)
  const store = await openStore(app, entities)
  const replica = new Replica()
  closing.push(async () => {
    await store.close()
    app.close()
  })
  const names = [...store.entities.keys()]
  return {
    app,
    store,
    changed: async () => (await replica.follow(store, names)).map(row => [row.id, row.json]),
  }
}

test('[C9] installing copies nothing; a row that was there is at its baseline', async () => {
  const { app, store, changed } = await world(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'a')",
    ['t'],
  )
  expect(await changed()).toEqual([])
  expect(await store.stats()).toEqual({ tail: 0, rows: 0, gone: 0, folded: 0, clients: 0 })
  expect((await store.snapshot({ entity: 't', after: null, limit: 10, form: 'object' })).rows).toEqual([
    { id: '1', seq: 0, json: '{"id":1,"v":"a"}', idJson: '1', reading: 0, temporary: null },
  ])
  app.exec('DELETE FROM t')
  expect(await changed()).toEqual([['1', null]])
})

test('[C6] no change is no entry; letter case is a change whatever the collation', async () => {
  const { app, changed } = await world(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT COLLATE NOCASE, w TEXT COLLATE RTRIM); INSERT INTO t VALUES(1, 'Bob', 'x')",
    ['t'],
  )
  app.exec("UPDATE t SET n = 'Bob', w = 'x'")
  expect(await changed()).toEqual([])
  app.exec("UPDATE t SET n = 'bob'")
  expect(await changed()).toEqual([['1', '1,"bob","x"']])
  app.exec("UPDATE t SET w = 'x '")
  expect(await changed()).toEqual([['1', '1,"bob","x "']])
})

test('[C6] a key that changes only its letter case is another id', async () => {
  const { app, changed } = await world(
    "CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v); INSERT INTO t VALUES('Bob', 1)",
    ['t'],
  )
  app.exec("UPDATE t SET id = 'bob'")
  expect(inOrder(await changed())).toEqual([
    ['Bob', null],
    ['bob', '"bob",1'],
  ])
  app.exec("INSERT OR REPLACE INTO t VALUES('BOB', 2)")
  expect(inOrder(await changed())).toEqual([
    ['BOB', '"BOB",2'],
    ['bob', null],
  ])
})

test.each(drivers)('[C3] [L8] no value makes a write fail, and each travels exactly: %s', async driver => {
  const { app, store, changed } = await world(
    'CREATE TABLE t(id INTEGER PRIMARY KEY, v, j JSON, b BOOLEAN, r REAL, x TEXT)',
    ['t'],
    driver,
  )
  app.exec('PRAGMA trusted_schema = 0')
  const cases: [string, string, unknown][] = [
    ['v', "x'00ff10'", { $blob: 'AP8Q' }],
    ['v', '9223372036854775807', '9223372036854775807'],
    ['v', '-9007199254740991', -9007199254740991],
    ['v', '9e999', null],
    ['v', '-9e999', null],
    ['v', '0.1', 0.1],
    ['v', '1e-300', 1e-300],
    ['v', '0.30000000000000004', 0.30000000000000004],
    ['v', '123456789012345680.0', 123456789012345680],
    ['v', "'a' || char(0) || 'b'", 'a\0b'],
    ['v', "'\"\\' || char(10) || char(31) || 'é😀'", '"\\\n\u001fé😀'],
    ['j', "'{bad'", '{bad'],
    ['j', '\'{"a": [1, null]}\'', { a: [1, null] }],
    ['j', "x'01'", { $blob: 'AQ==' }],
    ['j', '5', 5],
    ['b', '1', true],
    ['b', '0', false],
    ['b', '2', 2],
    ['b', "'yes'", 'yes'],
    ['x', "x'02'", { $blob: 'Ag==' }],
    ['r', "'text'", 'text'],
    ['r', '3', 3],
  ]
  for (const [i, [column, sql]] of cases.entries())
    app.exec(`INSERT INTO t(id, ${column}) VALUES(${i}, ${sql})`)
  expect((await changed()).length).toBe(cases.length)
  for (const [i, [column, , wanted]] of cases.entries()) {
    const [found] = await store.look('t', [String(i)])
    expect(found?.row?.[column], `${column} ${JSON.stringify(wanted)}`).toEqual(wanted)
  }
  for (const [i, [column]] of cases.entries())
    app.exec(`UPDATE t SET ${column} = NULL WHERE id = ${i}; UPDATE t SET v = x'07' WHERE id = ${i}`)
  app.exec('DELETE FROM t')
  expect((await changed()).length).toBe(cases.length)
})

test('[C4] evictions through every kind of unique key, with recursive_triggers off and on', async () => {
  for (const recursive of [0, 1]) {
    const { app, changed } = await world(
      `PRAGMA recursive_triggers = ${recursive};
       CREATE TABLE t(id INTEGER PRIMARY KEY, e TEXT UNIQUE, n TEXT COLLATE NOCASE UNIQUE, c INT UNIQUE ON CONFLICT REPLACE, live INT);
       CREATE UNIQUE INDEX t_expr ON t (lower(e) /* a, comment ) */, abs(c)) WHERE live = 1 AND t.c IS NOT NULL;
       INSERT INTO t VALUES(1, 'a', 'Bob', 1, 1), (2, 'b', 'Eve', 2, 1), (3, 'C', 'Zoe', 3, 1), (9, 'i', 'x', 9, 1)`,
      ['t'],
    )
    const gone = async (): Promise<(string | null)[]> =>
      (await changed()).filter(([, json]) => json === null).map(([id]) => id ?? null)
    app.exec("UPDATE OR REPLACE t SET e = 'a' WHERE id = 9")
    expect(await gone()).toEqual(['1'])
    app.exec("INSERT OR REPLACE INTO t(id, n) VALUES(10, 'eve')")
    expect(await gone()).toEqual(['2'])
    app.exec('INSERT INTO t(id, c) VALUES(11, 3)')
    expect(await gone()).toEqual(['3'])
    app.exec(
      "INSERT INTO t(id, e, c, live) VALUES(12, 'KEY', -5, 1); INSERT OR REPLACE INTO t(id, e, c, live) VALUES(13, 'key', 5, 1)",
    )
    expect(await gone()).toEqual(['12'])
    app.exec(
      "INSERT OR IGNORE INTO t(id, e) VALUES(14, 'a'); INSERT OR REPLACE INTO t(id, e) VALUES(9, 'new')",
    )
    expect(await gone()).toEqual([])
  }
})

test('[C5] keys that move: by id, by rowid, composite', async () => {
  const { app, changed } = await world(
    'CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE p(a TEXT NOT NULL, b INT NOT NULL, v, PRIMARY KEY(a, b)) WITHOUT ROWID;' +
      "INSERT INTO t VALUES(1, 'x'), (2, 'y'); INSERT INTO p VALUES('it''s', 1, 'v')",
    ['t', 'p'],
  )
  app.exec('UPDATE t SET id = 5 WHERE id = 1')
  expect(inOrder(await changed())).toEqual([
    ['1', null],
    ['5', '5,"x"'],
  ])
  app.exec('UPDATE OR REPLACE t SET rowid = 2 WHERE id = 5')
  expect(inOrder(await changed())).toEqual([
    ['2', '2,"x"'],
    ['5', null],
  ])
  app.exec("UPDATE p SET b = 9007199254740993, a = 'a,\"' || char(10)")
  expect(inOrder(await changed())).toEqual([
    ['["a,\\"\\n","9007199254740993"]', '"a,\\"\\n","9007199254740993","v"'],
    ['["it\'s",1]', null],
  ])
})

test('[C7] a trigger of the user that fails after the row is written leaves it in the log', async () => {
  const { app, changed } = await world(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TRIGGER bad AFTER INSERT ON t WHEN NEW.v = 'bad' BEGIN SELECT RAISE(FAIL, 'no'); END",
    ['t'],
  )
  expect(() => app.exec("INSERT INTO t VALUES(1, 'bad')")).toThrow('no')
  expect(app.prepare('SELECT count(*) AS c FROM t').get()).toEqual({ c: 1 })
  expect(await changed()).toEqual([['1', '1,"bad"']])
})

test('[C1] wide tables, odd names, generated columns, STRICT', async () => {
  const many = Array.from({ length: 1_500 }, (_, i) => `c${i}`)
  const { app, store, changed } = await world(
    `CREATE TABLE wide(id INTEGER PRIMARY KEY, ${many.join(',')});
     CREATE TABLE "odd ""name'" ("the id" TEXT PRIMARY KEY NOT NULL, "a""b" TEXT, "c'd," INT, "select" INT GENERATED ALWAYS AS ("c'd," + 1) STORED) STRICT`,
    ['wide', entity('odd', { table: 'odd "name\'' })],
  )
  app.exec("INSERT INTO wide(id, c7) VALUES(1, 'seven'); UPDATE wide SET c1499 = 'last', c3 = 1")
  expect((await store.look('wide', ['1']))[0]?.standing.cells).toMatchObject({
    c1499: { by: null },
    c3: { by: null },
  })
  await changed()
  app.exec(`INSERT INTO "odd ""name'" VALUES('k', 'x', 1)`)
  await changed()
  const { seq } = await store.head()
  app.exec(`UPDATE "odd ""name'" SET "c'd," = 5, "a""b" = 'y'`)
  expect(await changed()).toEqual([['k', '"k","y",5,6']])
  const cells = (await store.look('odd', ['k']))[0]?.standing.cells ?? {}
  expect(
    Object.entries(cells)
      .filter(([, cell]) => cell.seq > seq)
      .map(([column]) => column)
      .toSorted(),
  ).toEqual(['a"b', "c'd,", 'select'])
})

test('[C2] savepoints that are rolled back leave nothing and no gap', async () => {
  const { app, store, changed } = await world('CREATE TABLE t(id INTEGER PRIMARY KEY, v)', ['t'])
  app.exec(
    'BEGIN; INSERT INTO t VALUES(1, 1); SAVEPOINT s; INSERT INTO t VALUES(2, 2); ROLLBACK TO s; INSERT INTO t VALUES(3, 3); COMMIT',
  )
  app.exec('BEGIN; INSERT INTO t VALUES(4, 4); ROLLBACK')
  expect(await changed()).toEqual([
    ['1', '1,1'],
    ['3', '3,3'],
  ])
  expect((await store.head()).seq).toBe(2)
})

test('[C1] old values of routing columns are kept with changes and deletes', async () => {
  const { app, store } = await world(
    "CREATE TABLE t(id INTEGER PRIMARY KEY, owner, v); INSERT INTO t VALUES(1, 'it''s', 'x'), (2, NULL, 'y')",
    [entity('t', { routing: ['owner'] })],
  )
  app.exec(
    "UPDATE t SET owner = 'b', v = 'z' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT OR REPLACE INTO t VALUES(1, 'c', 'w')",
  )
  const old = app
    .prepare('SELECT op, old FROM _syncline_tail ORDER BY seq')
    .all()
    .map(row => [row['op'], row['old']])
  expect(old).toEqual([
    ['u', `,"owner","v";,"owner":'it''s'`],
    ['d', ',"owner":NULL'],
    ['?', `,"owner":'b'`],
    ['c', null],
  ])
  await store.fold()
  expect(app.prepare('SELECT id, old FROM _syncline_gone').all()).toEqual([{ id: 2, old: ',"owner":NULL' }])
  expect(Object.keys((await store.look('t', ['1']))[0]?.standing.cells ?? {})).toEqual([])
})
