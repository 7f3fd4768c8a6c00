// `DifferentialSyncClient` against a real server that comes, goes and does not answer: connecting, ladders, figures. The
// client's clock is the test's; its sockets are real.
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { DifferentialSyncClient } from 'syncline/differential'
import { cleanUp, later, startApp, until } from './support/app.ts'
import { connected, rig, startAgain, startTables, tables, testTime } from './support/differential.ts'
import type { Rig, TestTime } from './support/differential.ts'
import { runModule } from './support/process.ts'

afterEach(cleanUp)

/** Takes connections and never says a word. */
async function silentServer(): Promise<{ url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  later(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets }
}

const closedPort = 'ws://127.0.0.1:9'

/** The next attempt is made when it was said to be, and fails. */
async function fails(it: Rig, time: TestTime, sockets: number): Promise<void> {
  await time.pass(it.of('reconnect:scheduled').at(-1)?.delay ?? 0)
  await until('the failed attempt', () => it.sockets.length === sockets && it.of('error').length >= sockets)
}

test('[W9] T-D11 a lost server is tried again after at most what is documented, and not all at once', async () => {
  const app = await startTables()
  const times = [testTime(), testTime()] as const
  times[1].chance = 0.9
  const clients = await Promise.all(times.map(({ env }) => connected(app.url, { env })))
  await app.stop()
  await until('both to notice', () => clients.every(({ of }) => of('reconnect:scheduled').length === 1))
  const delays = clients.map(({ of }) => of('reconnect:scheduled')[0]?.delay ?? 0)
  expect(clients.map(({ of }) => of('reconnect:scheduled')[0]?.attempt)).toEqual([1, 1])
  expect(delays).toEqual([1000, 550])
  expect(clients.map(({ of }) => [of('disconnected').length, of('error')[0]?.code])).toEqual([
    [1, 'CONNECTION_LOST'],
    [1, 'CONNECTION_LOST'],
  ])
  for (const [i, it] of clients.entries()) {
    const time = times[i] ?? testTime()
    await time.pass(it.of('reconnect:scheduled')[0]?.delay ?? 0)
    await until('the next attempt to fail', () => it.of('reconnect:scheduled').length === 2)
  }
  expect(clients.map(({ of }) => of('reconnect:scheduled')[1]?.delay)).toEqual([2000, 1100])
})

test('[W9] T-D12 after five attempts it has failed, once, and asks nobody until somebody connects', async () => {
  const time = testTime()
  const it = rig(closedPort, { env: time.env })
  await expect(it.client.connect()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  for (let attempt = 1; attempt <= 5; attempt++) {
    await fails(it, time, attempt + 1)
  }
  expect(it.of('reconnect:scheduled').map(({ attempt, delay }) => [attempt, delay])).toEqual([
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [4, 8000],
    [5, 16_000],
  ])
  expect(it.of('reconnect:failed')).toEqual([{ attempts: 5 }])
  await time.pass(3_600_000)
  expect(time.timers()).toEqual([])
  expect(it.sockets).toHaveLength(6)
  await expect(it.client.connect()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  expect(it.of('reconnect:scheduled').at(-1)).toMatchObject({ attempt: 1, delay: 1000 })
})

test('T-D13 without autoReconnect there is no attempt, and no talk of one', async () => {
  const app = await startTables()
  const time = testTime()
  const it = await connected(app.url, { env: time.env, autoReconnect: false })
  await app.stop()
  await until('the loss', () => it.of('disconnected').length === 1)
  await time.pass(3_600_000)
  expect(it.sockets).toHaveLength(1)
  expect(it.of('reconnect:scheduled')).toEqual([])
  expect(it.of('reconnect:failed')).toEqual([])
})

test('[W9] T-D14 a handshake that never ends is given up when the option says, told and rejected as one error', async () => {
  const { url } = await silentServer()
  for (const connectionTimeout of [300, undefined, 60_000]) {
    const time = testTime()
    const it = rig(url, { env: time.env, ...(connectionTimeout && { connectionTimeout }) })
    const ms = connectionTimeout ?? 10_000
    const outcome = it.client.connect().catch((error: unknown) => error)
    await time.pass(ms - 1)
    expect(it.of('error')).toEqual([])
    await time.pass(1)
    expect(await outcome).toMatchObject({ code: 'CONNECTION_TIMEOUT' })
    expect(it.of('error')).toHaveLength(1)
    expect(it.of('error')[0]).toBe(await outcome)
    expect(it.of('reconnect:scheduled')).toMatchObject([{ attempt: 1 }])
    await it.client.disconnect()
  }
})

test('[W9] T-D14 the time is for the welcome too, not for the socket alone', async () => {
  const app = await startTables()
  const time = testTime()
  const it = rig(app.url, { env: time.env, connectionTimeout: 300 }, text => text.includes('"hello"'))
  const outcome = it.client.connect().catch((error: unknown) => error)
  await until('hello', () => it.up.length === 1)
  await time.pass(299)
  expect(it.of('error')).toEqual([])
  await time.pass(1)
  expect(await outcome).toMatchObject({ code: 'CONNECTION_TIMEOUT' })
})

test('T-D27 the ladder is the options', async () => {
  const time = testTime()
  const it = rig(closedPort, { env: time.env, retryDelay: 50, maxRetries: 2 })
  await it.client.connect().catch(() => {})
  for (let sockets = 2; sockets <= 3; sockets++) {
    await fails(it, time, sockets)
  }
  expect(it.of('reconnect:scheduled').map(({ delay }) => delay)).toEqual([50, 100])
  expect(it.of('reconnect:failed')).toEqual([{ attempts: 2 }])
})

test('[W9] K64 a connection that comes back has its subscriptions, and what was written meanwhile goes', async () => {
  const app = await startTables()
  const time = testTime()
  const it = await connected(app.url, { env: time.env })
  await it.client.subscribe('users')
  await app.stop()
  await until('the loss', () => it.of('disconnected').length === 1)
  it.client.updateLocalState({ u: { name: 'offline' } }, 'users')
  expect(it.client.getSyncStatus()).toMatchObject({ isConnected: false, pendingChanges: 1 })
  const again = await startAgain(app)
  again.db.exec("INSERT INTO users (id) VALUES ('meanwhile')")
  await time.pass(it.of('reconnect:scheduled')[0]?.delay ?? 0)
  await until('the connection', () => it.of('connected').length === 2)
  await until('what happened meanwhile', () => it.client.getLocalState('users')['meanwhile'])
  await time.pass(0)
  await until('the edit', () => again.db.prepare("SELECT 1 FROM users WHERE id = 'u'").all().length === 1)
  expect(it.of('subscribed')).toHaveLength(1)
})

test('[W9] T-D10 a request that nobody answers is asked again, and leaves nothing behind', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id) VALUES ('u')")
  const time = testTime()
  let ignored = 0
  const it = await connected(app.url, { env: time.env }, text => text.includes('"users"') && ignored++ === 0)
  const deltas = it.client.requestSync('users')
  await until('the question', () => ignored === 1)
  await time.pass(10_000)
  await time.pass(1_000)
  expect(await deltas).toHaveLength(1)
  expect(ignored).toBe(2)
  // the heartbeat alone is left
  expect(time.timers()).toHaveLength(1)
  expect(it.of('error')).toEqual([])
})

test('[W9] K66 one that is never answered is given up after as many tries', async () => {
  const app = await startTables()
  const time = testTime()
  let asked = 0
  const it = await connected(app.url, { env: time.env, maxRetries: 2, syncTimeout: 500 }, text => {
    if (text.includes('"users"')) asked += 1
    return text.includes('"users"')
  })
  const outcome = it.client.requestSync('users').catch((error: unknown) => error)
  await until('the question', () => asked === 1)
  await time.pass(500 + 1000 + 500 + 2000 + 500)
  expect(await outcome).toMatchObject({ code: 'SYNC_TIMEOUT' })
  expect(asked).toBe(3)
  expect(it.of('error')).toMatchObject([{ code: 'SYNC_TIMEOUT' }])
  expect(time.timers()).toHaveLength(1)
})

/** A sync that takes so long on the client's clock. */
async function syncIn(it: Rig, time: TestTime, ms: number, held: { until: Promise<void> }): Promise<void> {
  let go = (): void => {}
  held.until = new Promise<void>(resolve => (go = resolve))
  const done = it.client.requestSync('users')
  const asked = it.of('sync:requested').length
  await until('the question', () => it.of('sync:requested').length > asked || it.up.length > 0)
  await time.pass(ms)
  go()
  await done
}

test('[W10] T-D18 T-D20 durations are those of the syncs, and the health goes by them', async () => {
  const app = await startTables()
  const time = testTime()
  const held = { until: Promise.resolve() }
  const webSocket = (address: string): WebSocket => {
    const socket = new WebSocket(address)
    const send = socket.send.bind(socket)
    Object.assign(socket, {
      send: (text: string) => void held.until.then(() => send(text)),
    })
    return socket
  }
  const it = await connected(app.url, { env: time.env, webSocket })
  expect(it.client.getHealthStatus()).toEqual({ status: 'healthy', recommendations: [] })
  for (const ms of [50, 150, 50, 150]) await syncIn(it, time, ms, held)
  expect(it.of('sync:performance').map(({ duration }) => duration)).toEqual([50, 150, 50, 150])
  expect(it.of('sync:performance').at(-1)).toMatchObject({ sub100msRate: 50, averageLatency: 100 })
  expect(it.client.getHealthStatus().status).toBe('degraded')
  it.client.resetMetrics()
  expect(it.client.getHealthStatus().status).toBe('healthy')
  await syncIn(it, time, 400, held)
  const slow = it.client.getHealthStatus()
  expect(slow.status).toBe('degraded')
  expect(slow.recommendations.join()).toMatch(/latency \(400 ms\)/)
  await app.stop()
  await until('the loss', () => it.of('disconnected').length === 1)
  const gone = it.client.getHealthStatus()
  expect(gone).toMatchObject({ status: 'unhealthy', recommendations: [expect.stringMatching(/connect/i)] })
})

test('[W10] T-D21 X73 quality comes from the heartbeat: none yet, some, some unanswered, none where nobody looks', async () => {
  const app = await startTables()
  const time = testTime()
  let visible = true
  const env = { ...time.env, visible: () => visible }
  let deaf = false
  const it = await connected(app.url, { env }, text => deaf && text.includes('"ping"'))
  expect(it.client.getConnectionStats()).toMatchObject({ qualityScore: 100, latency: 0, packetLoss: 0 })
  expect(it.of('quality:updated')).toEqual([])
  await time.pass(30_000)
  await until('a reading', () => it.of('quality:updated').length === 1)
  expect(it.of('quality:updated')).toEqual([
    { qualityScore: 100, latency: 0, packetLoss: 0, jitter: 0, connectionStability: 1 },
  ])
  visible = false
  const pongs = it.down.filter(text => text.includes('"pong"')).length
  await time.pass(30_000)
  await until('the pong', () => it.down.filter(text => text.includes('"pong"')).length > pongs)
  expect(it.of('quality:updated')).toHaveLength(1)
  visible = true
  deaf = true
  await time.pass(35_000)
  expect(it.of('quality:updated').at(-1)).toMatchObject({ packetLoss: 0.5, connectionStability: 0.5 })
  expect(it.of('disconnected')).toHaveLength(1)
})

test('T-D21 without qualityMonitoring nothing is told of it', async () => {
  const app = await startTables()
  const time = testTime()
  const it = await connected(app.url, { env: time.env, qualityMonitoring: false })
  await it.client.requestSync('users')
  app.db.exec("INSERT INTO users (id) VALUES ('u')")
  await it.client.requestSync('users')
  await time.pass(30_000)
  await until('a reading', () => it.down.some(text => text.includes('"pong"')))
  expect(it.of('quality:updated')).toEqual([])
})

test('[W9] T-D25 disconnect ends all that hangs on the connection, once, and connect begins again', async () => {
  const app = await startTables()
  const time = testTime()
  const it = await connected(app.url, { env: time.env })
  const managed: unknown[] = []
  let cleaned = 0
  it.client.addManagedEventListener('state:updated', detail => managed.push(detail))
  it.client.addCleanupCallback(() => (cleaned += 1))
  it.client.addCleanupCallback(() => {
    throw new Error('of the application')
  })
  const waiting = it.client.createDebouncedUpdate(1000)
  waiting({ late: { name: 'kept' } }, 'users')
  const pending = it.client.requestSync('users').catch((error: unknown) => error)
  await it.client.disconnect()
  expect(await pending).toMatchObject({ code: 'NOT_CONNECTED' })
  expect(it.of('disconnected')).toEqual([{ code: 1000, reason: '', intentional: true }])
  expect(cleaned).toBe(1)
  expect(it.of('error')).toMatchObject([
    { message: expect.stringContaining('of the application') },
    { code: 'NOT_CONNECTED' },
  ])
  expect(managed).toHaveLength(1)
  it.client.updateLocalState({ more: { name: 'also kept' } }, 'users')
  expect(managed).toHaveLength(1)
  expect(it.of('state:updated')).toHaveLength(2)
  await time.pass(0)
  await it.client.disconnect()
  expect([cleaned, it.of('disconnected').length]).toEqual([1, 1])
  expect(time.timers()).toEqual([])
  await it.client.connect()
  await time.pass(0)
  await until('what was written', () => app.db.prepare('SELECT * FROM users').all().length === 2)
})

test('[W9] T-D25 X72 a hundred connections later the process ends by itself, and the heap is as it was', async () => {
  const app = await startApp({ schema: tables, entities: ['users'] })
  const running = runModule(
    `
    import { DifferentialSyncClient } from 'syncline/differential'
    import { setFlagsFromString } from 'node:v8'
    import { runInNewContext } from 'node:vm'
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc')
    const heap = () => { gc(); gc(); return process.memoryUsage().heapUsed }
    const client = new DifferentialSyncClient({
      clientId: 'c', websocketUrl: process.argv[1], entityTypes: ['users'],
    })
    let cleaned = 0
    const cycle = async () => {
      client.addCleanupCallback(() => { cleaned += 1 })
      client.addManagedEventListener('state:updated', () => {})
      client.createDebouncedUpdate(60_000)({ name: 'x' }, 'users')
      await client.connect()
      await client.subscribe()
      await client.requestSync()
      await client.disconnect()
      await new Promise(resolve => setImmediate(resolve))
    }
    for (let i = 0; i < 20; i++) await cycle()
    const before = heap()
    for (let i = 0; i < 100; i++) await cycle()
    console.log(JSON.stringify({ cleaned, grown: heap() - before }))
    `,
    [app.url.replace('http', 'ws')],
  )
  expect(await running.ended, running.errors()).toBe(0)
  const { cleaned, grown } = JSON.parse(running.output()) as { cleaned: number; grown: number }
  expect(cleaned).toBe(120)
  expect(grown).toBeLessThan(1024 * 1024)
})

test('K65 an error that nobody listens to is said at debug, and throws nothing', async () => {
  const lines: string[] = []
  const time = testTime()
  const client = new DifferentialSyncClient({
    clientId: 'c',
    websocketUrl: closedPort,
    env: time.env,
    debug: line => void lines.push(line),
  })
  later(() => client.disconnect())
  await expect(client.connect()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  expect(lines.filter(line => line.includes('nobody listens'))).toHaveLength(1)
})
