// The field routes, and what is pushed to them, as their documented clients use them.
import { DatabaseSync } from 'node:sqlite'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket as BareSocket } from 'ws'
import { createSyncEngine, defineEntity, FieldMergeStrategy, SyncConfig } from 'syncline'
import type { SyncOptions } from 'syncline'
import { cleanUp, folder, later, openDatabase, rowsOf, startApp, usersAndPosts } from './support/app.ts'
import type { App } from './support/app.ts'
import { base, pullFields, pushFields, latest, withAnn, newer, older, start, field } from './support/field.ts'
import { openLine, post, pull, push } from './support/wire.ts'

afterEach(cleanUp)

describe('[E8] T-F01 the field routes', () => {
  const statusOf = async ({ url }: App, where: string): Promise<number> => (await fetch(url + where)).status
  const refused = ({ url }: App, where: string): Promise<string> =>
    new Promise(resolve => {
      const ws = new BareSocket(url.replace('http', 'ws') + where)
      ws.on('error', error => resolve(error.message))
      ws.on('open', () => resolve('open'))
      later(() => ws.terminate())
    })

  test('B089 exist only where field sync is enabled', async () => {
    const without = await startApp()
    for (const where of ['/users', '/users?since=0', '/events', '/users/1/latest', '/ws'])
      expect(await statusOf(without, base + where), where).toBe(404)
    expect((await post(`${without.url}${base}/users`, { changes: [] })).status).toBe(404)
    expect(await refused(without, `${base}/ws`)).toContain('404')
    const enabled = await start()
    expect(await statusOf(enabled, `${base}/users`)).toBe(200)
    expect(await statusOf(enabled, `${base}/ws`)).toBe(426)
    expect(await refused(enabled, `${base}/ws`)).toBe('open')
    expect(await statusOf(enabled, '/api/sync/users')).toBe(200)
  })

  test('B077 B078 are enabled by the builder as by the literal, in every spelling of the strategy', async () => {
    const db = openDatabase(path.join(folder(), 'app.db'))
    db.exec(usersAndPosts)
    for (const config of [
      new SyncConfig(db, ['users']).withFieldSync(FieldMergeStrategy.LastWriteWins),
      new SyncConfig(db, ['users']).withFieldSync(),
      { db, entities: ['users'], fieldSync: 'ServerWins' as 'server-wins' },
      { db, entities: ['users'], fieldSync: { strategy: 'keep-both', entities: ['users'] } },
    ] satisfies (SyncOptions | SyncConfig)[]) {
      const engine = await createSyncEngine(config)
      const answer = await engine.routes().fetch(new Request('http://localhost/api/field-sync/users'))
      expect(answer?.status).toBe(200)
      await engine.close()
    }
    for (const fieldSync of [
      'newest',
      { strategy: 'newest' },
      { entities: ['ghosts'] },
      { entity: ['users'] },
    ])
      await expect(
        createSyncEngine({ db, entities: ['users'], fieldSync: fieldSync as 'server-wins' }),
      ).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await expect(
      createSyncEngine({ db, entities: ['users'], grain: 'row' as 'entity' }),
    ).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  })

  test('[E8] T-F02 the script of fields is there with field sync, and only then', async () => {
    const app = await start()
    const get = (name: string) => fetch(`${app.url}/api/sync/${name}`)
    const plain = await get('field-client.js')
    expect(plain.status).toBe(200)
    expect(plain.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    const text = await plain.text()
    expect(text).toContain('RHTMXFieldSync')
    const pinned = await app.engine.routes().script('field-client')
    const kept = await fetch(app.url + pinned)
    expect(kept.headers.get('cache-control')).toContain('immutable')
    expect(await kept.text()).toBe(text)
    // what it loads later is what the script of rows loads
    const [lazy, ofRows] = [text, await (await get('client.js')).text()].map(
      script => /["'`]([\da-f]{16})["'`]/.exec(script)?.[1],
    )
    expect(lazy).toBe(ofRows)
    expect((await get(`lazy.${lazy}.js`)).status).toBe(200)
    const without = await startApp()
    const refused = await fetch(`${without.url}/api/sync/field-client.js`)
    expect(refused.status).toBe(404)
    expect(await refused.text()).toContain('fieldSync')
    await expect(without.engine.routes().script('field-client')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect((await fetch(`${without.url}${pinned}`)).status).toBe(404)
    expect((await fetch(`${without.url}/api/sync/client.js`)).status).toBe(200)
  })

  test.each([
    ['/api/sync', '/api/field-sync'],
    ['/app/api/sync', '/app/api/field-sync'],
    ['/sync', '/field-sync'],
    ['/rows', '/rows-fields'],
  ])('beside %s they are at %s', async (where, fields) => {
    const app = await start({ path: where })
    expect(await statusOf(app, `${where}/users`)).toBe(200)
    expect(await statusOf(app, `${fields}/users`)).toBe(200)
    expect(await statusOf(app, `${fields}/users/1/latest`)).toBe(200)
    expect(await refused(app, `${fields}/ws`)).toBe('open')
  })

  test('X48 X47 nothing but configured names reaches a table or a column', async () => {
    const app = await start()
    for (const name of [
      'sqlite_master',
      'users;drop',
      '__proto__',
      '%2e%2e',
      '_syncline_tail',
      'health',
      'client.js',
    ]) {
      expect(await statusOf(app, `${base}/${name}`), name).toBe(404)
      expect(await statusOf(app, `${base}/${name}/1/latest`), name).toBe(404)
    }
    for (const where of [
      '',
      '/users/1',
      '/users/1/2/latest',
      '/users/1/oldest',
      '/events/1/latest',
      '/users/%ff/latest',
    ])
      expect(await statusOf(app, base + where), where).toBe(404)
    expect((await post(`${app.url}${base}/users/1/latest`, { changes: [] })).status).toBe(404)
    const { results, rejected } = await pushFields(app.url, 'users', [field('nmae', 'x')])
    expect([rejected, results[0]?.error?.code]).toEqual([1, 'UNKNOWN_FIELD'])
    const bent = await post(`${app.url}${base}/users`, { changes: [field('__proto__', 'x')] })
    expect(bent.status).toBe(400)
    expect((await fetch(`${app.url}${base}/users?since=x`)).status).toBe(400)
    expect((await post(`${app.url}${base}/users`, '{}', { 'content-type': 'text/plain' })).status).toBe(415)
  })

  test('X49 X50 [A1] [A2] ask who is there, and where the page is from, at every door', async () => {
    const app = await start({
      authenticate: request => (request.headers.get('cookie') === 'ann' ? { id: 'ann' } : null),
    })
    for (const where of ['/users', '/users/1/latest', '/events'])
      expect(await statusOf(app, base + where), where).toBe(401)
    expect((await post(`${app.url}${base}/users`, { changes: [] })).status).toBe(401)
    const line = await openLine(app.url, `${base}/ws`)
    expect((await line.closed).code).toBe(4401)
    const foreign = { cookie: 'ann', origin: 'https://evil.example' }
    for (const where of ['/users', '/users/1/latest', '/events'])
      expect((await fetch(app.url + base + where, { headers: foreign })).status, where).toBe(403)
    expect((await post(`${app.url}${base}/users`, { changes: [] }, foreign)).status).toBe(403)
    expect((await fetch(`${app.url}${base}/users`, { headers: { cookie: 'ann' } })).status).toBe(200)
    // too much is too much on every way
    const rate = { perSecond: 0.01, burst: 1 }
    const slow = await start({
      authenticate: () => ({ id: 'ann' }),
      limits: { userControlRate: rate, userDataRate: rate },
    })
    expect(await statusOf(slow, `${base}/users`)).toBe(200)
    expect(await statusOf(slow, `${base}/users/1/latest`)).toBe(429)
    expect((await pushFields(slow.url, 'users', [field('name', 'x')])).applied).toBe(1)
    expect((await post(`${slow.url}${base}/users`, { changes: [field('name', 'y')] })).status).toBe(429)
  })
})

describe('what is pushed', () => {
  test('T-F05 K13 one field is stored, and counted', async () => {
    const { db, url } = await start()
    const pushed = await pushFields(url, 'users', [
      field('name', 'Alice', { timestamp: '2024-01-01T12:00:00Z' }),
    ])
    expect(pushed).toEqual({
      entity: 'users',
      version: 1,
      applied: 1,
      conflicts: 0,
      duplicates: 0,
      rejected: 0,
      results: [{ id: 1, entity_id: '1', field: 'name', status: 'applied', version: 1 }],
      conflict_details: [],
    })
    expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'Alice', email: 'a@x' }])
    // against a row that was written later the old edit loses
    expect(await pushFields(url, 'users', [field('name', 'Old', { timestamp: older })])).toMatchObject({
      applied: 0,
      conflicts: 1,
      conflict_details: [{ entity_id: '1', field: 'name', server_value: 'Alice', client_value: 'Old' }],
    })
  })

  test('[E3] K16 X02 X03 each field is one of applied, conflicts, duplicates, rejected', async () => {
    const { db, url } = await start()
    const { version } = await pullFields(url, 'users')
    db.exec("UPDATE users SET name = 'server' WHERE id = 1; INSERT INTO users VALUES (2, 'Bob', 'b@x')")
    const named = field('email', 'once', { mutation_id: 'm1', entity_id: '2' })
    await pushFields(url, 'users', [named])
    const stale = { base_version: version, timestamp: older }
    const pushed = await pushFields(url, 'users', [
      field('name', 'client', stale),
      field('email', 'mine', stale),
      named,
      field('id', 5),
      field('emial', 'x'),
      { entity_id: '2', action: 'delete' },
      { entity_id: '2', field: 'name', value: 'late', base_version: version },
    ])
    expect(pushed.results.map(({ field: name, status }) => [name, status])).toEqual([
      ['name', 'conflict'],
      ['email', 'applied'],
      ['email', 'duplicate'],
      ['id', 'rejected'],
      ['emial', 'rejected'],
      [null, 'applied'],
      ['name', 'conflict'],
    ])
    expect(pushed).toMatchObject({ applied: 2, conflicts: 2, duplicates: 1, rejected: 2 })
    expect(pushed.conflict_details.map(({ server_value }) => server_value)).toEqual(['server', null])
    expect(pushed.results[6]?.error?.code).toBe('ROW_DELETED')
    expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'server', email: 'mine' }])
  })

  test('[E3] a new row with several NOT NULL columns is one write; a field is emptied by a delete', async () => {
    const { db, url } = await start({
      schema:
        'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, note TEXT);',
      entities: ['users'],
    })
    const said = { action: 'create', timestamp: '2026-01-01T00:00:00Z' }
    const pushed = await pushFields(url, 'users', [
      { field: 'name', value: 'Ann', ...said },
      { field: 'email', value: 'a@x', ...said },
      { field: 'note', value: 'n', ...said },
      // again the same field: the next row
      { field: 'name', value: 'Bob', ...said },
      { field: 'email', value: 'b@x', ...said },
    ])
    expect(pushed.applied).toBe(5)
    expect(pushed.results.map(({ entity_id }) => entity_id)).toEqual(['1', '1', '1', '2', '2'])
    await pushFields(url, 'users', [{ entity_id: 1, field: 'note', action: 'delete' }])
    expect(rowsOf(db, 'SELECT id, email, note FROM users')).toEqual([
      { id: 1, email: 'a@x', note: null },
      { id: 2, email: 'b@x', note: null },
    ])
    expect(await pushFields(url, 'users', [{ entity_id: 9, field: 'name', value: 'half' }])).toMatchObject({
      rejected: 1,
      results: [{ error: { code: 'NOT_FOUND' } }],
    })
  })

  const arrivals: [string, string[]][] = [
    ['older first', ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z']],
    ['newer first', ['2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z']],
  ]
  test.each(arrivals)(
    '[D4] [D7] T-F10 B085 of two stamps of one field the newer wins, %s',
    async (_name, stamps) => {
      const { db, url } = await start()
      const counts = []
      for (const timestamp of stamps)
        counts.push(await pushFields(url, 'users', [field('name', `of ${timestamp}`, { timestamp })]))
      expect(rowsOf(db, 'SELECT name FROM users')).toEqual([{ name: 'of 2026-01-02T00:00:00Z' }])
      expect(counts[1]).toMatchObject(
        stamps[0] === arrivals[0]?.[1][0] ? { applied: 1, conflicts: 0 } : { applied: 0, conflicts: 1 },
      )
      expect((await latest(url, 'users', 1)).fields['name']?.[2]).toBe('2026-01-02T00:00:00.000Z')
    },
  )

  test('[D7] B094 two people edit different fields of one row without a conflict', async () => {
    const { db, url } = await start()
    const { version } = await pullFields(url, 'users')
    const stale = { base_version: version }
    for (const one of [field('name', 'Anna', stale), field('email', 'anna@x', stale)])
      expect(await pushFields(url, 'users', [one])).toMatchObject({ applied: 1, conflicts: 0 })
    expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'Anna', email: 'anna@x' }])
  })

  const races: [FieldMergeStrategy, string, string, object][] = [
    ['server-wins', newer, 'server', { applied: 0, conflicts: 1 }],
    ['server-wins', older, 'server', { applied: 0, conflicts: 1 }],
    ['client-wins', newer, 'client', { applied: 1, conflicts: 0 }],
    ['client-wins', older, 'client', { applied: 1, conflicts: 0 }],
    ['keep-both', newer, 'server', { applied: 0, conflicts: 1 }],
  ]
  test.each(races)(
    '[D5] T-F12 B086 B087 B088 %s, the edit of %s: %s',
    async (strategy, timestamp, name, counts) => {
      const { db, url } = await start({ fieldSync: strategy })
      const { version } = await pullFields(url, 'users')
      db.exec("UPDATE users SET name = 'server' WHERE id = 1")
      const pushed = await pushFields(url, 'users', [
        field('name', 'client', { timestamp, base_version: version }),
      ])
      expect(pushed).toMatchObject(counts)
      expect(rowsOf(db, 'SELECT name FROM users')).toEqual([{ name }])
    },
  )

  test('an entity that says so itself is judged as it says; those that are not named, as the engine does', async () => {
    const app = await start({
      fieldSync: { strategy: 'client-wins', entities: ['users', 'posts'] },
      strategy: 'server-wins',
      entities: [
        'users',
        defineEntity({ name: 'posts', grain: 'entity', strategy: 'last-write-wins' }),
        'comments',
      ],
      schema: `${withAnn}; INSERT INTO posts VALUES (1, 1, 'p'); CREATE TABLE IF NOT EXISTS x (y); INSERT INTO comments VALUES (1, 'c')`,
    })
    const { version } = await pullFields(app.url, 'users')
    app.db.exec("UPDATE users SET name = 's'; UPDATE posts SET title = 's'; UPDATE comments SET body = 's'")
    const stale = { base_version: version, timestamp: older }
    expect(await pushFields(app.url, 'users', [field('name', 'c', stale)])).toMatchObject({ applied: 1 })
    // another column, but the row is judged as one
    expect(await pushFields(app.url, 'posts', [field('user_id', 7, stale)])).toMatchObject({ conflicts: 1 })
    expect(await pushFields(app.url, 'comments', [field('body', 'c', stale)])).toMatchObject({ conflicts: 1 })
  })

  test('[D7] grain: field of the engine is the same without the routes', async () => {
    const db = openDatabase(path.join(folder(), 'app.db'))
    db.exec(withAnn)
    const engine = await createSyncEngine(new SyncConfig(db, ['users']).withGrain('field'))
    later(() => engine.close())
    const ask = (where: string, init?: RequestInit): Promise<Response | undefined> =>
      engine.routes().fetch(new Request(`http://localhost${where}`, init))
    expect(await ask(`${base}/users`)).toBeUndefined()
    db.exec("UPDATE users SET name = 'server' WHERE id = 1")
    const changes = [{ id: 1, data: { name: 'client', email: 'client' }, base_version: 0, timestamp: older }]
    const pushed = await ask('/api/sync/users', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ changes }),
    })
    expect(await pushed?.json()).toMatchObject({ results: [{ status: 'merged' }] })
    expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'server', email: 'client' }])
  })

  test('[D6] what a resolver stored in place of a field is told as a conflict', async () => {
    const { db, url } = await start({
      entities: [
        defineEntity({
          name: 'users',
          resolver: (server, client) => ({
            ...server,
            name: JSON.stringify([server['name'], client['name']]),
          }),
        }),
      ],
    })
    const { version } = await pullFields(url, 'users')
    db.exec("UPDATE users SET name = 'server' WHERE id = 1")
    expect(
      await pushFields(url, 'users', [field('name', 'client', { base_version: version })]),
    ).toMatchObject({
      applied: 0,
      conflicts: 1,
      conflict_details: [{ server_value: '["server","client"]', client_value: 'client' }],
    })
  })
})

test('[E6] the grain may be changed at a restart: what was written before is judged by its own columns', async () => {
  const file = path.join(folder(), 'app.db')
  const byRow = await startApp({ file, schema: withAnn })
  const { version } = await pull(byRow.url, 'users')
  byRow.db.exec("UPDATE users SET name = 'server' WHERE id = 1")
  const stale = { base_version: version, timestamp: older }
  const [judged] = await push(byRow.url, 'users', [{ id: 1, data: { email: 'client' }, ...stale }])
  expect(judged?.status).toBe('conflict')
  await byRow.stop()

  const byField = await startApp({ file, schema: '', fieldSync: 'last-write-wins' })
  const pushed = await pushFields(byField.url, 'users', [
    field('email', 'client', stale),
    field('name', 'client', stale),
  ])
  expect(pushed.results.map(({ status }) => status)).toEqual(['applied', 'conflict'])
  expect((await pullFields(byField.url, 'users', version)).changes.length).toBeGreaterThan(0)
  await byField.stop()

  const again = await startApp({ file, schema: '' })
  expect((await push(again.url, 'users', [{ id: 1, data: { email: 'late' }, ...stale }]))[0]?.status).toBe(
    'conflict',
  )
  const db = new DatabaseSync(file)
  expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'server', email: 'client' }])
  db.close()
})
