// `DifferentialSyncClient` against a real server: state, syncs, events.
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, expect, test, vi } from 'vitest'
import DefaultClient, { DifferentialSyncClient, SyncError } from 'syncline/differential'
import { cleanUp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { connected, rig, settled, startTables, testTime } from './support/differential.ts'

afterEach(cleanUp)

/** Settled: nothing of this client waits for the server. */
const rows = (app: App, table: string): unknown[] =>
  app.db
    .prepare(`SELECT * FROM ${table} ORDER BY id`)
    .all()
    .map(row => ({ ...(row as object) }))

test('T-D01 default and named export are one; what is missing is said', () => {
  expect(DefaultClient).toBe(DifferentialSyncClient)
  // @ts-expect-error clientId is missing
  expect(() => new DifferentialSyncClient({ websocketUrl: 'ws://x' })).toThrow(/clientId/)
  // @ts-expect-error websocketUrl is missing
  expect(() => new DifferentialSyncClient({ clientId: 'c' })).toThrow(/websocketUrl/)
  const wrong = { clientId: 'c', websocketUrl: 'mailto:x' }
  expect(() => new DifferentialSyncClient(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  expect(() => new DifferentialSyncClient({ ...wrong, websocketUrl: 'ws://x', maxRetries: -1 })).toThrow(
    /maxRetries/,
  )
})

test('T-D02 the bare origin, /ws and /api/sync/ws connect, once each', async () => {
  const app = await startTables()
  for (const path of ['', '/', '/ws', '/api/sync/ws']) {
    const { client, names } = await connected(app.url + path)
    expect(names()).toEqual(['connected'])
    await client.connect()
    expect(names()).toEqual(['connected'])
    await client.disconnect()
  }
})

test('T-D02 K30 the paths of sockets can be chosen, and are then taken beside whoever else listens', async () => {
  const app = await startTables({ socketPaths: ['/live'] })
  await connected(`${app.url}/live`)
  const wrong = rig(`${app.url}/ws`, { autoReconnect: false })
  await expect(wrong.client.connect()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  const others: (string | undefined)[] = []
  app.server.on('upgrade', ({ url }, socket) => {
    if (url?.startsWith('/live') === true) return
    others.push(url)
    socket.destroy()
  })
  await connected(`${app.url}/live`)
  await expect(wrong.client.connect()).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
  expect(others).toEqual(['/ws?compress=1'])
})

test('[W8] T-D03 subscribed to all types, each change comes as a delta', async () => {
  const app = await startTables()
  const { client, of } = await connected(app.url)
  await client.subscribe()
  expect(
    of('subscribed')
      .map(({ entityType }) => entityType)
      .sort(),
  ).toEqual(['orders', 'settings', 'users'])
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'on')")
  app.db.exec("INSERT INTO orders (id, status) VALUES ('o', 'new')")
  app.db.exec("INSERT INTO settings VALUES ('s', 'dark')")
  const deltas = await until('three deltas', () => of('sync:delta').length === 3 && of('sync:delta'))
  expect(deltas).toMatchObject([
    {
      entityType: 'users',
      entityId: 'u',
      changes: expect.arrayContaining([
        expect.objectContaining({ field: 'status', oldValue: null, newValue: 'on', changeType: 'create' }),
      ]),
    },
    { entityType: 'orders', entityId: 'o' },
    { entityType: 'settings', entityId: 's' },
  ])
  app.db.exec("UPDATE users SET status = 'off'")
  await until('the update', () => of('sync:delta').length === 4)
  expect(of('sync:delta')[3]?.changes).toMatchObject([
    { field: 'status', oldValue: 'on', newValue: 'off', changeType: 'update' },
  ])
  app.db.exec('DELETE FROM orders')
  await until('the delete', () => of('sync:delta').length === 5)
  expect(of('sync:delta')[4]?.changes).toMatchObject([{ field: 'id', oldValue: 'o', changeType: 'delete' }])
  expect(client.getLocalState('orders')).toEqual({})
})

test('[W6] T-D04 unsubscribed from one type, its state stays and the others go on; subscribed again, it is caught up', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'on')")
  const { client, of, down } = await connected(app.url)
  await client.subscribe()
  await client.unsubscribe('users')
  expect(of('unsubscribed')).toEqual([{ entityType: 'users' }])
  // the server has heard of it
  await client.requestSync('orders')
  const before = down.length
  app.db.exec("UPDATE users SET status = 'off'; INSERT INTO orders (id) VALUES ('o')")
  await until('the order', () => client.getLocalState('orders')['o'])
  expect(client.getLocalState('users')['u']).toMatchObject({ status: 'on' })
  expect(down.slice(before).join()).not.toContain('off')
  expect(of('sync:delta').map(({ entityType }) => entityType)).toEqual(['users', 'orders'])
  await client.subscribe('users')
  expect(client.getLocalState('users')['u']).toMatchObject({ status: 'off' })
  app.db.exec("UPDATE users SET status = 'on'")
  await until('the live change', () => of('sync:delta').some(({ changes }) => changes[0]?.oldValue === 'off'))
})

test('[W6] [W9] after a disconnect nothing is followed: a new connection is sent nothing before somebody subscribes', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'on')")
  const { client, down } = await connected(app.url)
  await client.subscribe()
  await client.disconnect()
  expect(client.getSyncStatus()).toMatchObject({ isSubscribed: false, subscribedTypes: [] })
  const before = down.length
  await client.connect()
  app.db.exec("UPDATE users SET status = 'off'")
  // what is asked for of another type comes after all that is live
  await client.requestSync('orders')
  expect(client.getLocalState('users')['u']).toMatchObject({ status: 'on' })
  expect(down.slice(before).join()).not.toContain('off')
  await client.subscribe('users')
  expect(client.getLocalState('users')['u']).toMatchObject({ status: 'off' })
})

test('[W7] T-D05 local state shows on the next line, each field told before the state', async () => {
  const app = await startTables()
  const it = rig(app.url)
  it.client.updateLocalState({ status: 'active', lastSeen: 5 }, 'users')
  expect(it.client.getLocalState('users')).toEqual({ status: 'active', lastSeen: 5 })
  it.client.updateLocalState({ u1: { name: 'Ada' } }, 'users')
  expect(it.client.getLocalState('users')).toEqual({
    status: 'active',
    lastSeen: 5,
    u1: { id: 'u1', name: 'Ada' },
  })
  expect(it.client.getLocalState('users')).toBe(it.client.getLocalState('users'))
  const told = it.told.map(([event, detail]) => [event, 'field' in detail ? detail.field : null])
  expect(told).toEqual([
    ['state:change', 'id'],
    ['state:change', 'status'],
    ['state:change', 'lastSeen'],
    ['state:updated', null],
    ['state:change', 'id'],
    ['state:change', 'name'],
    ['state:updated', null],
  ])
  const [first, second] = it.of('state:updated')
  expect(first).toMatchObject({ entityType: 'users', oldState: {}, source: 'local' })
  expect(second?.oldState).toEqual(first?.newState)
  // kept while offline, sent when there is a connection
  await it.client.connect()
  await settled(it)
  expect(rows(app, 'users')).toMatchObject([
    { id: '$self', status: 'active', lastSeen: 5 },
    { id: 'u1', name: 'Ada' },
  ])
  it.client.updateLocalState({ u1: null }, 'users')
  await settled(it)
  expect(rows(app, 'users')).toHaveLength(1)
  expect(it.of('error')).toEqual([])
})

test('[W8] T-D06 a sync brings what others wrote, told in the documented order', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id, status) VALUES ('a', 'x'), ('b', 'x')")
  const it = await connected(app.url)
  expect(await it.client.requestSync('users')).toHaveLength(2)
  app.db.exec(
    "UPDATE users SET status = 'y' WHERE id = 'a'; UPDATE users SET status = 'z', name = 'B' WHERE id = 'b'",
  )
  it.told.length = 0
  const deltas = await it.client.requestSync('users')
  expect(deltas).toMatchObject([
    { entityId: 'a', changes: [{ field: 'status', oldValue: 'x', newValue: 'y' }] },
    {
      entityId: 'b',
      changes: [
        { field: 'status', oldValue: 'x', newValue: 'z' },
        { field: 'name', newValue: 'B' },
      ],
    },
  ])
  expect(it.names()).toEqual([
    'sync:requested',
    'sync:response',
    'quality:updated',
    'state:change',
    'state:change',
    'state:change',
    'delta:processed',
    'delta:processed',
    'deltas:processed',
    'state:updated',
    'bandwidth:validated',
    'sync:performance',
  ])
  expect(it.of('state:updated')).toMatchObject([{ entityType: 'users', source: 'remote' }])
  expect(await it.client.requestSync('users')).toEqual([])
  // what this client wrote itself is no news to it
  it.client.updateLocalState({ a: { status: 'mine' } }, 'users')
  await settled(it)
  expect(await it.client.requestSync('users')).toEqual([])
})

test('[W2] T-D07 versions are a plain object on the wire and a Map in the client, an empty one too', async () => {
  const app = await startTables()
  const it = await connected(app.url)
  const empty = it.client.getLastKnownVectorClock('users')
  expect(empty).toMatchObject({ clientId: 'admin-dashboard-123', versions: new Map(), lamportCounter: 0 })
  await it.client.requestSync('users')
  app.db.exec("INSERT INTO users (id) VALUES ('u')")
  const before = it.client.getLastKnownVectorClock('users')
  const [delta] = await it.client.requestSync('users')
  expect(delta?.vectorClock.versions.get('u')).toBe(delta?.vectorClock.lamportCounter)
  interface Frame {
    readonly data: { readonly lastKnownVectorClock: { readonly versions: Record<string, number> } }
  }
  const sent = it.up.flatMap(text => (text.includes('sync:request') ? [JSON.parse(text) as Frame] : []))
  expect(sent[0]?.data.lastKnownVectorClock.versions).toEqual(Object.fromEntries(before.versions))
  expect(it.down.find(text => text.startsWith('{"type":"sync:response"'))).toMatch(/"versions":\{"u":\d+,"/)
  const after = it.client.getLastKnownVectorClock('users')
  expect(after.versions.size).toBe(1)
  expect(after.lamportCounter).toBeGreaterThan(before.lamportCounter)
})

test('T-D15 what the server refuses is told and rejects, with the same error', async () => {
  const app = await startTables({ entities: ['users'] })
  const it = await connected(app.url)
  const error: unknown = await it.client.requestSync('orders').catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(SyncError)
  expect(error).toMatchObject({ code: 'SYNC_OPERATION_ERROR', details: { code: 'UNKNOWN_ENTITY' } })
  expect(it.of('error')).toEqual([error])
  expect(it.of('error')[0]).toBe(error)
  await expect(it.client.subscribe('orders')).rejects.toMatchObject({ code: 'SYNC_OPERATION_ERROR' })
  it.client.updateLocalState({ nope: 1 }, 'users')
  await until('the refusal', () =>
    it.of('error').some(({ details }) => JSON.stringify(details).includes('UNKNOWN_FIELD')),
  )
  expect(it.client.getLocalState('users')).toEqual({})
  expect(it.of('state:updated').at(-1)).toMatchObject({ source: 'rollback' })
})

test('[W7] T-D16 updates that follow each other go as one', async () => {
  const app = await startTables()
  const it = await connected(app.url)
  const update = it.client.createDebouncedUpdate(20)
  update({ name: 'John' }, 'users')
  update({ email: 'john@example.com' }, 'users')
  update({ u: { name: 'a' } }, 'users')
  update({ u: { email: 'b' } }, 'users')
  expect(it.client.getLocalState('users')).toEqual({})
  await until('the row', () => rows(app, 'users').length === 2)
  const sent = it.up.filter(text => text.startsWith('{"type":"mutate"'))
  expect(sent).toHaveLength(1)
  expect(rows(app, 'users')).toMatchObject([
    { id: '$self', name: 'John', email: 'john@example.com' },
    { id: 'u', name: 'a', email: 'b' },
  ])
})

test('[W7] T-D16 one sync, as long after the last call as was said, and not before', async () => {
  const app = await startTables()
  const time = testTime()
  const it = await connected(app.url, { env: time.env })
  const sent = (): number => it.up.filter(text => text.startsWith('{"type":"mutate"')).length
  const update = it.client.createDebouncedUpdate(200)
  update({ name: 'John' }, 'users')
  await time.pass(199)
  update({ email: 'john@example.com' }, 'users')
  await time.pass(199)
  expect([it.client.getLocalState('users'), sent()]).toEqual([{}, 0])
  await time.pass(1)
  await until('the row', () => rows(app, 'users').length === 1)
  await time.pass(1000)
  expect(sent()).toBe(1)
  expect(rows(app, 'users')).toMatchObject([{ id: '$self', name: 'John', email: 'john@example.com' }])
  // by hand it goes at once, and its time brings nothing more
  update({ name: 'Jane' }, 'users')
  update.flush()
  expect(it.client.getLocalState('users')).toMatchObject({ name: 'Jane' })
  await time.pass(1000)
  await settled(it)
  expect(sent()).toBe(2)
})

test('[W7] T-D17 a batch of three types is one flush', async () => {
  const app = await startTables()
  const it = await connected(app.url)
  it.client.updateLocalStateBatch([
    { entityType: 'users', state: { name: 'John' } },
    { entityType: 'orders', state: { status: 'pending' } },
    { entityType: 'settings', state: { theme: 'dark' } },
  ])
  expect(it.client.getLocalState()).toEqual({
    users: { name: 'John' },
    orders: { status: 'pending' },
    settings: { theme: 'dark' },
  })
  await settled(it)
  expect(it.up.filter(text => text.startsWith('{"type":"mutate"'))).toHaveLength(1)
  expect(it.of('state:updated').map(({ entityType }) => entityType)).toEqual(['users', 'orders', 'settings'])
})

test('[W7] with a disk, state and unsent edits are there again', async () => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
  const app = await startTables()
  app.db.exec("INSERT INTO users (id, name) VALUES ('u', 'Ada')")
  const first = await connected(app.url, { store: 'indexeddb' })
  await first.client.requestSync('users')
  await first.client.disconnect()
  first.client.updateLocalState({ mine: { name: 'unsent' } }, 'users')
  await first.client.close()
  const second = rig(app.url, { store: 'indexeddb' })
  await second.client.client.ready
  expect(second.client.getLocalState('users')).toMatchObject({ u: { name: 'Ada' }, mine: { name: 'unsent' } })
  expect(Object.isFrozen(second.client.getLocalState('users')['u'])).toBe(true)
  expect(second.of('state:change')).toEqual([])
  expect(second.client.client.status().storage).toBe('indexeddb')
  await second.client.connect()
  await settled(second)
  expect(rows(app, 'users')).toHaveLength(2)
  await second.client.subscribe('users')
  app.db.exec("UPDATE users SET name = 'Eve' WHERE id = 'u'")
  await until('the live change', () => second.of('sync:delta').length > 0)
  expect(second.of('sync:delta')[0]).toMatchObject({ changes: [{ oldValue: 'Ada', newValue: 'Eve' }] })
  await second.client.close()
  vi.unstubAllGlobals()
})

test('T-D28 entityType still works, with one warning', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const app = await startTables()
  const it = await connected(app.url, { entityTypes: [], entityType: 'users' })
  expect(warn).toHaveBeenCalledTimes(1)
  warn.mockRestore()
  await it.client.subscribe()
  it.client.updateLocalState({ status: 'active' })
  expect(it.client.getLocalState()).toEqual({ users: { status: 'active' } })
  await settled(it)
  expect(await it.client.requestSync()).toEqual([])
})
