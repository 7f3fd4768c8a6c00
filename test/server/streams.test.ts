import { afterEach, expect, test } from 'vitest'
import { WebSocket as BareSocket } from 'ws'
import { openSession } from './support/session.ts'
import { cleanUp, rowsOf, startApp, until } from './support/app.ts'
import { changesIn, isType, openLine, openStream, pull, subscribed } from './support/wire.ts'

afterEach(cleanUp)

test('T-S07 a write reaches an event stream as data with an id line', async () => {
  const { db, url } = await startApp()
  const stream = await openStream(`${url}/api/sync/events`)
  expect(stream.response.headers.get('content-type')).toContain('text/event-stream')
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  const change = await until('the change', () => changesIn(stream.frames)[0])
  expect(change).toMatchObject({
    entity: 'users',
    id: 1,
    action: 'create',
    data: { id: 1, name: 'Ann', email: null },
  })
  expect(stream.ids).toEqual([String(change.version)])
})

test('[C1, S3] T-S08 T-S26 three streams and three sockets each get one write once', async () => {
  const { db, url } = await startApp()
  const streams = await Promise.all([1, 2, 3].map(() => openStream(`${url}/api/sync/events`)))
  const sockets = await Promise.all([1, 2, 3].map(() => subscribed(url, ['users'])))
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  db.exec("INSERT INTO users VALUES (2, 'last', NULL)")
  const seen = [...streams, ...sockets]
  for (const one of seen) await until('both writes', () => changesIn(one.frames).length >= 2)
  const texts = seen.map(one => JSON.stringify(changesIn(one.frames)))
  expect(new Set(texts).size).toBe(1)
  expect(changesIn(sockets[0]?.frames ?? []).map(change => change.id)).toEqual([1, 2])
  expect(rowsOf(db, 'SELECT count(*) AS n FROM _syncline_tail')).toEqual([{ n: 2 }])
})

test('T-S10 a subscription brings its entities only', async () => {
  const { db, url } = await startApp()
  const line = await openLine(url)
  line.send('{"type":"subscribe","entities":["users","posts"]}')
  const answer = await line.next(isType('subscribed'))
  expect(answer).toMatchObject({ entities: ['users', 'posts'], version: 0 })
  db.exec(
    "INSERT INTO comments VALUES (1, 'unheard'); INSERT INTO posts VALUES (1, 1, 'p'); INSERT INTO users VALUES (1, 'u', NULL)",
  )
  await line.next(frame => frame.change?.entity === 'users')
  expect(line.changes().map(change => change.entity)).toEqual(['posts', 'users'])
})

test('T-S11 K77 sync answers the versions after since in order, then sync_complete; batch answers in one frame', async () => {
  const { db, url } = await startApp()
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<45) INSERT INTO users SELECT i, 'u'||i, NULL FROM n",
  )
  const line = await openLine(url)
  line.send('{"type":"sync","entity":"users","since":42}')
  const done = await line.next(isType('sync_complete'))
  expect(done).toMatchObject({ entity: 'users', version: 45 })
  expect(line.changes().map(change => change.version)).toEqual([43, 44, 45])
  expect(line.frames.at(-1)).toBe(done)
  line.send('{"type":"sync","entity":"users","since":42,"batch":true}')
  const batch = await line.next(isType('changes'))
  expect(batch).toMatchObject({ entity: 'users', version: 45, has_more: false })
  expect(batch.changes?.map(change => change.version)).toEqual([43, 44, 45])
})

test('T-S12 a change frame says the same as the HTTP answer', async () => {
  const { db, url } = await startApp()
  const line = await subscribed(url, ['users'])
  db.exec("INSERT INTO users VALUES (1, 'Ann', 'a@x')")
  const { change } = await line.next(isType('change'))
  expect(Object.keys(change ?? {})).toEqual(
    expect.arrayContaining([
      'entity',
      'id',
      'entity_id',
      'action',
      'data',
      'version',
      'prev_version',
      'timestamp',
    ]),
  )
  // a first pull answers with the table, so its `action` is create as here
  expect((await pull(url, 'users')).changes[0]).toMatchObject({
    entity: 'users',
    id: 1,
    entity_id: '1',
    data: change?.data,
    version: change?.version,
  })
})

test('T-S13 a push is acknowledged with its version and reaches a second client', async () => {
  const { db, url } = await startApp()
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  const other = await subscribed(url, ['users'])
  const line = await openLine(url)
  line.send('{"type":"push","entity":"users","entity_id":"1","action":"update","data":{"name":"Bob"}}')
  const ack = await line.next(isType('push_ack'))
  expect(ack).toMatchObject({ entity: 'users', entity_id: '1', status: 'applied' })
  expect(ack.version).toBeGreaterThan(1)
  expect(rowsOf(db, 'SELECT name FROM users')).toEqual([{ name: 'Bob' }])
  const { change } = await other.next(isType('change'))
  expect(change?.version).toBe(ack.version)
})

test('K14 push_batch answers one push_ack per entry, in order', async () => {
  const { url } = await startApp()
  const line = await openLine(url)
  line.send({
    type: 'push_batch',
    pushes: [1, 2, 3].map(id => ({
      entity: 'users',
      entity_id: id,
      action: 'create',
      data: { name: `u${id}` },
    })),
  })
  const acks = [
    await line.next(isType('push_ack')),
    await line.next(isType('push_ack')),
    await line.next(isType('push_ack')),
  ]
  expect(acks.map(ack => ack.id)).toEqual([1, 2, 3])
})

test('[C1] X15 a write of a client is a change with its origin, a raw write has none', async () => {
  const { db, url } = await startApp()
  const line = await subscribed(url, ['users'])
  db.exec("INSERT INTO users VALUES (1, 'Ann', NULL)")
  expect((await line.next(isType('change'))).change?.client_id).toBeUndefined()
})

test('X16 an event stream resumes where Last-Event-ID says, also over what it missed', async () => {
  const { db, url } = await startApp()
  const first = await openStream(`${url}/api/sync/events?entities=users`)
  db.exec("INSERT INTO users VALUES (1, 'one', NULL)")
  await until('the first', () => first.ids.length === 1)
  first.close()
  db.exec(
    "INSERT INTO users VALUES (2, 'two', NULL); INSERT INTO posts VALUES (1, 1, 'p'); INSERT INTO users VALUES (3, 'three', NULL)",
  )
  const again = await openStream(`${url}/api/sync/events?entities=users`, {
    'last-event-id': first.ids[0] ?? '',
  })
  db.exec("INSERT INTO users VALUES (4, 'four', NULL)")
  await until('all three', () => changesIn(again.frames).length >= 3)
  expect(changesIn(again.frames).map(change => change.id)).toEqual([2, 3, 4])
})

test('X16 changes between sync and subscribe, and during either, are not lost', async () => {
  const { db, url } = await startApp()
  const line = await openLine(url)
  const seen = new Set<unknown>()
  let id = 0
  const write = (): void => db.exec(`INSERT INTO users VALUES (${++id}, 'x', NULL)`) as unknown as void
  for (let round = 0; round < 40; round++) {
    write()
    if (round % 8 === 3) line.send('{"type":"subscribe","entities":["users"]}')
    if (round % 8 === 5) line.send('{"type":"sync","entity":"users","since":0}')
    await new Promise(resolve => setImmediate(resolve))
  }
  line.send('{"type":"sync","entity":"users","since":0}')
  write()
  await until('every row', () => {
    for (const change of line.changes('users')) seen.add(change.id)
    return seen.size === id
  })
})

test('[C2] X14 T-S14 a transaction arrives as one burst, a rolled-back one never', async () => {
  const { db, url } = await startApp()
  const line = await subscribed(url, ['users', 'posts'])
  db.exec(
    "BEGIN; INSERT INTO users VALUES (1, 'ghost', NULL); INSERT INTO posts VALUES (1, 1, 'ghost'); ROLLBACK",
  )
  db.exec(
    "BEGIN; INSERT INTO users VALUES (2, 'a', NULL); SAVEPOINT s; INSERT INTO users VALUES (3, 'undone', NULL); ROLLBACK TO s; INSERT INTO posts VALUES (2, 2, 'b'); COMMIT",
  )
  await line.next(frame => frame.change?.entity === 'posts')
  expect(line.changes().map(change => [change.entity, change.id])).toEqual([
    ['users', 2],
    ['posts', 2],
  ])
})

test('[S5] T-S22 a large frame is deflated for who offered it, a small one is not', async () => {
  const { db, url } = await startApp()
  const socket = new BareSocket(`${url.replace('http', 'ws')}/api/sync/ws`, { perMessageDeflate: true })
  const texts: string[] = []
  socket.on('message', (data: Buffer) => texts.push(data.toString()))
  await new Promise(resolve => socket.once('open', resolve))
  socket.send('{"type":"subscribe","entities":["users"]}')
  await until('the answer', () => texts.length === 1)
  const tcp = (socket as unknown as { _socket: { bytesRead: number } })._socket
  const before = tcp.bytesRead
  db.prepare("INSERT INTO users VALUES (1, 'small', ?)").run('x'.repeat(60))
  await until('the small one', () => texts.length === 2)
  expect(tcp.bytesRead - before).toBeGreaterThanOrEqual(texts[1]?.length ?? 0)
  const between = tcp.bytesRead
  db.prepare('INSERT INTO users VALUES (2, ?, NULL)').run('lorem ipsum '.repeat(8000))
  await until('the large one', () => texts.length === 3)
  expect(texts[2]?.length).toBeGreaterThan(90_000)
  expect(tcp.bytesRead - between).toBeLessThan(48_000)
  socket.terminate()
})

test('[S6] unknown message types are answered; an unknown protocol version is closed 4400', async () => {
  const { url } = await startApp()
  const line = await openLine(url)
  line.send({ type: 'frobnicate' })
  expect(await line.next(isType('error'))).toMatchObject({ code: 'UNKNOWN_TYPE' })
  line.send({ type: 'ping' })
  expect((await line.next(isType('pong')))['server_time']).toBeGreaterThan(1.7e12)
  line.send({ type: 'hello', protocol: 99, client: 'c', lead: 1, acked: 0 })
  expect((await line.closed).code).toBe(4400)
})

test('[S13] T-P08 one field of a 50-column row costs a tenth of it, live and caught up; a small change stays under 1 KB', async () => {
  const columns = Array.from({ length: 49 }, (_, i) => `c${i} TEXT DEFAULT '${'w'.repeat(60)}'`).join(', ')
  const { db, url } = await startApp({
    schema: `CREATE TABLE wide (id INTEGER PRIMARY KEY, ${columns}); CREATE TABLE lines (id INTEGER PRIMARY KEY, who TEXT, line TEXT);`,
    entities: ['wide', 'lines'],
  })
  const line = await subscribed(url, ['wide', 'lines'])
  db.exec("INSERT INTO lines VALUES (1, 'Ann', 'hello everybody')")
  const frame = await line.next(isType('change'))
  expect(JSON.stringify(frame).length).toBeLessThan(1024)
  db.exec('INSERT INTO wide(id) VALUES (1)')
  const live = await openSession(url)
  const { to } = await live.load('wide')
  db.exec("UPDATE wide SET c7 = 'new' WHERE id = 1")
  const change = await live.next(isType('batch'))
  const { wide } = live.welcome['entities'] as { wide: { hash: string } }
  const back = await (await openSession(url)).load('wide', to, wide.hash)
  const row = JSON.stringify(Object.values(db.prepare('SELECT * FROM wide').get() ?? {})).length
  for (const batch of [change, ...back.frames]) {
    expect(batch['sets']).toMatchObject([
      { entity: 'wide', rows: [], patches: [['1', expect.any(Number), { c7: 'new' }]] },
    ])
    expect(JSON.stringify(batch).length).toBeLessThan(row / 10)
  }
})
