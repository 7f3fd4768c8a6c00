import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { cleanUp, later, rowsOf, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { openSession } from './support/session.ts'
import { isType, openLine, push, subscribed } from './support/wire.ts'

afterEach(cleanUp)

test('[S1] X47 repeated nonsense is closed 1008, a single bad frame is only answered', async () => {
  const { url } = await startApp()
  const line = await openLine(url)
  line.send('nonsense')
  expect(await line.next(isType('error'))).toMatchObject({ code: 'INVALID_MESSAGE' })
  line.send({ type: 'ping' })
  await line.next(isType('pong'))
  for (let i = 0; i < 30; i++) line.send('{')
  expect((await line.closed).code).toBe(1008)
})

test('[S1] X46 a frame that is too large is answered, a much larger one closes 1009', async () => {
  const { url, db } = await startApp()
  const line = await openLine(url)
  line.send({
    type: 'push',
    entity: 'users',
    id: 1,
    action: 'create',
    data: { name: 'x'.repeat(2 * 1024 * 1024) },
  })
  expect(await line.next(isType('error'))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
  line.send({ type: 'push', entity: 'users', id: 1, action: 'create', data: { name: 'small' } })
  expect(await line.next(isType('push_ack'))).toMatchObject({ status: 'applied' })
  line.send({ type: 'ping', padding: 'x'.repeat(6 * 1024 * 1024) })
  expect((await line.closed).code).toBe(1009)
  expect(rowsOf(db, 'SELECT name FROM users')).toEqual([{ name: 'small' }])
})

test('X47 hostile bodies: prototype keys, depth, counts, wrong types', async () => {
  const { url } = await startApp()
  const deep = JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`) as object
  const wide = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i]))
  for (const data of [deep, wide, [], 'text', 5]) {
    await expect(
      push(url, 'users', [{ id: 1, action: 'update', data }]),
      JSON.stringify(data).slice(0, 40),
    ).rejects.toThrow(/400/)
  }
  await expect(
    push(
      url,
      'users',
      Array.from({ length: 1001 }, (_, i) => ({ id: i, action: 'delete' })),
    ),
  ).rejects.toThrow(/400/)
  const polluting = '{"changes":[{"id":1,"action":"update","data":{"__proto__":{"x":1}}}]}'
  const response = await fetch(`${url}/api/sync/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: polluting,
  })
  expect(response.status).toBe(400)
})

/** A subscriber that stops reading from its socket. */
async function stalled(app: App): Promise<Socket> {
  const socket = connect(app.port, '127.0.0.1')
  later(() => socket.destroy())
  socket.write(
    `GET /api/sync/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  )
  await new Promise(resolve => socket.once('data', resolve))
  const text = Buffer.from('{"type":"subscribe","entities":["users"]}')
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]))
  await new Promise(resolve => socket.once('data', resolve))
  socket.pause()
  return socket
}

test('[S4] X22 a slow consumer costs the server no memory, and has everything once it reads again', async () => {
  const app = await startApp({ limits: { maxBuffered: 256 * 1024 } })
  const slow = await stalled(app)
  const other = await subscribed(app.url, ['users'])
  const text = 'x'.repeat(20_000)
  const insert = app.db.prepare('INSERT INTO users VALUES (?, ?, NULL)')
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const count = 2000
  for (let id = 1; id <= count; id++) {
    insert.run(id, text)
    // in steps, so that the stalled one is flushed to often
    if (id % 20 === 0) await until('the other', () => other.changes().length === id)
  }
  // 40 MB were written; what waits for the stalled one is bounded
  const growth = process.memoryUsage().rss - before
  expect(growth).toBeLessThan(400 * 1024 * 1024)
  let bytes = 0
  let tail = ''
  slow.on('data', data => {
    bytes += data.length
    tail = (tail + data.toString('latin1')).slice(-200_000)
  })
  slow.resume()
  await until('everything', () => bytes > count * text.length && tail.includes(`"version":${count},`), 20_000)
}, 60_000)

test('[S4] a canonical client that stalled is caught up by its cursor, without a gap', async () => {
  const app = await startApp({ limits: { maxBuffered: 64 * 1024 } })
  const session = await openSession(app.url)
  await session.load('users')
  const text = 'x'.repeat(5000)
  const insert = app.db.prepare('INSERT INTO users VALUES (?, ?, NULL)')
  // all of it in one tick: more than the budget and more than one frame
  for (let id = 1; id <= 1000; id++) insert.run(id, text)
  await until(
    'the end',
    () => (session.frames.at(-1)?.['to'] as { seq: number } | undefined)?.seq === 1000,
    20_000,
  )
  let at = 0
  const seen = new Set<unknown>()
  for (const batch of session.frames.filter(isType('batch'))) {
    expect((batch['from'] as { seq: number } | null)?.seq ?? 0).toBe(at)
    for (const set of batch['sets'] as { rows: unknown[][] }[]) for (const row of set.rows) seen.add(row[1])
    at = (batch['to'] as { seq: number } | undefined)?.seq ?? at
  }
  expect(seen.size).toBe(1000)
})
