// What applications do to a `DifferentialSyncClient` beside what its document shows: too early, too late, too much, again and
// again, after days.
import { afterEach, describe, expect, test } from 'vitest'
import { cleanUp, rowsOf, until } from './support/app.ts'
import { connected, rig, settled, startAgain, startTables, testTime } from './support/differential.ts'
import type { Rig } from './support/differential.ts'

afterEach(cleanUp)

const codes = (it: Rig): string[] => it.of('error').map(({ code }) => code)

describe('too early and too late', () => {
  test('[W9] before there is a connection nothing is subscribed or asked, and that is said, once each', async () => {
    const app = await startTables()
    const it = rig(app.url)
    await expect(it.client.subscribe('users')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    await expect(it.client.requestSync('users')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    await it.client.unsubscribe('users')
    expect(codes(it)).toEqual(['NOT_CONNECTED', 'NOT_CONNECTED'])
    expect(it.client.getSyncStatus()).toMatchObject({ isSubscribed: false, subscribedTypes: [] })
    expect([it.of('unsubscribed'), it.of('disconnected')]).toEqual([[], []])
    await it.client.disconnect()
    // what failed too early is no obstacle later
    await it.client.connect()
    await it.client.subscribe('users')
    app.db.exec("INSERT INTO users (id) VALUES ('u')")
    await until('the row', () => it.client.getLocalState('users')['u'])
  })

  test('[W6] a subscription that is taken back before it is answered is none, and the next one is', async () => {
    const app = await startTables()
    let isHeld = true
    const it = await connected(app.url, {}, text => isHeld && text.startsWith('{"type":"subscribe"'))
    const first = it.client.subscribe('users')
    await it.client.unsubscribe('users')
    await first
    expect(it.client.getSyncStatus().subscribedTypes).toEqual([])
    const second = it.client.subscribe('users').catch((error: unknown) => error)
    await it.client.disconnect()
    expect(await second).toMatchObject({ code: 'NOT_CONNECTED' })
    isHeld = false
    await it.client.connect()
    await Promise.all([it.client.subscribe('users'), it.client.subscribe('users')])
    expect(it.of('subscribed')).toHaveLength(1)
    app.db.exec("INSERT INTO users (id) VALUES ('u')")
    await until('the row', () => it.client.getLocalState('users')['u'])
  })

  test('[W9] one that was closed stays closed: no socket, no write that nobody hears of', async () => {
    const app = await startTables()
    const it = await connected(app.url)
    await it.client.close()
    await expect(it.client.connect()).rejects.toMatchObject({ code: 'CLOSED' })
    it.client.client.connect()
    await expect(it.client.requestSync('users')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    const late = (): void => it.client.updateLocalState({ u: { name: 'late' } }, 'users')
    expect(late).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    it.client.createDebouncedUpdate(0)({ u: { name: 'late' } }, 'users')
    await until('the error', () => codes(it).includes('CLOSED'))
    await it.client.close()
    await it.client.disconnect()
    expect([it.sockets.length, it.of('disconnected').length]).toEqual([1, 1])
    // whoever asks for conflicts hears of none
    it.client.on('conflict', () => {})
    expect(it.client.conflicts.list()).toEqual([])
    it.client.conflicts.subscribe(() => {})()
  })

  test('[W9] who connects while it closes is told that it is closed; who hears that it disconnects, and connects, is connected', async () => {
    const app = await startTables()
    const it = await connected(app.url)
    let again = Promise.resolve()
    const undo = it.client.on('disconnected', () => void (again = it.client.connect()))
    await it.client.disconnect()
    await again
    expect(it.client.getSyncStatus().isConnected).toBe(true)
    undo()
    it.client.on('disconnected', () => void (again = it.client.connect()))
    it.client.addCleanupCallback(() => it.client.updateLocalState({ u: { name: 'last' } }, 'users'))
    const closing = it.client.close()
    await expect(it.client.connect()).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(again).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    await closing
    expect([it.of('connected').length, it.client.getSyncStatus().pendingChanges]).toEqual([2, 1])
  })
})

test('[W9] whoever disconnects and connects in any order has one socket in the end, and all that was written is there', async () => {
  const app = await startTables()
  const it = await connected(app.url)
  for (let i = 0; i < 12; i++) {
    const left = it.client.disconnect()
    const back = it.client.connect().catch((error: unknown) => error)
    it.client.updateLocalState({ [`u${i}`]: { name: `${i}` } }, 'users')
    const asked = it.client.requestSync('users').catch((error: unknown) => error)
    if (i % 3 === 0) {
      void it.client.disconnect()
      void it.client.connect()
    }
    await Promise.all([left, back, asked])
    await until('a connection', () => it.client.getSyncStatus().isConnected)
  }
  await settled(it)
  expect(rowsOf(app.db, 'SELECT count(*) AS n FROM users')).toEqual([{ n: 12 }])
  expect(it.sockets.filter(({ readyState }) => readyState === WebSocket.OPEN)).toHaveLength(1)
  expect(it.of('connected').length - it.of('disconnected').length).toBe(1)
  expect(new Set(codes(it))).toEqual(new Set(['NOT_CONNECTED']))
})

describe('listeners', () => {
  test('[W8] one that throws is told of as an error, and keeps nothing from anybody', async () => {
    const app = await startTables()
    const it = await connected(app.url)
    const heard: string[] = []
    for (const event of ['connected', 'sync:delta', 'state:change', 'state:updated', 'error'] as const)
      it.client.on(event, () => {
        throw new Error(event)
      })
    it.client.on('state:updated', ({ source }) => heard.push(source))
    await it.client.subscribe('users')
    app.db.exec("INSERT INTO users (id, name) VALUES ('u', 'Ada')")
    await until('the row', () => heard.length === 1)
    expect(it.client.getLocalState('users')).toMatchObject({ u: { name: 'Ada' } })
    expect(new Set(codes(it))).toEqual(new Set(['SYNC_OPERATION_ERROR']))
    expect(it.of('error')[0]).toMatchObject({ details: { event: 'sync:delta' } })
    // the connection, and what is written, go on
    it.client.updateLocalState({ u: { name: 'Eve' } }, 'users')
    await settled(it)
    expect(rowsOf(app.db, 'SELECT name FROM users')).toEqual([{ name: 'Eve' }])
    await it.client.disconnect()
    await it.client.connect()
    expect(it.client.getSyncStatus().isConnected).toBe(true)
  })

  test('[W8] one that writes in the middle of a batch is shown, told and sent after it', async () => {
    const app = await startTables()
    const it = await connected(app.url)
    await it.client.subscribe('users')
    it.told.length = 0
    it.client.on('state:change', ({ entityType, entityId, source }) => {
      if (source === 'remote') it.client.updateLocalState({ [entityId]: { status: 'seen' } }, 'orders')
      expect(entityType).toBe(source === 'remote' ? 'users' : 'orders')
    })
    app.db.exec("INSERT INTO users (id, name) VALUES ('u', 'Ada'), ('v', 'Eve')")
    await until('both orders', () => Object.keys(it.client.getLocalState('orders')).length === 2)
    await settled(it)
    expect(rowsOf(app.db, 'SELECT id, status FROM orders ORDER BY id')).toEqual([
      { id: 'u', status: 'seen' },
      { id: 'v', status: 'seen' },
    ])
    expect(codes(it)).toEqual([])
    expect(it.of('state:updated').filter(({ entityType }) => entityType === 'users')).toHaveLength(1)
  })

  test('[W9] one that asks and subscribes with each connection, and one that begins anew when it has failed', async () => {
    const app = await startTables()
    const time = testTime()
    const it = rig(app.url, { env: time.env, maxRetries: 1 })
    const asked: number[] = []
    it.client.on('connected', () => {
      void it.client.subscribe().catch(() => {})
      void it.client.requestSync('users').then(
        ({ length }) => asked.push(length),
        () => {},
      )
    })
    it.client.on('reconnect:failed', () => void it.client.connect().catch(() => {}))
    app.db.exec("INSERT INTO users (id) VALUES ('u')")
    await it.client.connect()
    await it.client.subscribe()
    expect(it.of('subscribed')).toHaveLength(3)
    await until('an answer', () => asked.length === 1)
    await app.stop()
    await until('the loss', () => it.of('reconnect:scheduled').length === 1)
    // two ladders of one attempt each, the second by hand
    for (const failures of [1, 2]) {
      await time.pass(it.of('reconnect:scheduled').at(-1)?.delay ?? 0)
      await until('the end of the ladder', () => it.of('reconnect:failed').length === failures)
      await until('a new one', () => it.of('reconnect:scheduled').length === failures + 1)
    }
    expect(it.of('reconnect:scheduled').map(({ attempt }) => attempt)).toEqual([1, 1, 1])
    const again = await startAgain(app)
    await time.pass(it.of('reconnect:scheduled').at(-1)?.delay ?? 0)
    await until('the connection', () => it.client.getSyncStatus().isConnected)
    await until('an answer', () => asked.length === 2)
    again.db.exec("INSERT INTO users (id) VALUES ('v')")
    await until('the live row', () => it.client.getLocalState('users')['v'])
    expect(it.of('sync:delta').filter(({ entityId }) => entityId === 'v')).toHaveLength(1)
    expect(it.sockets.filter(({ readyState }) => readyState === WebSocket.OPEN)).toHaveLength(1)
  })

  test('[W9] one that connects as soon as the connection is lost has it back at once', async () => {
    const app = await startTables()
    const time = testTime()
    const it = await connected(app.url, { env: time.env })
    it.client.on('error', ({ code }) => {
      if (code === 'CONNECTION_LOST') void it.client.connect().catch(() => {})
    })
    it.sockets[0]?.close()
    await until('it', () => it.of('connected').length === 2)
    await time.pass(10_000)
    expect([it.of('connected').length, it.sockets.length]).toEqual([2, 2])
    expect(it.client.getSyncStatus()).toMatchObject({ isConnected: true, reconnectAttempts: 0 })
  })

  test('each is gone by its undo, by its name or by itself, and only once there', () => {
    const it = rig('ws://127.0.0.1:9')
    const heard: string[] = []
    const write = (): void => it.client.updateLocalState({ u: { name: `${Math.random()}` } }, 'users')
    const named = (): unknown => heard.push('named')
    const undo = it.client.on('state:updated', () => heard.push('undone'))
    it.client.on('state:updated', named)
    it.client.once('state:updated', () => heard.push('once'))
    const early = (): unknown => heard.push('early')
    it.client.once('state:updated', early)
    it.client.off('state:updated', early)
    write()
    expect(heard.splice(0)).toEqual(['undone', 'named', 'once'])
    undo()
    undo()
    write()
    expect(heard.splice(0)).toEqual(['named'])
    it.client.off('state:updated', named)
    it.client.off('state:updated', named)
    write()
    expect(heard).toEqual([])
    expect(() => it.client.on('state:updated', undefined as never)).toThrow(TypeError)
  })
})

test('[T5] [W7] where there is no disk at all, that is said, and it works in memory', async () => {
  const app = await startTables()
  const it = await connected(app.url, { store: 'indexeddb' })
  expect(it.of('storage')).toEqual([{ storage: 'memory', reason: 'failed', error: null }])
  expect(it.client.getSyncStatus().storage).toBe('memory')
  it.client.updateLocalState({ u: { name: 'Ada' } }, 'users')
  await settled(it)
  expect(rowsOf(app.db, 'SELECT id FROM users')).toEqual([{ id: 'u' }])
})

describe('[W7] the state', () => {
  test('is not written to in place: a row that was changed so and handed back would be no change', async () => {
    const app = await startTables()
    app.db.exec("INSERT INTO users (id, name) VALUES ('u', 'Ada')")
    const it = await connected(app.url)
    await it.client.requestSync('users')
    it.client.updateLocalState({ v: { name: 'Eve', status: { deep: ['x'] } } }, 'users')
    interface Mutable {
      [id: string]: { name: string; status: { deep: string[] } }
    }
    const state = it.client.getLocalState('users') as unknown as Mutable // reason: as JavaScript sees it
    expect(() => state['u'] && (state['u'].name = 'Eve')).toThrow(TypeError)
    expect(() => state['v']?.status.deep.push('y')).toThrow(TypeError)
    expect(it.client.client.get('users', 'u')).toMatchObject({ name: 'Ada' })
    // what was given stays the application's
    const mine = { name: 'mine' }
    it.client.updateLocalState({ w: mine }, 'users')
    mine.name = 'changed'
    expect(it.client.getLocalState('users')['w']).toMatchObject({ name: 'mine' })
    it.client.updateLocalState({ u: { ...state['u'], name: 'Eve' } }, 'users')
    await until(
      'the name',
      () => rowsOf(app.db, "SELECT 1 FROM users WHERE name = 'Eve' AND id = 'u'").length,
    )
  })

  test('is given as plain objects: whatever else is refused, whole, and nothing is half written', () => {
    const it = rig('ws://127.0.0.1:9')
    class User {
      name = 'Ada'
    }
    const patches: unknown[] = [
      new Map([['u', { name: 'Ada' }]]),
      new Set(['u']),
      [{ name: 'Ada' }],
      null,
      undefined,
      'u',
      7,
      new User(),
      { u: new User() },
      { u: new Map([['name', 'Ada']]) },
      { u: { name: new Map() } },
      { u: { name: undefined } },
      { u: { lastSeen: Number.NaN } },
      { u: () => {} },
    ]
    const refusal = expect.objectContaining({ code: 'SERIALIZATION_ERROR' })
    const later = it.client.createDebouncedUpdate(0)
    for (const patch of patches) {
      const given = patch as object as Record<string, unknown> // reason: what JavaScript lets through
      expect(() => it.client.updateLocalState(given, 'users')).toThrow(refusal)
      const whole = Object.getPrototypeOf(Object(given)) === Object.prototype
      if (!whole) expect(() => later(given, 'users')).toThrow(refusal)
    }
    later.flush()
    expect([it.client.getLocalState('users'), it.told, it.client.getSyncStatus().pendingChanges]).toEqual([
      {},
      [],
      0,
    ])
  })

  test('null ends a row, also one that is not loaded; of one that somebody else has ended it is nothing', async () => {
    const app = await startTables()
    app.db.exec("INSERT INTO users (id, name) VALUES ('u', 'Ada'), ('v', 'Eve')")
    const [one, two] = [await connected(app.url), await connected(app.url)]
    // while nobody knows the columns it is a field
    const early = rig(app.url)
    early.client.updateLocalState({ theme: null }, 'settings')
    expect(early.client.getLocalState('settings')).toEqual({ theme: null })
    await one.client.requestSync('users')
    two.client.updateLocalState({ u: null }, 'users')
    await settled(two)
    expect(rowsOf(app.db, 'SELECT id FROM users')).toEqual([{ id: 'v' }])
    await one.client.requestSync('users')
    one.told.length = 0
    one.client.updateLocalState({ u: null, never: null }, 'users')
    expect([one.told, one.client.getSyncStatus().pendingChanges]).toEqual([[], 0])
    // a column is a field of the type, empty or not
    one.client.updateLocalState({ status: 'on', name: null }, 'users')
    await settled(one)
    expect(rowsOf(app.db, "SELECT status, name FROM users WHERE id = '$self'")).toEqual([
      { status: 'on', name: null },
    ])
    expect([...codes(one), ...codes(two)]).toEqual([])
  })

  test('loses columns with the row that had them, and says so', async () => {
    const app = await startTables()
    const it = await connected(app.url, {}, text => text.startsWith('{"type":"mutate"'))
    await it.client.requestSync('users')
    it.client.updateLocalState({ u: { status: 'mine' } }, 'users')
    app.db.exec("INSERT INTO users (id, email) VALUES ('u', 'theirs')")
    await it.client.requestSync('users')
    expect(it.client.getLocalState('users')['u']).toMatchObject({ status: 'mine', email: 'theirs' })
    app.db.exec('DELETE FROM users')
    it.told.length = 0
    await it.client.requestSync('users')
    expect(it.client.getLocalState('users')).toEqual({ u: { id: 'u', status: 'mine' } })
    expect(it.of('state:change')).toMatchObject([{ field: 'email', oldValue: 'theirs', newValue: null }])
  })

  test('of thousands of rows is one update, one answer, one event', async () => {
    const app = await startTables()
    const [one, two] = [await connected(app.url), await connected(app.url)]
    const rows = Array.from({ length: 3000 }, (_, i): [string, object] => [`u${i}`, { name: `name ${i}` }])
    one.client.updateLocalState(Object.fromEntries(rows), 'users')
    expect(one.of('state:updated')).toHaveLength(1)
    await settled(one)
    expect(await two.client.requestSync('users')).toHaveLength(3000)
    expect(Object.keys(two.client.getLocalState('users'))).toHaveLength(3000)
    app.db.exec("UPDATE users SET status = 'x'; DELETE FROM users WHERE id LIKE '%0'")
    two.told.length = 0
    const deltas = await two.client.requestSync('users')
    const gone = deltas.filter(({ changes }) => changes[0]?.changeType === 'delete')
    expect([deltas.length, gone.length]).toEqual([3000, 300])
    expect([two.of('sync:response').length, two.of('state:updated').length]).toEqual([1, 1])
    expect(Object.keys(two.client.getLocalState('users'))).toHaveLength(2700)
    // one that is subscribed hears of them live, each once
    await one.client.subscribe('users')
    one.told.length = 0
    app.db.exec("UPDATE users SET email = 'e'")
    await until('all of them', () => one.of('sync:delta').length >= 2700)
    expect(new Set(one.of('sync:delta').map(({ entityId }) => entityId)).size).toBe(2700)
  })
})

test('[L6] [W2] [W3] after days away, and a log that was forgotten meanwhile, it is brought to what is, and its own edits go', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id, name) VALUES ('u', 'Ada'), ('gone', 'x'), ('stays', 's')")
  const it = await connected(app.url)
  await it.client.subscribe('users')
  await it.client.disconnect()
  it.client.updateLocalState({ mine: { name: 'offline' } }, 'users')
  app.db.exec("DELETE FROM users WHERE id = 'gone'; UPDATE users SET name = 'Eve' WHERE id = 'u'")
  expect(await app.engine.cleanup(0)).toBeGreaterThan(0)
  expect(rowsOf(app.db, 'SELECT * FROM _syncline_gone')).toEqual([])
  await app.stop()
  const again = await startAgain(app)
  it.told.length = 0
  await it.client.connect()
  const deltas = await it.client.requestSync('users')
  await settled(it)
  const kinds = deltas.map(({ entityId, changes }) => [entityId, changes[0]?.changeType])
  expect(Object.fromEntries(kinds)).toEqual({ gone: 'delete', u: 'update' })
  expect(Object.keys(it.client.getLocalState('users')).sort()).toEqual(['mine', 'stays', 'u'])
  expect(it.client.getLocalState('users')).toMatchObject({ u: { name: 'Eve' } })
  expect(rowsOf(again.db, 'SELECT id FROM users ORDER BY id')).toEqual([
    { id: 'mine' },
    { id: 'stays' },
    { id: 'u' },
  ])
  expect(codes(it)).toEqual([])
})
