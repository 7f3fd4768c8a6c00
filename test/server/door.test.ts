// What anybody can do to the doors of a server: reset, linger, overfill, ask at the wrong moment.
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, later, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { changesIn, openStream, pull } from './support/wire.ts'

afterEach(cleanUp)

const refusals = [
  ['403', '/api/sync/ws', 'Origin: http://evil.example\r\n'],
  ['404', '/elsewhere', ''],
] as const

/** Asks for an upgrade that is refused; never says by itself that it is done. */
async function refused(app: App, path: string, header: string): Promise<{ socket: Socket; said: string }> {
  const socket = connect({ port: app.port, host: '127.0.0.1', allowHalfOpen: true })
  later(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${header}\r\n`,
  )
  const said = await new Promise<string>(resolve => socket.once('data', data => resolve(String(data))))
  return { socket, said }
}

describe.each(refusals)('[S1] an upgrade refused with %s', (status, path, header) => {
  test('leaves no socket open when the client does not end it', async () => {
    const app = await startApp()
    const { said } = await refused(app, path, header)
    expect(said).toContain(`HTTP/1.1 ${status} `)
    await until(
      'no open socket',
      () => new Promise<boolean>(resolve => app.server.getConnections((_, count) => resolve(count === 0))),
      3000,
    )
  })

  test('has a listener for the error of a reset', async () => {
    const app = await startApp()
    const sockets: Socket[] = []
    app.server.on('connection', made => void sockets.push(made))
    const { socket } = await refused(app, path, header)
    // without one the reset would end this process, sooner or later
    expect(sockets.map(made => made.listenerCount('error'))).not.toContain(0)
    socket.resetAndDestroy()
    expect((await fetch(`${app.url}/api/sync/health`)).status).toBe(200)
  })
})

test('[S1] an event stream whose log cannot be read is closed 1011, and the process goes on', async () => {
  const app = await startApp({ file: ':memory:' })
  app.db.close()
  const stream = await openStream(`${app.url}/api/sync/events?entities=users`)
  await stream.ended
  expect(stream.frames).toMatchObject([{ type: 'close', code: 1011 }])
  expect(app.logged.filter(entry => entry.message.includes('event stream'))).toMatchObject([
    { level: 'warn' },
  ])
})

test('[S3] [L8] pretty-printed JSON columns pass through event streams', async () => {
  const app = await startApp({
    schema: 'CREATE TABLE notes (id INTEGER PRIMARY KEY, json JSON)',
    entities: ['notes'],
  })
  const stream = await openStream(`${app.url}/api/sync/events?entities=notes&since=0`)
  app.db.prepare('INSERT INTO notes VALUES (1, ?)').run(JSON.stringify({ a: 1, b: [2] }, null, 2))
  const [change] = await until('the change', () => {
    const found = changesIn(stream.frames)
    return found.length > 0 ? found : null
  })
  expect(change?.data).toEqual({ id: 1, json: { a: 1, b: [2] } })
})

interface Canonical {
  readonly up: (messages: readonly object[]) => Promise<Response>
  readonly reader: ReadableStreamDefaultReader<Uint8Array>
}

/** A canonical event stream over `routes.fetch`, read only as far as its session. */
async function canonical(app: App): Promise<Canonical> {
  const routes = app.engine.routes()
  const events = 'http://localhost/api/sync/events'
  const response = await routes.fetch(new Request(`${events}?stream=canonical`))
  const reader = response?.body?.getReader()
  if (reader === undefined) throw new Error('no stream')
  let text = ''
  while (!/"session":"\w+"/.test(text)) text += new TextDecoder().decode((await reader.read()).value)
  const session = /"session":"(\w+)"/.exec(text)?.[1]
  return {
    reader,
    async up(messages) {
      const answer = await routes.fetch(
        new Request(`${events}?session=${session}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(messages),
        }),
      )
      if (answer === undefined) throw new Error('no answer')
      return answer
    },
  }
}

test('[S4] messages for an event stream that is not read are answered 503 until it is', async () => {
  const app = await startApp({ limits: { maxBuffered: 1 } })
  const { up, reader } = await canonical(app)
  const pings = Array.from({ length: 10_000 }, () => ({ type: 'ping' }))
  expect((await up(pings)).status).toBe(204)
  const busy = await up([{ type: 'ping' }])
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await busy.json()).toMatchObject({ error: { code: 'OVERLOADED' } })
  const reading = (async () => {
    while (!(await reader.read()).done);
  })()
  await until('room', async () => (await up([{ type: 'ping' }])).status === 204)
  await app.stop()
  await reading
})

test('[S8] a stream that the server ended takes no more messages', async () => {
  const app = await startApp()
  const { up, reader } = await canonical(app)
  // a protocol that nobody speaks: closed 4400
  await up([{ type: 'hello', protocol: 99, client: 'c', lead: 1, acked: 0 }])
  while (!(await reader.read()).done);
  const late = await up([{ type: 'ping' }])
  expect(await late.json()).toMatchObject({ error: { code: 'UNKNOWN_SESSION' } })
})

test('[S8] an event stream of a closed engine is refused with 503', async () => {
  const app = await startApp()
  await app.engine.close()
  const answer = await app.engine.routes().fetch(new Request('http://localhost/api/sync/events'))
  expect(answer?.status).toBe(503)
  expect(await answer?.json()).toMatchObject({ error: { code: 'CLOSED' } })
  expect((await fetch(`${app.url}/api/sync/events`)).status).toBe(503)
})

/** The length of the first chunk of an answer that is sent in chunks. */
async function firstChunk(app: App, path: string): Promise<number> {
  const socket = connect(app.port, '127.0.0.1')
  later(() => socket.destroy())
  let text = ''
  socket.on('data', data => (text += data.toString('latin1')))
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n`)
  const length = await until('a chunk', () => /\r\n\r\n([0-9a-f]+)\r\n/.exec(text)?.[1])
  expect(text.toLowerCase()).toContain('content-encoding: gzip')
  return Number.parseInt(length, 16)
}

describe('answers', () => {
  const many =
    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500) INSERT INTO users SELECT i, hex(randomblob(1000)), NULL FROM n'

  test('large ones are compressed in pieces, small ones at once', async () => {
    const app = await startApp()
    const { version } = await pull(app.url, 'users')
    app.db.exec("INSERT INTO users VALUES (0, 'first', NULL)")
    app.db.exec(many)
    const path = `/api/sync/users?since=${Math.max(1, version)}`
    const piece = 64 * 1024
    expect(await firstChunk(app, path)).toBeLessThanOrEqual(piece)
    // that is what one in one piece looks like
    expect(await firstChunk(app, `${path}&limit=100`)).toBeGreaterThan(piece)
    const headers = { 'accept-encoding': 'gzip' }
    const whole = (await (await fetch(app.url + path, { headers })).json()) as { changes: object[] }
    expect(whole.changes.length).toBeGreaterThanOrEqual(500)
    const request = new Request(`http://localhost${path}`, { headers })
    const reader = (await app.engine.routes().fetch(request))?.body?.getReader()
    let chunks = 0
    while (reader !== undefined && !(await reader.read()).done) chunks++
    expect(chunks).toBeGreaterThan(1)
  })

  test('a limit that is no integer is cut', async () => {
    const app = await startApp()
    app.db.exec("INSERT INTO users VALUES (1, 'a', NULL)")
    const { version } = await pull(app.url, 'users')
    for (const id of [2, 3, 4]) app.db.exec(`INSERT INTO users VALUES (${id}, 'a', NULL)`)
    // rows, once folded, are cut by SQLite, which takes no other limit
    await app.engine.cleanup(7)
    for (const [limit, count] of [
      ['2.5', 2],
      ['0.5', 1],
    ] as const) {
      const answer = await fetch(`${app.url}/api/sync/users?since=${version}&limit=${limit}`)
      expect(answer.status).toBe(200)
      expect(((await answer.json()) as { changes: object[] }).changes).toHaveLength(count)
    }
  })
})
