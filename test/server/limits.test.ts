// How much may be asked and written, and how many are caught up at once, over real connections. The clock is the test's where something has to come of waiting.
import { afterEach, describe, expect, test } from 'vitest'
import { createClient } from 'syncline/client'
import { nodeEnv } from 'syncline'
import type { ServerLimits } from 'syncline'
import { cleanUp, later, rowsOf, startApp, until } from './support/app.ts'
import { connect, engineOver, gate, world } from './support/engine.ts'
import { ada, guarded, socket, welcomed } from './support/guarded.ts'
import { create, openSession } from './support/session.ts'
import { isType, openLine, post } from './support/wire.ts'

afterEach(cleanUp)

const slow = { perSecond: 10, burst: 5 }
const made = (from: number, to: number): object[] =>
  Array.from({ length: to - from + 1 }, (_, i) => create(from + i, 'users', from + i, { name: 'x' }))

describe('[G1] X43', () => {
  test('a frame too many is answered with its number and a time, held back with all behind it, and stored when it comes again', async () => {
    const { env, pass } = world()
    const app = await startApp({ env, limits: { dataRate: slow } })
    const session = await openSession(app.url)
    session.mutate(made(1, 8))
    await until('the first results', () => session.results().length === 8)
    session.mutate(made(9, 9))
    expect(await session.next(isType('error'))).toMatchObject({
      re: 'mutate',
      n: 9,
      code: 'RATE_LIMITED',
      retry_after_ms: 400,
    })
    pass(400)
    // there is something to take again, but 9 did not come
    session.mutate(made(10, 10))
    expect(await session.next(isType('error'))).toMatchObject({ re: 'mutate', n: 10, code: 'OVERLOADED' })
    // a heartbeat costs nothing
    for (let i = 0; i < 20; i++) session.send({ type: 'ping' })
    await until('all pongs', () => session.frames.filter(isType('pong')).length === 20)
    session.mutate(made(9, 10))
    await until('the others', () => session.results().length === 10)
    expect(session.results().map(({ n, status }) => [n, status])).toEqual(
      Array.from({ length: 10 }, (_, i) => [i + 1, 'applied']),
    )
  })

  test('mutations that wait together are stored together only as far as the rate goes', async () => {
    const { env } = world()
    const app = await startApp({ env, limits: { dataRate: slow } })
    const session = await openSession(app.url)
    for (let n = 1; n <= 20; n++) session.mutate(made(n, n))
    await until('an answer to each', () => {
      const refused = session.frames.filter(isType('error')).length
      return session.results().length + refused === 20
    })
    expect(session.results().map(({ n }) => n)).toEqual([1, 2, 3, 4, 5])
    expect(rowsOf(app.db, 'SELECT count(*) AS n FROM users')).toEqual([{ n: 5 }])
  })

  test('a client that writes 500 edits in one go obeys, and all are stored once, in order', async () => {
    const app = await startApp({ limits: { dataRate: { perSecond: 300, burst: 5 } } })
    const client = createClient({ url: `${app.url}/api/sync`, entities: ['users'], store: 'memory' })
    later(() => client.close())
    const said = new Set<string>()
    client.on('error', error => said.add(error.code))
    await client.ready
    const edits = []
    for (let i = 1; i <= 500; i++) {
      edits.push(client.create('users', { id: i, name: `edit ${i}` }).confirmed)
      // frames of a few, as if somebody typed very fast
      if (i % 5 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    const done = await Promise.all(edits)
    expect(new Set(done.map(({ status }) => status))).toEqual(new Set(['applied']))
    expect(said).toContain('RATE_LIMITED')
    const stored = rowsOf(app.db, 'SELECT id, name FROM users ORDER BY id')
    expect(stored).toEqual(Array.from({ length: 500 }, (_, i) => ({ id: i + 1, name: `edit ${i + 1}` })))
  }, 60_000)

  test('who asks too much is answered later and in order, a heartbeat at once', async () => {
    const { env, pass, due } = world()
    const { url } = await startApp({ env, limits: { controlRate: slow } })
    const line = await openLine(url)
    for (let i = 0; i < 7; i++) line.send({ type: 'sync', entity: 'users', since: 0 })
    line.send({ type: 'push', entity: 'users', id: 1, action: 'create', data: { name: 'x' } })
    line.send({ type: 'ping' })
    const seen = (type: string): number => line.frames.filter(isType(type)).length
    await line.next(isType('pong'))
    await until('five', () => seen('sync_complete') === 5)
    for (const n of [6, 7]) {
      expect([seen('push_ack'), seen('error')]).toEqual([0, 0])
      pass(100)
      await until('one more', () => {
        due()
        return seen('sync_complete') === n
      })
    }
    await until('what waited behind them', () => seen('push_ack') === 1)
  })

  test('a client that asks for more than it may has everything all the same', async () => {
    const app = await startApp({ limits: { controlRate: { perSecond: 20, burst: 1 } } })
    app.db.exec("INSERT INTO users VALUES (1, 'Ada', NULL)")
    const client = createClient({ url: `${app.url}/api/sync`, entities: ['users'], store: 'memory' })
    later(() => client.close())
    const said: string[] = []
    client.on('error', error => said.push(error.code))
    await until('the row', () => client.getAll('users').length === 1)
    for (let i = 0; i < 5; i++) await client.sync('users')
    expect(said).toEqual([])
  })

  test('a push too many of the bare protocol is refused by its name', async () => {
    const { env } = world()
    const { url } = await startApp({ env, limits: { dataRate: slow } })
    const line = await openLine(url)
    for (let id = 1; id <= 6; id++)
      line.send({ type: 'push', entity: 'users', id, action: 'create', data: { name: 'x' } })
    expect(await line.next(isType('error'))).toMatchObject({
      re: 'push',
      code: 'RATE_LIMITED',
      retry_after_ms: 100,
    })
  })

  test('a user has one more for all connections and requests: 429 with Retry-After, and hello waits', async () => {
    const { env, pass, due } = world()
    const app = await guarded({
      env,
      limits: { userControlRate: { perSecond: 1, burst: 2 }, userDataRate: { perSecond: 1, burst: 2 } },
    })
    const changes = [{ id: 1, action: 'create', data: { name: 'x' } }]
    await welcomed(app, ada)
    const first = await fetch(`${app.url}/api/sync/users`, { headers: ada })
    expect(first.status).toBe(200)
    const second = await fetch(`${app.url}/api/sync/users`, { headers: ada })
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1'])
    expect(await second.json()).toMatchObject({ error: { code: 'RATE_LIMITED', retry_after_ms: 1000 } })
    for (const status of [200, 200, 429])
      expect((await post(`${app.url}/api/sync/users`, { changes }, ada)).status).toBe(status)
    await welcomed(app, { cookie: 'sid=bob' })
    const waiting = socket(app, ada)
    await until('that it is let in', async () => (await app.engine.stats()).connections === 3)
    expect(waiting.frames).toEqual([])
    pass(1000)
    await until('a welcome', () => {
      due()
      return waiting.frames.length > 0
    })
  })
})

describe('[G2] X40', () => {
  /** An engine that reads the table `posts` only when it may. */
  async function held(limits: Partial<ServerLimits>) {
    const door = gate()
    let reading = 0
    const setup = await engineOver(
      inner => ({
        async snapshot(query) {
          if (query.entity === 'posts') {
            reading += 1
            await door.passed
          }
          return inner.snapshot(query)
        },
      }),
      nodeEnv(),
      limits,
    )
    return { ...setup, door, reading: () => reading }
  }

  test('so many are caught up at once, the others in order, and who is live hears everything meanwhile', async () => {
    const { db, engine, door, reading } = await held({ maxCatchUps: 3 })
    const live = connect(engine)
    await live.hello()
    live.subscribe('users')
    await live.got('a batch', ({ to }) => to !== undefined)
    const clients = Array.from({ length: 10 }, () => connect(engine))
    for (const client of clients) {
      await client.hello()
      client.subscribe('posts')
    }
    await until('three', () => reading() === 3)
    await until('the others', async () => (await engine.stats()).catchUps.waiting === 7)
    db.exec("INSERT INTO users VALUES (1, 'while they wait', NULL)")
    await live.got('the row', frame => JSON.stringify(frame).includes('while they wait'))
    // one that waits goes away, and its place in the queue with it
    clients[9]?.connection.closed()
    expect((await engine.stats()).catchUps).toEqual({ now: 3, waiting: 6, most: 3 })
    door.open()
    for (const client of clients.slice(0, 9)) await client.got('its batch', ({ to }) => to !== undefined)
    expect((await engine.stats()).catchUps).toEqual({ now: 0, waiting: 0, most: 3 })
  })

  test('who does not read holds no place: one alone would keep all others out', async () => {
    const { db, engine } = await engineOver(() => ({}), nodeEnv(), { maxCatchUps: 1 })
    db.exec(
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) INSERT INTO users(name) SELECT i FROM n',
    )
    const stalled = connect(engine)
    await stalled.hello()
    stalled.subscribe('users')
    stalled.wire.buffered = 2 ** 21
    await until('that it waits for room', async () => (await engine.stats()).catchUps.now === 0)
    const other = connect(engine)
    await other.hello()
    other.subscribe('users')
    await other.got('all of it', ({ to }) => to !== undefined)
    stalled.wire.buffered = 0
    stalled.connection.drained()
    await stalled.got('all of it', ({ to }) => to !== undefined)
    const rows = stalled.frames.filter(isType('batch')).flatMap(({ sets }) => sets as { rows: unknown[] }[])
    expect(rows.reduce((sum, set) => sum + set.rows.length, 0)).toBe(2000)
    expect((await engine.stats()).catchUps).toMatchObject({ now: 0, waiting: 0, most: 1 })
  })

  test('beyond the queue: 1013 and 503, both with a time to come back, and a client that comes', async () => {
    const { engine, door, reading } = await held({ maxCatchUps: 1, maxWaitingCatchUps: 1 })
    const [first, second, third] = [connect(engine), connect(engine), connect(engine)]
    for (const client of [first, second]) {
      await client.hello()
      client.subscribe('posts')
    }
    await until('one', async () => reading() === 1 && (await engine.stats()).catchUps.waiting === 1)
    await third.hello()
    third.subscribe('users')
    await until('the close', () => third.closed.length > 0)
    expect(third.closed[0]?.[0]).toBe(1013)
    expect(third.closed[0]?.[2]).toBeGreaterThanOrEqual(1000)
    const answer = await engine.routes().fetch(new Request('http://localhost/api/sync/users'))
    expect(answer?.status).toBe(503)
    expect(Number(answer?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(await answer?.json()).toMatchObject({ error: { code: 'OVERLOADED' } })
    door.open()
    await second.got('its batch', ({ to }) => to !== undefined)
    const later = await engine.routes().fetch(new Request('http://localhost/api/sync/users'))
    expect(later?.status).toBe(200)
  })
})
