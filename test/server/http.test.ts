import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, drivers, rowsOf, startApp } from './support/app.ts'
import { post, pull, push, subscribed } from './support/wire.ts'

afterEach(cleanUp)

describe.each(drivers)('over %s', driver => {
  test('T-S04 an update is one change with a native id, action, data and version', async () => {
    const { db, url } = await startApp({ driver })
    db.exec("INSERT INTO users VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')")
    const { version } = await pull(url, 'users')
    db.exec("UPDATE users SET name = 'Anna' WHERE id = 1")
    const body = await pull(url, 'users', version)
    expect(body).toMatchObject({ entity: 'users', changes: [{ id: 1, entity_id: '1', action: 'update' }] })
    const [change] = body.changes
    expect(change?.data).toEqual({ id: 1, name: 'Anna', email: 'a@x' })
    expect(body.version).toBe(change?.version)
    expect(change?.prev_version).toBe(version)
    expect((await pull(url, 'users', body.version)).changes).toEqual([])
  })

  test('T-S06 the documented POST is applied, stored and sent to others', async () => {
    const { db, url } = await startApp({ driver })
    db.exec("INSERT INTO users VALUES (1, 'Ann', 'a@x')")
    const other = await subscribed(url, ['users'])
    const body = { changes: [{ id: '1', action: 'update', data: { id: 1, name: 'Bob' } }] }
    const response = await post(`${url}/api/sync/users`, body)
    expect(response.status).toBe(200)
    const answer = (await response.json()) as {
      entity: string
      results: { status: string; version: number }[]
    }
    expect(answer).toMatchObject({ entity: 'users', results: [{ id: 1, entity_id: '1', status: 'applied' }] })
    expect(rowsOf(db, 'SELECT id, name FROM users')).toEqual([{ id: 1, name: 'Bob' }])
    const { change } = await other.next(frame => frame.type === 'change')
    expect(change).toMatchObject({ entity_id: '1', version: answer.results[0]?.version })
  })
})

test('[L4] T-S05 three of a thousand rows changed: three changes come', async () => {
  const { db, url } = await startApp()
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000) INSERT INTO users SELECT i, 'u'||i, NULL FROM n",
  )
  const { version, changes } = await pull(url, 'users')
  expect(changes).toHaveLength(1000)
  db.exec("UPDATE users SET name = 'x' WHERE id IN (3, 500, 999)")
  db.exec("UPDATE users SET name = 'y' WHERE id = 3")
  const since = await pull(url, 'users', version)
  expect(since.changes.map(change => change.id)).toEqual([500, 999, 3])
})

test('[L8] X52 values keep what they are: wide integers, blobs, reals, booleans, JSON', async () => {
  const { db, url } = await startApp({
    schema: `CREATE TABLE things (id INTEGER PRIMARY KEY, wide INTEGER, bytes BLOB, number REAL, flag BOOLEAN, json JSON, text TEXT, free);`,
    entities: ['things'],
  })
  db.exec(`INSERT INTO things VALUES
    (1, 9007199254740993, x'00ff', 0.1, 1, '{"a":[1,2]}', 'a"b' || char(10) || char(128512), 5),
    (2, -9223372036854775808, x'', 9e999, 0, 'not json', char(0), x'01'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
  const { changes } = await pull(url, 'things')
  expect(changes.map(change => change.data)).toEqual([
    {
      id: 1,
      wide: '9007199254740993',
      bytes: { $blob: 'AP8=' },
      number: 0.1,
      flag: true,
      json: { a: [1, 2] },
      text: 'a"b\n😀',
      free: 5,
    },
    {
      id: 2,
      wide: '-9223372036854775808',
      bytes: { $blob: '' },
      number: null,
      flag: false,
      json: 'not json',
      text: '\u0000',
      free: { $blob: 'AQ==' },
    },
    { id: 3, wide: null, bytes: null, number: null, flag: null, json: null, text: null, free: null },
  ])
  // and what came is taken back as it is
  const results = await push(url, 'things', [
    { id: 4, action: 'create', data: { ...changes[0]?.data, id: 4 } },
  ])
  expect(results[0]?.status).toBe('applied')
  expect(
    rowsOf(
      db,
      'SELECT CAST(wide AS TEXT) AS wide, hex(bytes) AS bytes, number, flag, json, text, free FROM things WHERE id IN (1, 4)',
    ),
  ).toEqual(
    Array.from({ length: 2 }, () => ({
      wide: '9007199254740993',
      bytes: '00FF',
      number: 0.1,
      flag: 1,
      json: '{"a":[1,2]}',
      text: 'a"b\n😀',
      free: 5,
    })),
  )
})

test('[S2] X06 ids of every spelling name one row; composite ones are JSON arrays', async () => {
  const { url } = await startApp({
    schema: `
      CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
      CREATE TABLE docs (slug TEXT PRIMARY KEY NOT NULL, title TEXT);
      CREATE TABLE marks (a TEXT NOT NULL, b INTEGER NOT NULL, note TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;`,
    entities: ['users', 'docs', 'marks'],
  })
  for (const id of ['1', 1])
    expect(
      (await push(url, 'users', [{ id, action: 'update', data: { name: `as ${typeof id}` } }]))[0]?.status,
    ).toBe('applied')
  expect((await pull(url, 'users')).changes).toMatchObject([{ id: 1, data: { name: 'as number' } }])
  for (const id of ['1abc', '1.5', '99999999999999999999', '']) {
    const response = await post(`${url}/api/sync/users`, { changes: [{ id, action: 'delete' }] })
    const text = await response.text()
    expect(text, `id ${id}`).toMatch(/INVALID_ID|INVALID_MESSAGE/)
  }
  const slugs = ['a/b', 'é', '%2e', ' leading', '007', '["x"]']
  for (const id of slugs)
    expect(
      (await push(url, 'docs', [{ id, action: 'create', data: { slug: id, title: id } }]))[0],
    ).toMatchObject({ status: 'applied', entity_id: id })
  const docs = await pull(url, 'docs')
  expect(new Set(docs.changes.map(change => change.id))).toEqual(new Set(slugs))
  await push(url, 'marks', [{ id: ['x', 1], action: 'create', data: { a: 'x', b: 1, note: 'one' } }])
  await push(url, 'marks', [{ id: '["x",1]', action: 'update', data: { note: 'two' } }])
  expect((await pull(url, 'marks')).changes).toMatchObject([
    { entity_id: '["x",1]', data: { a: 'x', b: 1, note: 'two' } },
  ])
})

test('[D10, D11] X08 create on an existing id, update of a missing row, of a deleted one, delete of a missing one', async () => {
  const { db, url } = await startApp()
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL), (2, 'Bob', NULL)")
  const { version } = await pull(url, 'users')
  db.exec('DELETE FROM users WHERE id = 2')
  const results = await push(url, 'users', [
    { id: 1, action: 'create', data: { name: 'again' } },
    { id: 1, action: 'create', data: { name: 'upserted' }, upsert: true },
    { id: 7, action: 'update', data: { name: 'new' } },
    { id: 2, action: 'update', data: { name: 'revived?' }, base_version: version },
    { id: 99, action: 'delete' },
  ])
  expect(results.map(result => [result.status, result.error?.code])).toEqual([
    ['rejected', 'ALREADY_EXISTS'],
    ['applied', undefined],
    ['applied', undefined],
    ['conflict', 'ROW_DELETED'],
    ['applied', undefined],
  ])
  expect(rowsOf(db, 'SELECT id, name FROM users ORDER BY id')).toEqual([
    { id: 1, name: 'upserted' },
    { id: 7, name: 'new' },
  ])
})

test('X08 an update of a row that never was and cannot be inserted is NOT_FOUND', async () => {
  const { url } = await startApp({
    schema: 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);',
    entities: ['users'],
  })
  const [result] = await push(url, 'users', [{ id: 5, action: 'update', data: { name: 'half' } }])
  expect(result).toMatchObject({ status: 'rejected', error: { code: 'NOT_FOUND' } })
})

test('X09 data of an update is a patch: what it does not name stays, null is NULL, unknown fields are refused', async () => {
  const { db, url } = await startApp()
  db.exec("INSERT INTO users VALUES (1, 'Ann', 'a@x')")
  await push(url, 'users', [{ id: 1, action: 'update', data: { name: 'Anna' } }])
  expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'Anna', email: 'a@x' }])
  await push(url, 'users', [{ id: 1, action: 'update', data: { email: null } }])
  expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'Anna', email: null }])
  const [result] = await push(url, 'users', [{ id: 1, action: 'update', data: { nmae: 'typo' } }])
  expect(result).toMatchObject({ status: 'rejected', error: { code: 'UNKNOWN_FIELD' } })
})

test('[S2] X48 nothing but configured names reaches a table', async () => {
  const { url } = await startApp()
  for (const name of [
    'sqlite_master',
    'users;drop',
    '__proto__',
    'constructor',
    '%2e%2e',
    '_syncline_tail',
    'users%00',
    'Users',
  ]) {
    const response = await fetch(`${url}/api/sync/${name}`)
    expect(response.status, name).toBe(404)
    expect(((await response.json()) as { error: { code: string } }).error.code).toMatch(
      /UNKNOWN_ENTITY|NOT_FOUND/,
    )
  }
  // a raw request target that is no path at all must not end the server
  const { request } = await import('node:http')
  for (const target of ['//', '/api/sync/%ff', 'http://[', '/api/sync/users?since=%']) {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ port: new URL(url).port, path: target }, response => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .setTimeout(2000, () => resolve(undefined))
        .end()
    })
    expect(status === undefined || status >= 400, `${target} answered ${status}`).toBe(true)
  }
  expect((await fetch(`${url}/api/sync/health`)).status).toBe(200)
})

test('X12 since must be a version', async () => {
  const { url } = await startApp()
  for (const since of ['-1', 'NaN', 'x', '1.5', '99999999999999999999']) {
    const response = await fetch(`${url}/api/sync/users?since=${since}`)
    expect(response.status, since).toBe(400)
  }
})

test('X46 a body that is too large is refused with 413 and the server goes on', async () => {
  const { url } = await startApp()
  const response = await post(`${url}/api/sync/users`, {
    changes: [{ id: 1, data: { name: 'x'.repeat(2 * 1024 * 1024) } }],
  })
  expect(response.status).toBe(413)
  expect(await response.json()).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } })
  expect((await push(url, 'users', [{ id: 1, action: 'update', data: { name: 'small' } }]))[0]?.status).toBe(
    'applied',
  )
})

test('X34 every answer says that it is ours: JSON, also where it is an error', async () => {
  const { url } = await startApp()
  for (const path of ['users', 'ghosts', 'users?since=x', 'health', 'nothing/here']) {
    const response = await fetch(`${url}/api/sync/${path}`)
    expect(response.headers.get('content-type'), path).toContain('application/json')
    expect(response.headers.get('cache-control'), path).toBe('no-store')
    expect(response.headers.get('x-content-type-options'), path).toBe('nosniff')
    expect(typeof (await response.json())).toBe('object')
  }
})

test('a request as a whole can be bad: no JSON, no list, no content type, wrong method', async () => {
  const { url } = await startApp()
  expect((await post(`${url}/api/sync/users`, '{')).status).toBe(400)
  expect((await post(`${url}/api/sync/users`, { changes: 5 })).status).toBe(400)
  expect(
    (await post(`${url}/api/sync/users`, { changes: [] }, { 'content-type': 'text/plain' })).status,
  ).toBe(415)
  expect((await fetch(`${url}/api/sync/users`, { method: 'PUT' })).status).toBe(404)
})

test('T-S22 a large answer is compressed, a small one is not', async () => {
  const { db, url } = await startApp()
  db.prepare('INSERT INTO users VALUES (1, ?, NULL)').run('lorem ipsum '.repeat(8000))
  const large = await fetch(`${url}/api/sync/users`, { headers: { 'accept-encoding': 'gzip' } })
  expect(large.headers.get('content-encoding')).toBe('gzip')
  expect(((await large.json()) as { changes: unknown[] }).changes).toHaveLength(1)
  const { request } = await import('node:http')
  const bytes = await new Promise<number>((resolve, reject) => {
    request(
      { port: new URL(url).port, path: '/api/sync/users', headers: { 'accept-encoding': 'gzip' } },
      response => {
        let size = 0
        response.on('data', (data: Buffer) => (size += data.length))
        response.on('end', () => resolve(size))
      },
    )
      .on('error', reject)
      .end()
  })
  expect(bytes).toBeLessThan(50_000)
  const small = await fetch(`${url}/api/sync/health`, { headers: { 'accept-encoding': 'gzip' } })
  expect(small.headers.get('content-encoding')).toBeNull()
})

test('T-S05 pages: what does not fit says so', async () => {
  const { db, url } = await startApp()
  db.exec("INSERT INTO users VALUES (1000, 'first', NULL)")
  const { version } = await pull(url, 'users')
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50) INSERT INTO users SELECT i, 'u'||i, NULL FROM n",
  )
  const seen: unknown[] = []
  for (let since = version, more = true; more;) {
    const page = await pull(url, 'users', `${since}&limit=20`)
    seen.push(...page.changes.map(change => change.id))
    since = page.version
    more = page.has_more === true
  }
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
})
