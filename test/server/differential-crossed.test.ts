// What a differential client is asked for while something else goes on: twice, too early, crossed, or with what cannot be.
import { afterEach, expect, test } from 'vitest'
import type { DifferentialEvents } from 'syncline/differential'
import { seededRandom } from 'syncline/testing'
import { cleanUp, until } from './support/app.ts'
import { connected, startTables, testTime } from './support/differential.ts'
import type { Rig } from './support/differential.ts'

afterEach(cleanUp)

test('[W6] [W9] subscribed twice it is one subscription, also while the connection comes back', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id) VALUES ('u')")
  const time = testTime()
  const it = await connected(app.url, { env: time.env })
  const first = it.client.subscribe('users')
  await it.client.subscribe('users')
  expect(Object.keys(it.client.getLocalState('users'))).toEqual(['u'])
  await first
  await it.client.subscribe('users')
  expect(it.of('subscribed')).toEqual([{ entityType: 'users' }])
  it.sockets.at(-1)?.close()
  await until('the loss', () => it.of('disconnected').length === 1)
  await it.client.subscribe('users')
  expect(it.client.getSyncStatus().subscribedTypes).toEqual(['users'])
  await expect(it.client.subscribe('orders')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
  expect(it.client.getSyncStatus().subscribedTypes).toEqual(['users'])
  await time.pass(1000)
  await until('the connection', () => it.of('connected').length === 2)
  app.db.exec("INSERT INTO users (id) VALUES ('v')")
  await until('the change', () => 'v' in it.client.getLocalState('users'))
  expect(it.of('error').map(({ code }) => code)).toEqual(['CONNECTION_LOST', 'NOT_CONNECTED'])
})

test('[W6] [W8] unsubscribed before it was answered it is not told of as subscribed; what comes after counts', async () => {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id) VALUES ('u')")
  const it = await connected(app.url)
  const told = (): string[] => it.names().filter(name => name.endsWith('subscribed'))
  const first = it.client.subscribe('users')
  await it.client.unsubscribe('users')
  await first
  expect([told(), it.client.getSyncStatus().isSubscribed]).toEqual([['unsubscribed'], false])
  const crossed = it.client.subscribe('users')
  await it.client.unsubscribe('users')
  await it.client.subscribe('users')
  await crossed
  expect(told()).toEqual(['unsubscribed', 'unsubscribed', 'subscribed'])
  expect(Object.keys(it.client.getLocalState('users'))).toEqual(['u'])
  app.db.exec("INSERT INTO users (id) VALUES ('v')")
  await until('the change', () => 'v' in it.client.getLocalState('users'))
})

test('[W7] [W9] T-D16 T-D25 of updates that wait, what cannot be stored is told, the rest is made, and disconnect goes on', async () => {
  const app = await startTables()
  const time = testTime()
  const it = await connected(app.url, { env: time.env })
  const update = it.client.createDebouncedUpdate(1000)
  const batch = (name: string): void => {
    update({ [`${name}1`]: { name }, bad: { name: () => {} }, [`${name}2`]: { name } }, 'users')
    update({ [name]: { status: name } }, 'orders')
  }
  const made = (): string[] => ['users', 'orders'].flatMap(type => Object.keys(it.client.getLocalState(type)))
  batch('timer')
  await time.pass(1000)
  expect([made(), it.of('error')]).toMatchObject([
    ['timer1', 'timer2', 'timer'],
    [{ code: 'SERIALIZATION_ERROR' }],
  ])
  batch('flush')
  update.flush()
  expect([made().length, it.of('error').length]).toEqual([6, 2])
  batch('end')
  await it.client.disconnect()
  expect(it.client.getSyncStatus()).toMatchObject({ isConnected: false, isConnecting: false })
  expect([made().length, it.of('error').length, it.of('disconnected').length]).toEqual([9, 3, 1])
  // and again with the next connection
  await it.client.connect()
  batch('again')
  await it.client.disconnect()
  await time.pass(0)
  expect([made().length, it.of('error').length, time.timers()]).toEqual([12, 4, []])
})

test('[W7] the state of all types is the same reference while nothing changed, and shares those that did not', async () => {
  const app = await startTables()
  const it = await connected(app.url)
  const before = it.client.getLocalState()
  expect(it.client.getLocalState()).toBe(before)
  it.client.updateLocalState({ u: { name: 'a' } }, 'users')
  const after = it.client.getLocalState()
  expect(after).not.toBe(before)
  expect([after['orders'] === before['orders'], after['users']]).toEqual([
    true,
    { u: { name: 'a', id: 'u' } },
  ])
  expect(it.client.getLocalState()).toBe(after)
})

type Delta = DifferentialEvents['sync:delta']

/** What goes up is held while it should be, and is then sent in its order. */
function gate(): { held: (text: string) => boolean; close(): void; open(it: Rig): void } {
  let closed = false
  const waiting: string[] = []
  return {
    held(text) {
      if (closed) waiting.push(text)
      return closed
    },
    close() {
      closed = true
    },
    open(it) {
      closed = false
      const socket = it.sockets.at(-1)
      for (const text of waiting.splice(0))
        if (socket !== undefined) WebSocket.prototype.send.call(socket, text)
    },
  }
}

/** A client of one user's table, and the gate on its way up. */
async function oneUser() {
  const app = await startTables()
  app.db.exec("INSERT INTO users (id, status) VALUES ('u', 'a')")
  const way = gate()
  return { app, way, it: await connected(app.url, {}, way.held) }
}

const fields = (deltas: readonly Delta[]): string[] =>
  deltas.flatMap(({ entityId, changes }) =>
    changes.map(({ field, newValue }) => `${entityId}.${field}=${JSON.stringify(newValue)}`),
  )

test('[W3] [W6] [W8] a batch that was under way when a type was unsubscribed does not answer a sync of it', async () => {
  const { app, way, it } = await oneUser()
  await it.client.subscribe('users')
  way.close()
  await it.client.unsubscribe('users')
  const asked = it.client.requestSync('users')
  app.db.exec("UPDATE users SET status = 'b'")
  await shown(it, 'status', 'b')
  expect([fields(it.of('sync:delta')).at(-1), it.of('sync:response')]).toEqual(['u.status="b"', []])
  const other = it.client.requestSync('orders')
  way.open(it)
  expect(fields(await asked)).toEqual([])
  expect(await other).toEqual([])
  expect(it.of('sync:response').map(({ entityType }) => entityType)).toEqual(['users', 'orders'])
  app.db.exec("UPDATE users SET name = 'U'")
  expect(fields(await it.client.requestSync('users'))).toEqual(['u.name="U"'])
})

/** The live change of the one user is here. */
const shown = (it: Rig, field: string, value: string): Promise<unknown> =>
  until('the change', () =>
    JSON.stringify(it.client.getLocalState('users')['u']).includes(`"${field}":"${value}"`),
  )

/** The question is made in a later turn than the call. */
const question = (it: Rig): Promise<unknown> =>
  until('the question', () => it.up.filter(text => text.startsWith('{"type":"sync:request"')).length === 1)

test('[W3] [W6] a type that is unsubscribed while a sync of it is open is answered all the same', async () => {
  const { app, way, it } = await oneUser()
  await it.client.subscribe('users')
  way.close()
  const asked = it.client.requestSync('users')
  await question(it)
  await it.client.unsubscribe('users')
  app.db.exec("UPDATE users SET name = 'U'")
  await shown(it, 'name', 'U')
  expect(it.of('sync:response')).toEqual([])
  way.open(it)
  expect(fields(await asked)).toEqual([])
  expect(it.down.at(-1)).toContain('sync:response')
  app.db.exec("UPDATE users SET name = 'V'")
  expect(fields(await it.client.requestSync('users'))).toEqual(['u.name="V"'])
  expect(it.of('sync:response').map(({ syncId }) => syncId)).toEqual(
    it.of('sync:requested').map(({ syncId }) => syncId),
  )
})

test('[W3] [W6] a type that is subscribed while a sync of it is open is followed, and the sync is answered', async () => {
  const { app, way, it } = await oneUser()
  await it.client.requestSync('users')
  app.db.exec("UPDATE users SET status = 'b'")
  way.close()
  const asked = it.client.requestSync('users')
  await question(it)
  const subscribed = it.client.subscribe('users')
  way.open(it)
  await subscribed
  expect(fields(await asked)).toEqual(['u.status="b"'])
  app.db.exec("UPDATE users SET status = 'c'")
  await shown(it, 'status', 'c')
  expect(fields(it.of('sync:delta')).at(-1)).toEqual('u.status="c"')
})

test('[W3] [W6] [W8] whatever crosses what, each change is told once, and each sync by its own answer', async () => {
  const app = await startTables()
  const ids = Array.from({ length: 8 }, (_, i) => `u${i}`)
  for (const id of ids) app.db.exec(`INSERT INTO users (id, lastSeen) VALUES ('${id}', 0)`)
  const it = await connected(app.url)
  await it.client.requestSync('users')
  it.told.length = 0
  const random = seededRandom(7)
  const syncs: Promise<Delta[]>[] = []
  for (let n = 1; n <= 400; n++) {
    app.db.exec(`UPDATE users SET lastSeen = ${n} WHERE id = '${random.pick(ids)}'`)
    const dice = random.int(10)
    if (dice < 4) syncs.push(it.client.requestSync('users'))
    else if (dice === 4) void it.client.subscribe('users')
    else if (dice === 5) void it.client.unsubscribe('users')
    // other work of this process goes on: frames come and go
    for (let turns = random.int(6); turns > 0; turns--) await new Promise(resolve => setImmediate(resolve))
  }
  const answers = await Promise.all(syncs)
  // what is followed may be asked for by another question already
  await it.client.unsubscribe('users')
  answers.push(await it.client.requestSync('users'))
  const values = (deltas: readonly Delta[]): string[] =>
    fields(deltas).filter(one => one.includes('lastSeen'))
  const told = values([...it.of('sync:delta'), ...new Set(answers.flat())])
  expect(new Set(told).size).toBe(told.length)
  expect(values(it.of('delta:processed')).toSorted()).toEqual(told.toSorted())
  const rows = app.db.prepare('SELECT id, lastSeen FROM users').all() as { id: string; lastSeen: number }[]
  for (const { id, lastSeen } of rows) {
    expect(it.client.getLocalState('users')[id]).toMatchObject({ lastSeen })
    expect(lastSeen === 0 || told.includes(`${id}.lastSeen=${lastSeen}`)).toBe(true)
  }
  expect(it.of('sync:response').map(({ syncId }) => syncId)).toEqual(
    it.of('sync:requested').map(({ syncId }) => syncId),
  )
  expect(it.of('error')).toEqual([])
})
