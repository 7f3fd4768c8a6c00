// What a differential client is asked for while something else goes on: twice, too early, crossed, or with what cannot be.
import { afterEach, expect, test } from 'vitest'
import { cleanUp, until } from './support/app.ts'
import { connected, startTables, testTime } from './support/differential.ts'

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
