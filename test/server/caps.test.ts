// How many connections there may be, for how long without a reason, and how many bytes may wait.
import { afterEach, describe, expect, test } from 'vitest'
import { nodeEnv } from 'syncline'
import { WebSocket as BareSocket } from 'ws'
import { cleanUp, later, startApp, until } from './support/app.ts'
import { connect, engineOver, world } from './support/engine.ts'
import { ada, guarded, socket, welcomed } from './support/guarded.ts'
import { isType, openLine, openStream, pull, subscribed } from './support/wire.ts'

afterEach(cleanUp)

describe('[G3]', () => {
  /** The status with which an upgrade is refused; 101 where it is not. */
  function upgraded(url: string): Promise<{ status: number | undefined; wait: string | undefined }> {
    return new Promise(resolve => {
      const made = new BareSocket(`${url.replace('http', 'ws')}/api/sync/ws`)
      later(() => made.terminate())
      made.on('error', () => {})
      made.on('open', () => resolve({ status: 101, wait: undefined }))
      made.on('unexpected-response', (_request, { statusCode, headers }) =>
        resolve({ status: statusCode, wait: headers['retry-after'] }),
      )
    })
  }

  test('K72 too many of an address, or in all, are refused before the 101, and streams with the same words', async () => {
    const { url, engine } = await startApp({ limits: { maxConnectionsPerAddress: 2 } })
    const [line] = [await openLine(url), await openLine(url)]
    expect(await upgraded(url)).toEqual({ status: 429, wait: '10' })
    const stream = await fetch(`${url}/api/sync/events`)
    expect([stream.status, await stream.json()]).toMatchObject([429, { error: { code: 'RATE_LIMITED' } }])
    line?.close()
    await until('its place', async () => (await engine.stats()).connections === 1)
    expect(await upgraded(url)).toMatchObject({ status: 101 })
    const full = await startApp({ limits: { maxConnections: 1 } })
    await openLine(full.url)
    expect(await upgraded(full.url)).toEqual({ status: 503, wait: '10' })
  })

  test('those who wait to be let in count too', async () => {
    let answer = (): void => {}
    const asked = new Promise<void>(resolve => (answer = resolve))
    const { url } = await startApp({
      limits: { maxConnections: 1 },
      async authenticate() {
        await asked
        return { id: 'ada' }
      },
    })
    const first = upgraded(url)
    // both are on their way; whichever arrives first has the place
    const second = upgraded(url)
    expect(await Promise.race([first, second])).toMatchObject({ status: 503 })
    answer()
    expect(new Set([(await first).status, (await second).status])).toEqual(new Set([101, 503]))
  })

  test('too many of a user are closed 1013 with a pause, and others are not', async () => {
    const app = await guarded({ limits: { maxConnectionsPerUser: 2 } })
    await welcomed(app, ada)
    await welcomed(app, ada)
    const turned = await socket(app, ada).closed
    expect(turned).toMatchObject({ code: 1013, reason: 'retry_after_ms=10000' })
    await welcomed(app, { cookie: 'sid=bob' })
  })
})

test('[G4] a connection that asks for nothing is closed 4408 in time, however often it pings', async () => {
  const { env, pass, beat } = world()
  const { url, engine } = await startApp({ env, limits: { helloTimeout: 8_000 } })
  const idle = await openLine(url)
  const busy = await subscribed(url, ['users'])
  const pushing = await openLine(url)
  pushing.send({ type: 'push', entity: 'users', id: 1, action: 'create', data: { name: 'x' } })
  await pushing.next(isType('push_ack'))
  const bare = await openStream(`${url}/api/sync/events`)
  const canonical = await openStream(`${url}/api/sync/events?stream=canonical`)
  for (let i = 0; i < 2; i++) {
    idle.send({ type: 'ping' })
    await idle.next(isType('pong'))
    pass(5_000)
    beat()
  }
  expect((await idle.closed).code).toBe(4408)
  await until('its end', () =>
    canonical.frames.some(
      frame => (frame.type === 'close' && frame.code === '4408') || Number(frame.code) === 4408,
    ),
  )
  expect((await engine.stats()).connections).toBe(3)
  for (const line of [busy, pushing]) {
    line.send({ type: 'ping' })
    await line.next(isType('pong'))
  }
  expect(bare.frames.filter(isType('close'))).toEqual([])
})

test('[G5] beyond the budget of the process the slow wait for the log, and the others go on', async () => {
  const { db, engine } = await engineOver(() => ({}), nodeEnv(), { maxBufferedTotal: 150_000 })
  const [slowest, slower, quick] = [connect(engine), connect(engine), connect(engine)]
  for (const client of [slowest, slower, quick]) {
    await client.hello()
    client.subscribe('users')
    await client.got('a batch', ({ to }) => to !== undefined)
  }
  const heard = (client: typeof quick, name: string): boolean => JSON.stringify(client.frames).includes(name)
  // below the budget: it is written to, slow as it is
  slowest.wire.buffered = 100_000
  db.exec("INSERT INTO users VALUES (1, 'one', NULL)")
  await until('the first', () => [slowest, slower, quick].every(client => heard(client, 'one')))
  slower.wire.buffered = 60_000
  db.exec("INSERT INTO users VALUES (2, 'two', NULL)")
  await until('the second', () => heard(quick, 'two') && heard(slower, 'two'))
  db.exec("INSERT INTO users VALUES (3, 'three', NULL)")
  await until('the third', () => heard(quick, 'three') && heard(slower, 'three'))
  expect((await engine.stats()).buffered).toBe(160_000)
  expect(heard(slowest, 'three')).toBe(false)
  const refused = await post0(engine)
  expect([refused?.status, await refused?.json()]).toMatchObject([503, { error: { code: 'OVERLOADED' } }])
  slowest.wire.buffered = 0
  slowest.connection.drained()
  await until('all of it', () => heard(slowest, 'two') && heard(slowest, 'three'))
  expect((await engine.stats()).buffered).toBe(60_000)
  slower.connection.closed()
  expect((await engine.stats()).buffered).toBe(0)
})

function post0(engine: Awaited<ReturnType<typeof engineOver>>['engine']): Promise<Response | undefined> {
  const headers = { 'content-type': 'application/json' }
  return engine
    .routes()
    .fetch(
      new Request('http://localhost/api/sync/users', { method: 'POST', headers, body: '{"changes":[]}' }),
    )
}

test('[G6] X53 a message in too many pieces, and one that inflates beyond the limit, end the connection', async () => {
  const { url } = await startApp({ limits: { maxPayload: 64 * 1024, maxFragments: 16 } })
  const open = async (): Promise<{ ws: BareSocket; code: Promise<number> }> => {
    const ws = new BareSocket(`${url.replace('http', 'ws')}/api/sync/ws`, {
      perMessageDeflate: { threshold: 0 },
    })
    later(() => ws.terminate())
    ws.on('error', () => {})
    const code = new Promise<number>(resolve => ws.on('close', resolve))
    await new Promise(resolve => ws.once('open', resolve))
    return { ws, code }
  }
  const pieces = await open()
  for (let i = 0; i < 40; i++) pieces.ws.send('x', { fin: false, compress: false })
  expect(await pieces.code).toBe(1008)
  const bomb = await open()
  // 64 MB of nothing are 64 kB on the wire
  bomb.ws.send(Buffer.alloc(64 * 1024 * 1024), { compress: true, binary: false })
  expect(await bomb.code).toBe(1009)
  expect(await pull(url, 'users')).toMatchObject({ changes: [] })
})
