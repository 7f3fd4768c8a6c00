import { connect } from 'node:net'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createSyncEngine, nodeEnv, SyncError, uninstall } from 'syncline'
import {
  cleanUp,
  folder,
  later,
  openDatabase,
  rowsOf,
  startApp,
  until,
  usersAndPosts,
} from './support/app.ts'
import { addressOf, runModule, serverModule, writeElsewhere } from './support/process.ts'
import { create, openSession } from './support/session.ts'
import { changesIn, isType, openLine, openStream, post, pull, subscribed } from './support/wire.ts'

afterEach(cleanUp)

function databaseFile(): string {
  const file = path.join(folder(), 'app.db')
  const db = openDatabase(file)
  db.exec(`PRAGMA journal_mode = WAL; ${usersAndPosts}`)
  db.close()
  return file
}

test('[S8] X56 close() with sockets and streams open: told why, nothing lost, and the process ends', async () => {
  const file = databaseFile()
  const running = runModule(serverModule, [file, '0', 'users', 'posts'])
  const url = await addressOf(running)
  const lines = await Promise.all([subscribed(url, ['users']), subscribed(url, ['users'])])
  const stream = await openStream(`${url}/api/sync/events`)
  const session = await openSession(url)
  session.mutate(Array.from({ length: 200 }, (_, i) => create(i + 1, 'users', i + 1, { name: 'x' })))
  await until('the first results', () => session.results().length > 0)
  running.child.kill('SIGTERM')
  const codes = await Promise.all([...lines.map(line => line.closed), session.closed])
  expect(codes.map(({ code }) => code)).toEqual([1012, 1012, 1012])
  expect(codes[0]?.reason).toMatch(/retry_after_ms=\d+/)
  await stream.ended
  expect(stream.frames.at(-1)).toMatchObject({ type: 'close', code: 1012 })
  expect(await running.ended).toBe(0)
  const db = openDatabase(file)
  const acknowledged = session.results().filter(result => result.status === 'applied').length
  expect(rowsOf(db, 'SELECT count(*) AS n FROM users')[0]?.['n']).toBeGreaterThanOrEqual(acknowledged)
})

test('[S8] a client that never answers the close cannot keep the process', async () => {
  const running = runModule(serverModule, [databaseFile(), '0', 'users'])
  const url = await addressOf(running)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  later(() => socket.destroy())
  socket.write(
    'GET /api/sync/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  await new Promise(resolve => socket.once('data', resolve))
  socket.pause()
  running.child.kill('SIGTERM')
  expect(await running.ended).toBe(0)
})

test('[L1] X16 what happens while the server is down, and kill -9 itself, lose nothing', async () => {
  const file = databaseFile()
  let running = runModule(serverModule, [file, '0', 'users'])
  let url = await addressOf(running)
  const port = new URL(url).port
  const session = await openSession(url, { client: 'phone' })
  const { to } = await session.load('users')
  session.mutate(Array.from({ length: 50 }, (_, i) => create(i + 1, 'users', i + 1, { name: 'mine' })))
  await until('some results', () => session.results().length > 0)
  running.child.kill('SIGKILL')
  await running.ended
  const acknowledged = session.results().map(result => result.n)
  await writeElsewhere(file, "INSERT INTO users VALUES (1000, 'while down', NULL)")
  running = runModule(serverModule, [file, port, 'users'])
  url = await addressOf(running)
  const again = await openSession(url, { client: 'phone' })
  // everything acknowledged is there, and what is there counts as processed
  const db = openDatabase(file)
  const stored = rowsOf(db, "SELECT id FROM users WHERE name = 'mine' ORDER BY id").map(row => row['id'])
  expect(again.welcome.last).toBe(stored.length)
  expect(stored).toEqual(expect.arrayContaining(acknowledged))
  const shape = (again.welcome['entities'] as { users: { hash: string } }).users.hash
  const { frames } = await again.load('users', to, shape)
  expect(JSON.stringify(frames)).toContain('while down')
  again.mutate(Array.from({ length: 50 }, (_, i) => create(i + 1, 'users', i + 1, { name: 'mine' })))
  await until('all results', () => again.results().length === 50)
  expect(rowsOf(db, "SELECT count(*) AS n FROM users WHERE name = 'mine'")).toEqual([{ n: 50 }])
})

test('[S9] X15 two engines on one file: a write through either reaches the clients of both', async () => {
  const file = databaseFile()
  const first = await startApp({ schema: '', file })
  const running = runModule(serverModule, [file, '0', 'users', 'posts', 'comments'])
  const url = await addressOf(running)
  const lines = await Promise.all([subscribed(first.url, ['users']), subscribed(url, ['users'])])
  await post(`${first.url}/api/sync/users`, {
    changes: [{ id: 1, action: 'create', data: { name: 'by one' } }],
  })
  await post(`${url}/api/sync/users`, {
    changes: [{ id: 2, action: 'create', data: { name: 'by the other' } }],
  })
  for (const line of lines) {
    await until('both', () => line.changes().length >= 2)
    expect(new Set(line.changes().map(change => change.id))).toEqual(new Set([1, 2]))
  }
  const error: unknown = await uninstall(first.db).catch((failure: unknown) => failure)
  expect(error).toBeInstanceOf(SyncError)
  expect(error).toMatchObject({ code: 'ENGINE_ATTACHED' })
})

test('[C10] uninstall leaves the file as if nothing of ours had been there', async () => {
  const file = databaseFile()
  const db = openDatabase(file)
  db.exec(
    'CREATE TRIGGER mine AFTER INSERT ON posts BEGIN UPDATE posts SET title = title; END; CREATE VIEW _sync_like AS SELECT 1 AS one;',
  )
  const before = rowsOf(db, 'SELECT type, name, sql FROM sqlite_master ORDER BY name')
  const engine = await createSyncEngine({ db, entities: ['users', 'posts'] })
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  await engine.close()
  expect(
    rowsOf(db, "SELECT 1 FROM sqlite_master WHERE name LIKE '\\_syncline\\_%' ESCAPE '\\'").length,
  ).toBeGreaterThan(0)
  await uninstall(db)
  expect(rowsOf(db, 'SELECT type, name, sql FROM sqlite_master ORDER BY name')).toEqual(before)
  expect(rowsOf(db, 'SELECT * FROM users')).toEqual([{ id: 1, name: 'Ann', email: null }])
  await uninstall(db)
})

test('a closed engine answers 503 and takes no connection; closing twice is fine', async () => {
  const app = await startApp()
  await app.engine.close()
  await app.engine.close()
  expect((await fetch(`${app.url}/api/sync/users`)).status).toBe(503)
})

test('[K3] an event stream lives on without a word of its own; a dead socket is given up', async () => {
  const real = nodeEnv()
  let offset = 0
  const beats = new Set<() => void>()
  const env = {
    ...real,
    now: () => real.now() + offset,
    after(ms: number, run: () => void): () => void {
      if (ms !== 15_000) return real.after(ms, run)
      beats.add(run)
      return () => void beats.delete(run)
    },
  }
  const beat = (): void => {
    offset += 15_000
    const due = [...beats]
    beats.clear()
    for (const run of due) run()
  }
  const app = await startApp({ env, limits: { helloTimeout: Infinity } })
  const stream = await openStream(`${app.url}/api/sync/events`)
  const socket = connect(app.port, '127.0.0.1')
  later(() => socket.destroy())
  const ended = new Promise<void>(resolve => void socket.once('close', () => resolve()))
  socket.write(
    'GET /api/sync/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  await new Promise(resolve => socket.once('data', resolve))
  socket.resume()
  const line = await openLine(app.url)
  for (let i = 0; i < 8; i++) {
    beat()
    // a living socket answers pings by itself
    line.send({ type: 'ping' })
    await line.next(isType('pong'))
  }
  await ended
  expect((await app.engine.stats()).connections).toBe(2)
  app.db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  await until('the change', () => changesIn(stream.frames).length === 1)
  expect(stream.text()).toContain(': ping')
  expect((await pull(app.url, 'users')).changes).toHaveLength(1)
})
