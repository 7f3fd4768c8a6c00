// The differential dialect by hand: a plain WebSocket, without our client.
import { afterEach, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import { cleanUp, startApp } from './support/app.ts'
import type { App } from './support/app.ts'
import { isType, openLine } from './support/wire.ts'
import type { Line } from './support/wire.ts'

afterEach(cleanUp)

const schema = `
  CREATE TABLE users (id TEXT PRIMARY KEY, status TEXT, name TEXT);
  CREATE TABLE orders (id TEXT PRIMARY KEY, status TEXT, price INTEGER, twice AS (price * 2));
`
const entities = ['users', 'orders']

interface Clock {
  readonly versions: Record<string, number>
  readonly lamportCounter: number
  readonly nodeId: string
}

interface Answer {
  readonly deltas: {
    readonly entityId: string
    readonly changes: readonly { readonly field: string; readonly newValue: unknown }[]
    readonly vectorClock: Clock
  }[]
  readonly currentVectorClock: Clock
  readonly hasMore?: boolean
  readonly reset?: boolean
}

async function ask(line: Line, entityType: string, clock?: object, more: object = {}): Promise<Answer[]> {
  const syncId = `${entityType}-1-0.5`
  const data = { clientId: 'c1', entityType, ...(clock && { lastKnownVectorClock: clock }), ...more }
  line.send({ type: 'sync:request', syncId, data })
  const answers: Answer[] = []
  do {
    const frame = await line.next(one => one['syncId'] === syncId, 'an answer')
    if (frame.type !== 'sync:response') throw new Error(JSON.stringify(frame))
    answers.push(frame['data'] as Answer)
  } while (answers.at(-1)?.hasMore === true)
  return answers
}

async function begin(more: Parameters<typeof startApp>[0] = {}): Promise<{ app: App; line: Line }> {
  const app = await startApp({ schema, entities, ...more })
  return { app, line: await openLine(app.url) }
}

test('[W1] T-D08 (a) a response has every key and type of the document', async () => {
  const { app, line } = await begin()
  app.db.exec("INSERT INTO users VALUES ('user-123', 'inactive', 'Ada')")
  const [first] = await ask(line, 'users')
  app.db.exec("UPDATE users SET status = 'active'")
  line.send({
    type: 'sync:request',
    syncId: 'users-1234567890-0.123',
    data: {
      clientId: 'admin-dashboard-123',
      entityType: 'users',
      lastKnownVectorClock: first?.currentVectorClock,
      clientLamportClock: { counter: 1, nodeId: 'n', timestamp: 1 },
    },
  })
  const answer = await line.next(frame => frame['syncId'] === 'users-1234567890-0.123')
  const clock = {
    clientId: expect.any(String),
    versions: expect.any(Object),
    timestamp: expect.any(Number),
    lamportCounter: expect.any(Number),
    nodeId: expect.any(String),
  }
  expect(answer).toEqual({
    type: 'sync:response',
    syncId: 'users-1234567890-0.123',
    data: {
      clientId: 'admin-dashboard-123',
      entityType: 'users',
      deltas: [
        {
          entityType: 'users',
          entityId: 'user-123',
          changes: [
            {
              field: 'status',
              oldValue: null,
              newValue: 'active',
              changeType: 'update',
              timestamp: expect.any(Number),
            },
          ],
          vectorClock: clock,
          timestamp: expect.any(Number),
        },
      ],
      currentVectorClock: { ...clock, cursor: expect.any(Object) },
      serverLamportClock: {
        counter: expect.any(Number),
        nodeId: expect.any(String),
        timestamp: expect.any(Number),
      },
      qualityMetrics: { qualityScore: 100, latency: 0, packetLoss: 0, jitter: 0, connectionStability: 1 },
      timestamp: expect.any(Number),
    },
  })
  const [delta] = (answer['data'] as Answer).deltas
  for (const version of Object.values(delta?.vectorClock.versions ?? {}))
    expect(version).toBe(delta?.vectorClock.lamportCounter)
  expect(Object.keys(delta?.vectorClock.versions ?? {})).toContain('user-123')
})

test('[W2] a clock that names no cursor is continued by its versions; one of another log begins anew', async () => {
  const { app, line } = await begin()
  app.db.exec("INSERT INTO users VALUES ('a', 'x', 'A'), ('b', 'x', 'B')")
  const [whole] = await ask(line, 'users')
  app.db.exec("UPDATE users SET name = 'C' WHERE id = 'b'")
  const { nodeId, lamportCounter, versions } = whole?.currentVectorClock ?? { nodeId: '', lamportCounter: 0 }
  const plain = { clientId: 'me', nodeId: 'me-1', versions, lamportCounter: 0, timestamp: 0 }
  const [since] = await ask(line, 'users', plain)
  expect(since).toMatchObject({ deltas: [{ entityId: 'b', changes: [{ field: 'name', newValue: 'C' }] }] })
  expect(since?.reset).toBe(undefined)
  const [same] = await ask(line, 'users', { clientId: 'me', nodeId, lamportCounter, versions: {} })
  expect(same?.deltas.map(({ entityId }) => entityId)).toEqual(['b'])
  const far = { clientId: 'me', nodeId, lamportCounter: lamportCounter + 1000, versions: {} }
  const anew = await ask(line, 'users', far)
  expect(anew[0]).toMatchObject({ reset: true, deltas: [{ entityId: 'a' }, { entityId: 'b' }] })
  // nothing was written since the table is followed: that is a place too, above which rows may go
  const { app: young, line: first } = await begin()
  const [, begun] = await ask(first, 'users')
  young.db.exec("INSERT INTO users VALUES ('gone', 'x', 'X'); DELETE FROM users")
  const [above] = await ask(first, 'users', begun?.currentVectorClock)
  expect(begun?.currentVectorClock.lamportCounter).toBe(0)
  expect(above?.deltas).toMatchObject([{ entityId: 'gone', changes: [{ changeType: 'delete' }] }])
  const cursor = { epoch: nodeId, seq: lamportCounter, check: 12_345 }
  const restored = await ask(line, 'users', { clientId: 'me', nodeId, versions: {}, cursor })
  expect(restored[0]?.reset).toBe(true)
  const other = await ask(line, 'users', { clientId: 'me', nodeId: 'other', lamportCounter: 3, versions: {} })
  expect(other.flatMap(({ deltas }) => deltas).map(({ entityId }) => entityId)).toEqual(['a', 'b'])
})

test('[W1] [W3] subscribed, each change comes as the fields that were written', async () => {
  const { app, line } = await begin()
  line.send({ type: 'sync:subscribe', data: { entityTypes: ['users', 'orders'] } })
  expect(await line.next(isType('subscription:confirmed'))).toMatchObject({
    entityTypes: ['users', 'orders'],
  })
  const delta = async (): Promise<unknown> => (await line.next(isType('sync:delta')))['data']
  app.db.exec("INSERT INTO orders VALUES ('o', 'new', 5)")
  expect(await delta()).toMatchObject({
    entityType: 'orders',
    entityId: 'o',
    changes: [
      { field: 'id', newValue: 'o', changeType: 'create' },
      { field: 'status', newValue: 'new' },
      { field: 'price', newValue: 5 },
      { field: 'twice', newValue: 10 },
    ],
  })
  app.db.exec('UPDATE orders SET price = 7')
  const changes = (fields: object): object => ({ entityId: 'o', changes: fields })
  expect(await delta()).toMatchObject(
    changes([
      { field: 'price', oldValue: null, newValue: 7, changeType: 'update' },
      { field: 'twice', newValue: 14 },
    ]),
  )
  app.db.exec("BEGIN; UPDATE orders SET price = 8; UPDATE orders SET status = 'paid'; COMMIT")
  expect(await delta()).toMatchObject(
    changes([{ field: 'status', newValue: 'paid' }, { field: 'price' }, { field: 'twice' }]),
  )
  app.db.exec('DELETE FROM orders')
  expect(await delta()).toMatchObject(changes([{ field: 'id', oldValue: 'o', changeType: 'delete' }]))
  line.send({ type: 'sync:unsubscribe', entityTypes: ['orders'] })
  await line.next(isType('unsubscription:confirmed'))
  app.db.exec("INSERT INTO orders (id) VALUES ('p'); INSERT INTO users (id) VALUES ('u')")
  expect(await delta()).toMatchObject({ entityType: 'users', entityId: 'u' })
})

test('[W3] [L9] T-P08 one field of a row of fifty is less than a tenth of the row', async () => {
  const columns = Array.from({ length: 50 }, (_, i) => `c${i} TEXT`)
  const { app, line } = await begin({
    schema: `CREATE TABLE wide (id TEXT PRIMARY KEY, ${columns.join(', ')})`,
    entities: ['wide'],
  })
  const values = columns.map((_, i) => `'${String(i).repeat(100).slice(0, 100)}'`)
  app.db.exec(`INSERT INTO wide VALUES ('w', ${values.join(', ')})`)
  line.send({ type: 'sync:subscribe', entityType: 'wide' })
  await line.next(isType('subscription:confirmed'))
  app.db.exec(`UPDATE wide SET c7 = '${'z'.repeat(100)}'`)
  const frame = await line.next(isType('sync:delta'))
  const row = app.db.prepare('SELECT * FROM wide').get()
  expect(JSON.stringify(frame).length).toBeLessThan(JSON.stringify(row).length / 10)
})

test('[W4] pushed deltas are stored like any write, and answered each', async () => {
  const { app, line } = await begin()
  app.db.exec("INSERT INTO users VALUES ('a', 'x', 'A')")
  const delta = (fields: object, more: object = {}): object => ({
    entityType: 'users',
    entityId: 'a',
    changes: Object.entries(fields).map(([field, newValue]) => ({ field, newValue, changeType: 'update' })),
    ...more,
  })
  line.send({ type: 'sync:delta', data: delta({ status: 'y' }, { mutationId: 'm1' }) })
  expect(await line.next(isType('sync:ack'))).toMatchObject({
    entityType: 'users',
    entityId: 'a',
    status: 'applied',
    mutationId: 'm1',
  })
  const [answer] = await ask(line, 'users', undefined, { deltas: [delta({ nope: 1 }), delta({ name: 'B' })] })
  expect((await line.next(isType('sync:ack')))['error']).toMatchObject({ code: 'UNKNOWN_FIELD' })
  expect(await line.next(isType('sync:ack'))).toMatchObject({ status: 'applied' })
  expect(answer?.deltas).toMatchObject([
    { changes: [{ newValue: 'a' }, { newValue: 'y' }, { newValue: 'B' }] },
  ])
  line.send({ type: 'sync:delta', data: { ...delta({ status: 'old' }), timestamp: 1 } })
  expect(await line.next(isType('sync:ack'))).toMatchObject({ status: 'conflict' })
  const gone = [{ field: 'id', newValue: null, changeType: 'delete' }]
  line.send({ type: 'sync:delta', data: { entityType: 'users', entityId: 'a', changes: gone } })
  expect(await line.next(isType('sync:ack'))).toMatchObject({ status: 'applied' })
  expect(app.db.prepare('SELECT * FROM users').all()).toEqual([])
})

test('[W5] what cannot be answered is said in the dialect, and the connection goes on', async () => {
  const { line } = await begin()
  line.send({ type: 'sync:request', syncId: 's1', data: { clientId: 'c', entityType: 'nope' } })
  expect(await line.next(isType('sync:error'))).toMatchObject({
    syncId: 's1',
    code: 'UNKNOWN_ENTITY',
    message: expect.any(String),
  })
  line.send({ type: 'sync:request', syncId: 's2', data: 7 })
  expect(await line.next(isType('sync:error'))).toMatchObject({ syncId: 's2', code: 'INVALID_MESSAGE' })
  line.send({ type: 'sync:delta', data: {} })
  expect(await line.next(isType('sync:error'))).toMatchObject({ code: 'INVALID_MESSAGE', re: 'sync:delta' })
  line.send({ type: 'sync:nonsense' })
  expect(await line.next(isType('error'))).toMatchObject({ code: 'UNKNOWN_TYPE' })
  line.send({ type: 'sync:ping' })
  expect(await line.next(isType('sync:pong'))).toEqual({ type: 'sync:pong', timestamp: expect.any(Number) })
  line.send({ type: 'subscribe', entities: ['users'] })
  await line.next(isType('subscribed'))
  line.send({ type: 'sync:subscribe', entityType: 'users' })
  expect(await line.next(isType('sync:error'))).toMatchObject({ code: 'INVALID_MESSAGE' })
})

test('[W1] [V1, V2] what may not be seen is not in any delta, and a row that leaves the view is gone', async () => {
  const users = defineEntity({
    name: 'users',
    access: { read: () => ({ status: 'shown' }), columns: () => ['id', 'status'] },
    by: ['status'],
  })
  const { app, line } = await begin({ entities: [users] })
  app.db.exec("INSERT INTO users VALUES ('a', 'shown', 'secret'), ('b', 'hidden', 'secret')")
  const [whole] = await ask(line, 'users')
  expect(whole?.deltas).toMatchObject([{ entityId: 'a', changes: [{ field: 'id' }, { field: 'status' }] }])
  line.send({ type: 'sync:subscribe', entityType: 'users' })
  await line.next(isType('subscription:confirmed'))
  app.db.exec("UPDATE users SET name = 'secret too'")
  app.db.exec("UPDATE users SET status = 'shown' WHERE id = 'b'")
  expect((await line.next(isType('sync:delta')))['data']).toMatchObject({
    entityId: 'b',
    changes: [
      { field: 'id', changeType: 'create' },
      { field: 'status', newValue: 'shown' },
    ],
  })
  app.db.exec("UPDATE users SET status = 'hidden' WHERE id = 'a'")
  expect((await line.next(isType('sync:delta')))['data']).toMatchObject({
    entityId: 'a',
    changes: [{ field: 'id', changeType: 'delete' }],
  })
  const [since] = await ask(line, 'users', whole?.currentVectorClock)
  expect(since?.deltas).toHaveLength(2)
  line.send({
    type: 'sync:delta',
    data: { entityType: 'users', entityId: 'b', changes: [{ field: 'name' }] },
  })
  expect((await line.next(isType('sync:ack')))['error']).toMatchObject({ code: 'FORBIDDEN' })
  expect(JSON.stringify(line.frames)).not.toContain('secret')
})

test('[W3] a large table comes in pages, whole, and what a follower missed comes as if it were live', async () => {
  const { app, line } = await begin()
  const fill = (from: number, to: number): void =>
    void app.db.exec(
      `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to})
       INSERT INTO users SELECT 'u' || i, 'x', 'name ' || i FROM n`,
    )
  fill(1, 3000)
  const pages = await ask(line, 'users')
  expect(pages.length).toBeGreaterThan(2)
  const ids = new Set(pages.flatMap(({ deltas }) => deltas.map(({ entityId }) => entityId)))
  expect(ids.size).toBe(3000)
  line.send({ type: 'sync:subscribe', entityType: 'users' })
  await line.next(isType('subscription:confirmed'))
  // more than the live window holds
  fill(3001, 15_000)
  await line.next(
    frame => frame.type === 'sync:delta' && (frame['data'] as { entityId: string }).entityId === 'u15000',
  )
  const live = line.frames
    .filter(isType('sync:delta'))
    .map(({ data }) => (data as { entityId: string }).entityId)
  expect(new Set(live).size).toBe(12_000)
})
