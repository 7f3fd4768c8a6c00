// First visits on which something goes wrong before the home is there, or while it comes.
import { expect, test, vi } from 'vitest'
import { settle } from '../testing/fake-env.ts'
import { server, tabs } from './crew-rig.test.ts'
import { hellos, leftUnsent, loseNotes, moment, state, todo, visitor, whole } from './visiting-rig.test.ts'

test('the database is another user’s, of which the note was lost: what was written meanwhile is the visitor’s', async () => {
  server.user = 'alice'
  const first = whole()
  await state(first.client, 'ready')
  await first.client.create('todos', todo('alices')).confirmed
  await settle()
  await first.client.close()
  loseNotes()
  server.user = 'bob'
  const v = visitor()
  await state(v.client, 'ready')
  const edit = v.client.create('todos', todo('bobs'))
  const told = vi.fn()
  void edit.confirmed.then(told, told)
  server.refusing = 1006
  server.drop()
  v.arrive()
  await moment()
  server.refusing = null
  await v.env.advance(5_000)
  await vi.waitFor(() =>
    expect(v.client.status()).toMatchObject({ user: 'bob', state: 'ready', storage: 'indexeddb' }),
  )
  await settle()
  await vi.waitFor(() => expect(server.rows('todos')).toContainEqual(todo('bobs')))
  await vi.waitFor(() => expect(told).toHaveBeenCalled())
  expect(told.mock.calls[0]?.[0]).toMatchObject({ status: 'applied' })
  await expect(edit.persisted).resolves.toBeUndefined()
})

test('somebody else signed in before the home came', async () => {
  server.put('todos', 'a', todo('a', 'alices'))
  server.user = 'alice'
  const v = visitor()
  await state(v.client, 'ready')
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(1))
  server.user = 'bob'
  server.drop()
  await v.env.advance(5_000)
  await state(v.client, 'ready')
  v.arrive()
  await vi.waitFor(() =>
    expect(v.client.status()).toMatchObject({ user: 'bob', state: 'ready', storage: 'indexeddb' }),
  )
  await settle()
  expect(v.events.filter(one => one.startsWith('user'))).toEqual(['user bob'])
  await v.client.close()
  expect(tabs.held(v.name)).toBe(0)
  expect(v.env.timers.size).toBe(0)
})

test('what is written when somebody else has signed in is theirs', async () => {
  server.user = 'alice'
  const v = visitor()
  await state(v.client, 'ready')
  const hers = v.client.create('todos', todo('hers'))
  server.user = 'bob'
  server.drop()
  await v.env.advance(5_000)
  await state(v.client, 'ready')
  const user = new Promise(resolve => v.client.on('user', resolve))
  v.arrive()
  await user
  await v.client.create('todos', todo('his')).confirmed
  expect(server.rows('todos')).toEqual([todo('his')])
  await v.client.close()
  await expect(hers.confirmed).rejects.toMatchObject({ code: 'CLOSED' })
  server.user = 'alice'
  const again = whole()
  await vi.waitFor(() => expect(again.client.status()).toMatchObject({ user: 'alice', state: 'ready' }))
  await vi.waitFor(() => expect(server.rows('todos')).toEqual([todo('his'), todo('hers')]))
})

test('disconnected in the turn in which it was made', async () => {
  const v = visitor()
  v.client.disconnect()
  await settle()
  expect(v.loads).toBe(1)
  v.arrive()
  await vi.waitFor(() => expect(v.client.status().storage).toBe('indexeddb'))
  let ready = false
  void v.client.ready.then(() => (ready = true))
  await vi.waitFor(() => expect(ready).toBe(true))
})

test('close settles a sync, a clear and an adoption that wait for a home that never comes', async () => {
  const v = visitor()
  await state(v.client, 'ready')
  const all = [v.client.sync('todos'), v.client.clear(), v.client.adopt()]
  const done = vi.fn()
  for (const one of all) void one.then(done, done)
  const edit = v.client.create('todos', todo('a'))
  await v.client.close()
  await expect(edit.confirmed).rejects.toMatchObject({ code: 'CLOSED' })
  await settle()
  expect(done).toHaveBeenCalledTimes(3)
})

test('what is written in the turn of a clear comes after it', async () => {
  const { client } = whole()
  await state(client, 'ready')
  const cleared = client.clear()
  const edit = client.create('todos', todo('a'))
  await cleared
  await edit.confirmed
  expect(server.rows('todos')).toEqual([todo('a')])
})

test('a client that is closed loads nothing', async () => {
  const early = visitor()
  await early.client.close()
  server.refusing = 1006
  const late = visitor()
  await Promise.resolve()
  await late.client.close()
  await settle()
  expect([early.loads, late.loads]).toEqual([0, 0])
})

test('what was written before the home of a client without a disk', async () => {
  const v = visitor({ store: 'memory' })
  const edit = v.client.create('todos', todo('a'))
  await state(v.client, 'ready')
  v.arrive()
  await settle()
  expect(server.rows('todos')).toEqual([todo('a')])
  await edit.confirmed
  await v.client.ready
  expect(hellos()).toHaveLength(1)
})

test('who was turned away is not asked again because the home came', async () => {
  for (const store of ['auto', 'memory'] as const) {
    server.refusing = 4401
    const v = visitor({ store })
    await state(v.client, 'stopped')
    v.arrive()
    await v.client.ready
    await v.env.advance(3_000)
    await settle()
    expect([store, v.events.join()]).toEqual([store, 'connecting,stopped'])
  }
})

test('a visitor in the back-forward cache while its home is opened', async () => {
  server.put('todos', 'a', todo('a'))
  const v = visitor()
  await state(v.client, 'ready')
  v.arrive()
  await Promise.resolve()
  await Promise.resolve()
  v.env.hint('suspend')
  await moment()
  expect(server.links).toHaveLength(0)
  v.env.hint('resume')
  await state(v.client, 'ready')
  await v.client.create('todos', todo('b')).confirmed
})

test('a database of the same user with unsent edits, of which the note was lost', async () => {
  server.put('todos', 'a', todo('a'))
  await leftUnsent()
  loseNotes()
  const v = visitor()
  const edit = v.client.create('todos', todo('c'))
  await state(v.client, 'ready')
  v.arrive()
  await edit.confirmed
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(3))
  expect(server.rows('todos')).toEqual([todo('a'), todo('b'), todo('c')])
  expect(server.links).toHaveLength(1)
})

test('cleared before its home came', async () => {
  server.put('todos', 'a', todo('a'))
  const v = visitor()
  const edit = v.client.create('todos', todo('b'))
  await state(v.client, 'ready')
  const cleared = v.client.clear()
  v.arrive()
  await cleared
  await expect(edit.confirmed).rejects.toMatchObject({ code: 'DISCARDED' })
  await state(v.client, 'ready')
  await v.client.create('todos', todo('c')).confirmed
  await vi.waitFor(() => expect(v.client.getAll('todos').length).toBeGreaterThan(1))
  expect(server.links).toHaveLength(1)
})

test('no storage of any kind', async () => {
  vi.stubGlobal('indexedDB', undefined)
  vi.stubGlobal('localStorage', undefined)
  const v = visitor()
  const edit = v.client.create('todos', todo('b'))
  await state(v.client, 'ready')
  v.arrive()
  await edit.confirmed
  await v.client.ready
  expect(v.client.status()).toMatchObject({ storage: 'memory', pending: 0 })
  expect(hellos()).toHaveLength(1)
})

test('a database that never opens', async () => {
  const v = visitor()
  const edit = v.client.create('todos', todo('b'))
  await state(v.client, 'ready')
  vi.stubGlobal('indexedDB', { open: () => ({}) })
  v.arrive()
  await settle()
  await v.env.advance(5_000)
  await edit.confirmed
  expect(v.client.status()).toMatchObject({ storage: 'memory', state: 'ready' })
  expect(hellos()).toHaveLength(1)
})

test('autoConnect false: connected before and after the home', async () => {
  const v = visitor({ autoConnect: false })
  const edit = v.client.create('todos', todo('b'))
  v.client.connect()
  await settle()
  v.arrive()
  await edit.confirmed
  expect(hellos()).toHaveLength(1)
})

test('a home that fails twice', async () => {
  const v = visitor()
  const edit = v.client.create('todos', todo('b'))
  await state(v.client, 'ready')
  for (let i = 0; i < 2; i++) {
    v.fail()
    await settle()
    await v.env.advance(2_000)
  }
  expect(v.loads).toBe(3)
  v.arrive()
  await edit.confirmed
  expect(hellos()).toHaveLength(1)
})

test('closed at every moment of its first visit: nothing is left of it', async () => {
  for (let steps = 0; steps < 60; steps += 3) {
    const v = visitor({ name: `n${steps}` })
    void v.client.create('todos', todo(`a${steps}`)).confirmed.catch(() => {})
    await settle()
    v.arrive()
    for (let i = 0; i < steps; i++)
      await (i % 5 === 4 ? new Promise(go => setTimeout(go, 0)) : Promise.resolve())
    await v.client.close()
    await v.client.ready
    await settle()
    expect([steps, tabs.held(v.name), v.env.timers.size, v.env.hints.size, server.links.length]).toEqual([
      steps,
      0,
      0,
      0,
      0,
    ])
  }
})

test('a page that names its user, whose database is here and whose note is lost', async () => {
  server.user = 'alice'
  const first = await leftUnsent({ user: 'alice' })
  loseNotes()
  const v = visitor({ user: 'alice' })
  await state(v.client, 'ready')
  v.arrive()
  await vi.waitFor(() => expect(server.rows('todos')).toEqual([todo('b')]))
  expect(v.client.status().client).toBe(first.status().client)
})

test('a page that was here before, and whose home cannot be loaded, has what the server has', async () => {
  server.put('todos', 'a', todo('a'))
  await leftUnsent()
  const v = visitor()
  await settle()
  expect(hellos()).toHaveLength(1)
  v.fail()
  await v.client.ready
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(1))
  const edit = v.client.create('todos', todo('c'))
  await v.env.advance(2_000)
  v.arrive()
  await edit.confirmed
  expect(server.rows('todos')).toEqual([todo('a'), todo('b'), todo('c')])
  expect(server.links).toHaveLength(1)
})

test('a page that is not to connect, and whose home cannot be loaded, is ready', async () => {
  const v = visitor({ autoConnect: false })
  await settle()
  v.fail()
  await v.client.ready
  v.client.connect()
  await state(v.client, 'ready')
})

test('what the server refuses while the home cannot be loaded: ready all the same', async () => {
  const v = visitor({ where: { todos: { title: 'x' } } })
  server.refuses = () => ({ code: 'INVALID_MESSAGE' })
  await settle()
  v.fail()
  await settle()
  await v.client.ready
})

test('what somebody wrote is not sent as the one who has signed in meanwhile in another tab', async () => {
  server.user = 'alice'
  const hers = visitor()
  await state(hers.client, 'ready')
  server.user = 'bob'
  const his = visitor()
  await state(his.client, 'ready')
  void hers.client.create('todos', todo('hers'))
  const edit = his.client.create('todos', todo('his'))
  his.arrive()
  hers.arrive()
  await edit.confirmed
  await vi.waitFor(() => expect(hers.client.status()).toMatchObject({ user: 'bob', state: 'ready' }))
  await moment()
  expect(server.rows('todos')).toEqual([todo('his')])
  server.user = 'alice'
  server.drop()
  await Promise.all([hers, his].map(({ env }) => env.advance(5_000)))
  await vi.waitFor(() => expect(server.rows('todos')).toEqual([todo('his'), todo('hers')]))
})
