import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, drivers, openDatabase, rowsOf, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { writeElsewhere } from './support/process.ts'
import { isType, openStream, pull, push, subscribed } from './support/wire.ts'
import type { Line } from './support/wire.ts'

afterEach(cleanUp)

const schema = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE COLLATE NOCASE);
  CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT);
  CREATE TABLE comments (id INTEGER PRIMARY KEY, body TEXT);
`

/** What one writer's statements look like to a subscriber; `end` is a last write that says that all came. */
async function effects(line: Line, run: () => unknown, end: () => unknown): Promise<unknown[]> {
  const before = line.changes('users').length
  await run()
  await end()
  await line.next(frame => frame.change?.entity === 'comments', 'the end')
  return line
    .changes('users')
    .slice(before)
    .map(change => [change.action, change.id])
}

const statements: readonly [what: string, sql: string, expected: unknown[]][] = [
  [
    'insert',
    "INSERT INTO users VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')",
    [
      ['create', 1],
      ['create', 2],
    ],
  ],
  ['update', "UPDATE users SET name = 'Anna' WHERE id = 1", [['update', 1]]],
  ['letter case', "UPDATE users SET name = 'anna' WHERE id = 1", [['update', 1]]],
  ['no-op', "UPDATE users SET name = name; INSERT OR IGNORE INTO users VALUES (1, 'ignored', 'a@x')", []],
  ['rolled back', "BEGIN; UPDATE users SET name = 'ghost'; DELETE FROM users; ROLLBACK", []],
  [
    'upsert',
    "INSERT INTO users VALUES (1, 'up', 'a@x') ON CONFLICT(id) DO UPDATE SET name = excluded.name",
    [['update', 1]],
  ],
  [
    'replace that evicts another',
    "INSERT OR REPLACE INTO users VALUES (3, 'Eve', 'B@X')",
    [
      ['delete', 2],
      ['create', 3],
    ],
  ],
  [
    'a new key',
    'UPDATE users SET id = 10 WHERE id = 3',
    [
      ['delete', 3],
      ['create', 10],
    ],
  ],
  [
    'delete of all',
    'DELETE FROM users',
    [
      ['delete', 1],
      ['delete', 10],
    ],
  ],
]

describe.each(drivers)('[C1, C2, C4, C5, C6] T-S14 with %s', driver => {
  test('a second connection: one correct event per effect', async () => {
    const { file, url } = await startApp({ schema, driver })
    const line = await subscribed(url, ['users', 'comments'])
    const second = openDatabase(file, driver)
    let n = 0
    for (const [what, sql, expected] of statements) {
      const seen = await effects(
        line,
        () => second.exec(sql),
        () => second.exec(`INSERT INTO comments VALUES (${++n}, 'end')`),
      )
      expect(new Set(seen), what).toEqual(new Set(expected))
      expect(seen.length, what).toBe(expected.length)
    }
  })

  test('X15 a second process: the same', async () => {
    const { file, url } = await startApp({ schema, driver })
    const line = await subscribed(url, ['users', 'comments'])
    let n = 0
    for (const [what, sql, expected] of statements) {
      const seen = await effects(
        line,
        () => writeElsewhere(file, `${sql}; INSERT INTO comments VALUES (${++n}, 'end')`),
        () => {},
      )
      expect(new Set(seen), what).toEqual(new Set(expected))
    }
  })

  test('the application handle in the middle of its own transaction is seen by nobody until it commits', async () => {
    const { db, url } = await startApp({ schema, driver })
    const line = await subscribed(url, ['users', 'comments'])
    db.exec("BEGIN; INSERT INTO users VALUES (1, 'half', NULL)")
    // reading goes on meanwhile, and says nothing of it
    expect((await pull(url, 'users')).changes).toEqual([])
    db.exec("INSERT INTO users VALUES (2, 'whole', NULL); INSERT INTO comments VALUES (1, 'end'); COMMIT")
    await line.next(frame => frame.change?.entity === 'comments')
    expect(line.changes('users').map(change => change.id)).toEqual([1, 2])
  })
})

test('[C3] no value that a table accepts stops a write', async () => {
  const { db, url } = await startApp({
    schema: 'CREATE TABLE anything (id TEXT PRIMARY KEY NOT NULL, a, b JSON, c INTEGER, d REAL);',
    entities: ['anything'],
  })
  const values = [
    "x'00ff'",
    "'{broken'",
    '9223372036854775807',
    '-9e999',
    "'a' || char(0) || 'b'",
    'NULL',
    "''",
    '1e300',
  ]
  for (const [i, value] of values.entries()) {
    db.exec(`INSERT INTO anything VALUES ('r${i}', ${value}, ${value}, ${value}, ${value})`)
    db.exec(
      `UPDATE anything SET a = NULL, b = NULL WHERE id = 'r${i}'; UPDATE anything SET a = ${value}, b = ${value} WHERE id = 'r${i}'`,
    )
  }
  const { changes } = await pull(url, 'anything')
  expect(changes).toHaveLength(values.length)
  expect(changes.map(change => change.entity_id).sort()).toEqual(values.map((_, i) => `r${i}`))
})

test('[C7] X38 an updated_at trigger: one push, one change, the stored row, and silence', async () => {
  const { db, url } = await startApp({
    schema: `
      CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, updated_at TEXT);
      CREATE TRIGGER touch AFTER UPDATE OF name ON users BEGIN UPDATE users SET updated_at = 'T' || NEW.name WHERE id = NEW.id; END;
      CREATE TABLE comments (id INTEGER PRIMARY KEY, body TEXT);
      INSERT INTO users VALUES (1, 'Ann', 'old');`,
    entities: ['users', 'comments'],
  })
  const line = await subscribed(url, ['users', 'comments'])
  const [result] = await push(url, 'users', [{ id: 1, action: 'update', data: { name: 'Bob' } }])
  expect(result?.status).toBe('applied')
  db.exec("INSERT INTO comments VALUES (1, 'end')")
  await line.next(frame => frame.change?.entity === 'comments')
  expect(line.changes('users').map(change => change.data)).toEqual([
    { id: 1, name: 'Bob', updated_at: 'TBob' },
  ])
})

describe('[C8] X39 schema changes', () => {
  const healed = async (app: App, sql: string): Promise<{ data: unknown; closed: number }> => {
    const line = await subscribed(app.url, ['users'])
    await writeElsewhere(app.file, sql)
    const { code } = await line.closed
    const again = await subscribed(app.url, ['users'])
    app.db.exec("INSERT INTO users (id, name) VALUES (100, 'after')")
    const { change } = await again.next(isType('change'))
    return { data: change?.data, closed: code }
  }

  test('a new column: subscribers come back, and writes to it are captured', async () => {
    const app = await startApp({ schema })
    const { data, closed } = await healed(app, 'ALTER TABLE users ADD COLUMN age INTEGER DEFAULT 7')
    expect(closed).toBe(1012)
    expect(data).toEqual({ id: 100, name: 'after', email: null, age: 7 })
    const line = await subscribed(app.url, ['users'])
    app.db.exec('UPDATE users SET age = 8')
    expect((await line.next(isType('change'))).change?.data).toMatchObject({ age: 8 })
  })

  test('a rebuilt table has its triggers back', async () => {
    const app = await startApp({ schema })
    const { data } = await healed(
      app,
      `BEGIN; CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT);
       INSERT INTO users_new SELECT id, name, email FROM users; DROP TABLE users; ALTER TABLE users_new RENAME TO users; COMMIT`,
    )
    expect(data).toEqual({ id: 100, name: 'after', email: null })
  })

  test('a change made while no engine ran heals after the restart', async () => {
    const app = await startApp({ schema })
    app.db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
    const { version } = await pull(app.url, 'users')
    await app.stop()
    await writeElsewhere(
      app.file,
      "ALTER TABLE users ADD COLUMN age INTEGER DEFAULT 7; UPDATE users SET age = 9, name = 'changed'",
    )
    const again = await startApp({ schema: '', file: app.file })
    const body = await pull(again.url, 'users', version)
    expect(body.changes.at(-1)?.data).toMatchObject({ name: 'changed', age: 9 })
  })
})

test('[C9] rows from before the engine are there, without a line in the log', async () => {
  const { db, url } = await startApp({ schema: `${schema} INSERT INTO users VALUES (1, 'old', NULL);` })
  expect((await pull(url, 'users')).changes).toMatchObject([
    { id: 1, action: 'create', data: { name: 'old' } },
  ])
  expect(rowsOf(db, 'SELECT count(*) AS n FROM _syncline_tail')).toEqual([{ n: 0 }])
})

test('[C11] T-S02 nothing waits for a long write, and the application handle outlives the engine', async () => {
  const { db, file, url, engine } = await startApp({ schema })
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  const writer = openDatabase(file)
  writer.exec("BEGIN IMMEDIATE; UPDATE users SET name = 'uncommitted'")
  const answers = await Promise.all(Array.from({ length: 50 }, () => fetch(`${url}/api/sync/users`)))
  expect(answers.map(answer => answer.status)).toEqual(Array.from({ length: 50 }, () => 200))
  for (const answer of answers)
    expect(((await answer.json()) as { changes: { data: { name: string } }[] }).changes[0]?.data.name).toBe(
      'Ann',
    )
  // a push waits for the lock without holding anybody up, and is stored when it is free
  const pushing = push(url, 'users', [{ id: 5, action: 'create', data: { name: 'waits' } }])
  expect((await fetch(`${url}/api/sync/health`)).status).toBe(200)
  writer.exec('COMMIT')
  expect((await pushing)[0]?.status).toBe('applied')
  await engine.close()
  expect(rowsOf(db, 'SELECT name FROM users ORDER BY id')).toEqual([
    { name: 'uncommitted' },
    { name: 'waits' },
  ])
})

test('[L1] two processes write at once: every subscriber sees versions rise and misses none', async () => {
  const { file, url } = await startApp({ schema })
  const stream = await openStream(`${url}/api/sync/events?entities=users`)
  const rows = (from: number): string =>
    Array.from({ length: 60 }, (_, i) => `INSERT INTO users (id, name) VALUES (${from + i}, 'x')`).join(';')
  await Promise.all([
    writeElsewhere(file, rows(1000)),
    writeElsewhere(file, rows(2000)),
    writeElsewhere(file, rows(3000)),
  ])
  const changes = await until('180 changes', () => {
    const seen = stream.frames.flatMap(frame => (frame.change === undefined ? [] : [frame.change]))
    return seen.length >= 180 ? seen : null
  })
  const versions = changes.map(change => change.version)
  expect(versions).toEqual([...versions].sort((a, b) => a - b))
  expect(new Set(changes.map(change => change.id)).size).toBe(180)
  // each change names the one before it, so that a lost one would be noticed (X19)
  for (let i = 1; i < changes.length; i++) expect(changes[i]?.prev_version).toBe(versions[i - 1])
})
