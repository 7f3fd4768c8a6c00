import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import path from 'node:path'
import express from 'express'
import { pino } from 'pino'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  createSyncEngine,
  defineEntity,
  errorCodes,
  FieldMergeStrategy,
  SyncConfig,
  SyncEngine,
  SyncError,
  SyncStrategy,
} from 'syncline'
import type { Frame } from 'syncline'
import {
  cleanUp,
  closeServer,
  drivers,
  folder,
  later,
  listen,
  openDatabase,
  rowsOf,
  startApp,
  until,
  usersAndPosts,
} from './support/app.ts'
import { fakePeer } from 'syncline/testing'
import { openLine, openStream, pull } from './support/wire.ts'

afterEach(cleanUp)

function database(schema = usersAndPosts): ReturnType<typeof openDatabase> {
  const db = openDatabase(path.join(folder(), 'app.db'))
  db.exec(schema)
  return db
}

async function rejected(made: Promise<SyncEngine>): Promise<SyncError> {
  const error: unknown = await made.then(
    engine => engine.close().then(() => null),
    (failure: unknown) => failure,
  )
  if (!(error instanceof SyncError)) throw new Error(`no SyncError: ${String(error)}`)
  return error
}

describe('T-S01 creation', () => {
  test('a handle and names are all it needs, as a literal and as SyncConfig', async () => {
    const db = database()
    const engine = await SyncEngine.create({ db, entities: ['users', 'posts'] })
    const server = createServer(engine.routes())
    const port = await listen(server)
    later(() => closeServer(server))
    expect((await fetch(`http://127.0.0.1:${port}/api/sync/users`)).status).toBe(200)
    await engine.close()
    const again = await SyncEngine.create(
      new SyncConfig(db, ['users']).withStrategy('client-wins').withRetentionDays(30),
    )
    expect((await again.stats()).entities).toEqual(['users'])
    await again.close()
  })

  test.each([
    ['a table that is not there', { entities: ['users', 'ghosts'] }, 'UNKNOWN_TABLE', 'ghosts'],
    ['no key', { entities: ['bare'] }, 'NO_PRIMARY_KEY', 'bare'],
    ['a key without a type', { entities: ['untyped'] }, 'UNSUPPORTED_KEY', 'untyped'],
    ['a view', { entities: ['seen'] }, 'UNKNOWN_TABLE', 'seen'],
    ['a name that is a path', { entities: ['events'] }, 'RESERVED_NAME', 'events'],
    ['nothing to sync', { entities: [] }, 'INVALID_CONFIG', 'entities'],
    ['an entity twice', { entities: ['users', 'users'] }, 'INVALID_CONFIG', 'users'],
    ['an unknown option', { entities: ['users'], startegy: 'x' }, 'INVALID_CONFIG', 'startegy'],
    [
      'a rule for no column',
      { entities: [defineEntity({ name: 'users', serverOwned: ['rank'] })] },
      'INVALID_CONFIG',
      'rank',
    ],
    [
      'a rule for no field',
      { entities: [defineEntity({ name: 'users', fields: { rank: {} } })] },
      'INVALID_CONFIG',
      'rank',
    ],
    [
      'an unknown strategy',
      { entities: ['users'], strategy: 'luck' as 'client-wins' },
      'INVALID_CONFIG',
      'luck',
    ],
  ])('refuses %s with a code that names it', async (_what, options, code, named) => {
    const db = database(
      `${usersAndPosts} CREATE TABLE bare (a); CREATE TABLE untyped (id PRIMARY KEY NOT NULL); CREATE VIEW seen AS SELECT 1 AS id;`,
    )
    const error = await rejected(createSyncEngine({ ...options, db }))
    expect(error.code).toBe(code)
    expect(error.message).toContain(named)
    expect(rowsOf(db, "SELECT count(*) AS n FROM sqlite_master WHERE type = 'trigger'")).toEqual([{ n: 0 }])
  })

  test('refuses what is no database handle', async () => {
    const nothing = undefined as never // reason: an application without types
    expect((await rejected(SyncEngine.create(nothing))).code).toBe('INVALID_CONFIG')
    expect((await rejected(createSyncEngine({ db: {}, entities: ['users'] }))).code).toBe(
      'UNSUPPORTED_DRIVER',
    )
    expect((await rejected(createSyncEngine({ entities: ['users'] }))).code).toBe('INVALID_CONFIG')
  })

  test('K07 the names of strategies are exported, and every code has a status', () => {
    expect(SyncStrategy).toEqual({
      LastWriteWins: 'last-write-wins',
      ClientWins: 'client-wins',
      ServerWins: 'server-wins',
    })
    expect(FieldMergeStrategy.KeepBoth).toBe('keep-both')
    expect(Object.values(errorCodes).every(status => status >= 400)).toBe(true)
  })
})

describe.each(drivers)('T-S15 table names with %s', driver => {
  test('a name of its own for a table, and the plural by default', async () => {
    const { db, url } = await startApp({
      driver,
      schema:
        'CREATE TABLE members (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE blog_posts (id INTEGER PRIMARY KEY, title TEXT);',
      entities: [defineEntity({ name: 'User', table: 'members' }), defineEntity({ name: 'BlogPost' })],
    })
    db.exec("INSERT INTO members VALUES (1, 'Ann'); INSERT INTO blog_posts VALUES (1, 'Hello')")
    expect((await pull(url, 'User')).changes).toMatchObject([{ entity: 'User', data: { name: 'Ann' } }])
    expect((await pull(url, 'BlogPost')).changes).toMatchObject([
      { entity: 'BlogPost', data: { title: 'Hello' } },
    ])
    expect((await fetch(`${url}/api/sync/members`)).status).toBe(404)
  })
})

describe('T-S18 debug', () => {
  test('says what it does, and is silent otherwise', async () => {
    const spies = (['debug', 'info', 'warn', 'error', 'log'] as const).map(level =>
      vi.spyOn(console, level).mockImplementation(() => {}),
    )
    later(() => spies.map(spy => spy.mockRestore()))
    const calls = (): number => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0)
    const run = async (debug: boolean): Promise<void> => {
      const engine = await createSyncEngine({ db: database(), entities: ['users'], access: 'public', debug })
      const server = createServer(engine.routes())
      engine.attach(server)
      const url = `http://127.0.0.1:${await listen(server)}`
      const line = await openLine(url)
      line.send({ type: 'ping' })
      await line.next(frame => frame.type === 'pong')
      await engine.close()
      await closeServer(server)
    }
    await run(false)
    expect(calls()).toBe(0)
    await run(true)
    expect(calls()).toBeGreaterThan(2)
  })
})

test('T-S18 a pino logger fits as it is', async () => {
  const lines: { level: number; msg: string }[] = []
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
  )
  const engine = await createSyncEngine({ db: database(), entities: ['users'], logger })
  later(() => engine.close())
  const server = createServer(engine.routes())
  later(() => closeServer(server))
  engine.attach(server)
  const line = await openLine(`http://127.0.0.1:${await listen(server)}`)
  line.send({ type: 'ping' })
  await line.next(frame => frame.type === 'pong')
  const said = (level: number): string[] => lines.filter(line => line.level === level).map(line => line.msg)
  expect(said(20)).toContain('syncline: connection opened')
  expect(said(40)).toHaveLength(1)
})

describe('K71 exposure', () => {
  const bind = async (
    host: string,
    options: object,
  ): Promise<{ error: unknown; warnings: string[]; listening: boolean }> => {
    const warnings: string[] = []
    const logger = {
      debug() {},
      info() {},
      warn: (_: object, message: string) => void warnings.push(message),
      error() {},
    }
    const engine = await createSyncEngine({ db: database(), entities: ['users'], logger, ...options })
    later(() => engine.close())
    const server = createServer(engine.routes())
    later(() => closeServer(server))
    engine.attach(server)
    const error = await new Promise(resolve => {
      server.on('error', resolve)
      server.listen(0, host, () => setImmediate(() => resolve(null)))
    })
    return { error, warnings, listening: server.listening }
  }
  const production = (): void => {
    const before = process.env['NODE_ENV']
    process.env['NODE_ENV'] = 'production'
    later(() => void (process.env['NODE_ENV'] = before ?? 'test'))
  }

  test('one loud line on this machine and on the network', async () => {
    expect((await bind('127.0.0.1', {})).warnings).toHaveLength(1)
    expect((await bind('0.0.0.0', {})).warnings[0]).toContain('WARNING')
  })

  test('refused in production on the network, unless it is said', async () => {
    production()
    const { error, listening } = await bind('0.0.0.0', {})
    expect(error).toBeInstanceOf(SyncError)
    expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
    expect(listening).toBe(false)
    expect(await bind('127.0.0.1', {})).toMatchObject({ error: null, listening: true })
    expect(await bind('0.0.0.0', { access: 'public' })).toMatchObject({
      error: null,
      listening: true,
      warnings: [],
    })
  })

  test('what is no server is refused: an application of Express would never hear of a socket', async () => {
    const engine = await createSyncEngine({ db: database(), entities: ['users'] })
    later(() => engine.close())
    const none: unknown = undefined
    for (const server of [express(), none]) {
      // reason: an application may be written without types
      const attach = (): unknown => engine.attach(server as Server)
      expect(attach).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    }
  })

  test('refused at once where the server listens already', async () => {
    production()
    const engine = await createSyncEngine({ db: database(), entities: ['users'] })
    later(() => engine.close())
    const server = createServer(engine.routes())
    later(() => closeServer(server))
    await new Promise<void>(resolve => void server.listen(0, '0.0.0.0', () => resolve()))
    expect(() => engine.attach(server)).toThrow(SyncError)
  })
})

test('[S5] T-P09 a thousand subscribers, one change: one serialization, one write each', async () => {
  const { db, engine } = await startApp()
  const written: (readonly Frame[])[] = []
  const peer = fakePeer('local', { write: frames => void written.push(frames) })
  const connections = Array.from({ length: 1000 }, () => engine.connect(peer))
  for (const connection of connections) connection.frame('{"type":"subscribe","entities":["users"]}')
  await until('a thousand answers', () => written.length === 1000)
  written.length = 0
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  await until('a thousand writes', () => written.length === 1000)
  expect(written.every(frames => frames.length === 1)).toBe(true)
  expect(new Set(written.flat()).size).toBe(1)
})

test('X76 stats say where the engine stands', async () => {
  const { db, engine, url } = await startApp()
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  await openStream(`${url}/api/sync/events`)
  const stats = await until('the stream', async () => {
    const now = await engine.stats()
    return now.subscribers === 1 ? now : null
  })
  expect(stats).toMatchObject({
    connections: 1,
    head: 1,
    horizon: 0,
    tail: 1,
    entities: ['users', 'posts', 'comments'],
  })
})

test('[F10] T-S09 X54 the scripts: asked for again each time, or under a name that never changes', async () => {
  const { url, engine } = await startApp()
  const get = (name: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/api/sync/${name}`, { headers })
  const response = await get('client.js')
  const body = await response.text()
  expect(response.headers.get('content-type')).toContain('text/javascript')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(body.length).toBeGreaterThan(100)
  const etag = response.headers.get('etag') ?? ''
  expect(etag).toMatch(/^"[\da-f]{16}-gzip"$/)
  expect((await get('client.js', { 'if-none-match': `"older", ${etag}` })).status).toBe(304)

  // a strong tag is one of bytes: plain and packed differ
  const plain = await get('client.js', { 'accept-encoding': 'identity' })
  expect(plain.headers.get('etag')).toBe(etag.replace('-gzip', ''))
  expect(await plain.text()).toBe(body)
  expect(plain.headers.get('vary')).toBe('accept-encoding')

  const script = await engine.routes().script()
  expect(script).toBe(`/api/sync/client.${etag.slice(1, 17)}.js`)
  const [, lazy = ''] = /[`"']([\da-f]{16})[`"']/.exec(body) ?? []
  for (const name of [
    script.slice('/api/sync/'.length),
    `client.js?v=${etag.slice(1, 17)}`,
    `lazy.${lazy}.js`,
  ]) {
    const pinned = await get(name)
    expect(pinned.status).toBe(200)
    expect(pinned.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(pinned.headers.get('x-content-type-options')).toBe('nosniff')
  }
  // during a deploy a page of one release asks a server of another
  const other = await get('client.0123456789abcdef.js')
  expect(await other.text()).toBe(body)
  expect(other.headers.get('cache-control')).toBe('no-cache')
  expect((await get('lazy.0123456789abcdef.js')).status).toBe(404)
  expect((await get('lazy.js')).status).toBe(200)
})

test('T-K03 MIT, and an issue comes before a pull request', () => {
  const root = path.resolve(import.meta.dirname, '../..')
  const text = (file: string): string => readFileSync(path.join(root, file), 'utf8')
  expect(text('LICENSE')).toContain('MIT License')
  expect((JSON.parse(text('package.json')) as { license: string }).license).toBe('MIT')
  expect(text('CONTRIBUTING.md').toLowerCase()).toContain('open an issue first')
})
