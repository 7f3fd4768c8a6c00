import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SyncError } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { FakeStorage } from '../testing/fake-storage.ts'
import { allParts } from './create-client.ts'
import { home } from './home.ts'
import type { Home } from './home.ts'
import { clientOf, createClient, memoryStore } from './index.ts'
import type { ClientOptions, ClientStore } from './index.ts'

let server: FakeServer
let env: FakeEnv
let page = 0

beforeEach(() => {
  server = new FakeServer()
  server.define('todos', ['id', 'title'])
})

afterEach(() => vi.unstubAllGlobals())

function options(more: Partial<ClientOptions> = {}): ClientOptions {
  page += 1
  env = new FakeEnv(`e${page}_`)
  return { url: 'http://x', entities: ['todos'], env, transports: [server.transport()], ...more }
}

const open = (more: Partial<ClientOptions> = {}) => createClient(options(more))
const todo = (id: string, title = id) => ({ id, title })

/** What browsers keep between two loads of a page. */
function browser() {
  const stores = new Map<string, ClientStore>()
  vi.stubGlobal('indexedDB', {})
  vi.stubGlobal('localStorage', new FakeStorage())
  return (database: string): ClientStore => {
    const store = stores.get(database) ?? { ...memoryStore(), kind: 'indexeddb' as const }
    stores.set(database, store)
    return store
  }
}

describe('numbers', () => {
  test('[Q3] what was sent from memory is not numbered again by the next load', async () => {
    const disk = memoryStore()
    let full = false
    const store: ClientStore = {
      ...disk,
      save: async work => {
        if (full && work.news.length > 0) throw new SyncError('STORAGE_FULL', 'quota')
        return disk.save(work)
      },
    }
    const first = open({ store })
    await first.ready
    await first.create('todos', todo('a')).confirmed
    full = true
    await first.update('todos', 'a', { title: 'two' }).confirmed
    await first.update('todos', 'a', { title: 'three' }).confirmed
    await first.close()
    full = false
    const second = open({ store })
    const edit = second.create('todos', todo('b'))
    await edit.confirmed
    // the numbers that no disk counted were another client's
    expect(second.status().client).not.toBe(first.status().client)
    expect(edit.n).toBe(2)
    expect(new Set(server.received.flatMap(m => (m.type === 'hello' ? [m.client] : []))).size).toBe(2)
    expect(server.rows('todos')).toEqual([todo('a', 'three'), todo('b')])
  })

  test('[Q3] [R8] a load that cannot be noted is a client of its own, and leaves what waits to the next', async () => {
    const disk = memoryStore()
    let full = false
    const store: ClientStore = {
      ...disk,
      claim: (fresh, from) =>
        full ? Promise.reject(new SyncError('STORAGE_FULL', 'quota')) : disk.claim(fresh, from),
    }
    const first = open({ store, autoConnect: false })
    await first.create('todos', todo('a')).persisted
    await first.close()
    full = true
    const second = open({ store })
    await second.create('todos', todo('b')).confirmed
    expect(second.status()).toMatchObject({ storage: 'memory', pending: 0 })
    expect(second.status().client).not.toBe(first.status().client)
    await second.close()
    full = false
    const third = open({ store })
    await third.ready
    await settle()
    expect(third.status()).toMatchObject({ client: first.status().client, pending: 0 })
    expect(server.rows('todos')).toEqual([todo('b'), todo('a')])
    await third.close()
    full = true
    // whose rows are shown is not forgotten: another user's connection must not go on with them
    const fourth = open({ store, autoConnect: false })
    await fourth.ready
    expect(fourth.getAll('todos')).toHaveLength(2)
    expect(fourth.status().user).toBe('u1')
  })

  test("[Q3] the promises of one user's edits are not settled by another's", async () => {
    const store = browser()
    server.user = 'alice'
    const seed = open({ store })
    await seed.ready
    await settle()
    await seed.close()
    server.user = 'bob'
    const bobs = open({ store })
    await vi.waitFor(() => expect(bobs.status()).toMatchObject({ user: 'bob', state: 'ready' }))
    await bobs.close()
    server.user = 'alice'
    const client = open({ store })
    await vi.waitFor(() => expect(client.status()).toMatchObject({ user: 'alice', state: 'ready' }))
    client.disconnect()
    const edit = client.create('todos', todo('a'))
    await edit.persisted
    const told = vi.fn()
    void edit.confirmed.then(told, told)
    server.user = 'bob'
    client.connect()
    await vi.waitFor(() => expect(client.status()).toMatchObject({ user: 'bob', state: 'ready' }))
    const his = Array.from({ length: 3 }, (_, i) => client.create('todos', todo(`b${i}`)))
    await Promise.all(his.map(({ confirmed }) => confirmed))
    expect(told).not.toHaveBeenCalled()
    await client.close()
    await expect(edit.confirmed).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test("a user called as another one's database is switched to once", async () => {
    const store = browser()
    server.user = 'alice'
    const first = open({ store })
    await first.ready
    await settle()
    await first.close()
    server.user = 'anon'
    const client = open({ store })
    const users: string[] = []
    client.on('user', user => users.push(user))
    await vi.waitFor(() => expect(client.status()).toMatchObject({ user: 'anon', state: 'ready' }))
    expect(users).toEqual(['anon'])
  })
})

describe('opening', () => {
  test('clear during it: one connection, of the client that is left, and it sends', async () => {
    const client = open({ store: memoryStore() })
    await client.clear()
    await client.ready
    await client.create('todos', todo('a')).confirmed
    expect(server.received.filter(({ type }) => type === 'hello')).toMatchObject([
      { client: client.status().client },
    ])
  })

  test('[R8] a clear that fails says so, and all goes on in memory', async () => {
    const cause = new SyncError('STORAGE_FAILED', 'broken')
    const store = { ...memoryStore(), clear: () => Promise.reject(cause) }
    const client = open({ store })
    await client.ready
    await expect(client.clear()).rejects.toBe(cause)
    await client.create('todos', todo('a')).confirmed
    expect(client.status().lastError).toBe(cause)
  })

  test('[R8] a store that cannot be made: memory, announced', async () => {
    const seen: unknown[] = []
    const client = open({
      store: () => {
        throw new Error('no database')
      },
    })
    client.on('storage', detail => seen.push(detail))
    vi.stubGlobal('indexedDB', {})
    await client.ready
    await client.create('todos', todo('a')).confirmed
    expect(seen).toMatchObject([{ storage: 'memory', reason: 'failed', error: { code: 'STORAGE_FAILED' } }])
  })

  test('[R8] a database that never opens is given up', async () => {
    vi.stubGlobal('indexedDB', { open: () => ({}) })
    const client = open()
    await env.advance(5000)
    await client.ready
    expect(client.status()).toMatchObject({ state: 'ready', storage: 'memory' })
  })

  test('close settles what waits, and is for good', async () => {
    server.mute = true
    const client = open({ store: 'memory' })
    const sync = client.sync('todos')
    await Promise.all([client.close(), expect(sync).rejects.toMatchObject({ code: 'NOT_CONNECTED' })])
    await client.ready
    client.connect()
    expect([client.status().state, client.online]).toEqual(['idle', false])
  })

  test('[R6] clear tells which rows are gone', async () => {
    server.put('todos', 'a', todo('a'))
    const client = open({ store: 'memory' })
    await client.ready
    client.disconnect()
    client.create('todos', todo('b'))
    const changes: unknown[] = []
    client.on('changed', change => changes.push(change))
    await client.clear()
    expect(changes).toMatchObject([{ entity: 'todos', ids: ['a', 'b'], action: 'delete' }])
  })

  test('sync waits for the first connection', async () => {
    server.put('todos', 'a', todo('a'))
    const client = open({ store: 'memory' })
    await client.sync('todos')
    expect(client.getAll('todos')).toEqual([todo('a')])
    server.drop()
    await expect(client.sync('todos')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
  })
})

test('[R8] [K1] what listeners throw stops neither the disk nor the connection', async () => {
  const fail = (): never => {
    throw new Error('listener')
  }
  const store: ClientStore = { ...memoryStore(), save: fail }
  const client = open({ store, onError: fail, debug: fail })
  for (const event of ['changed', 'state', 'ready', 'storage', 'error'] as const) client.on(event, fail)
  client.subscribe('todos', fail)
  await client.ready
  const edit = client.create('todos', todo('a'))
  await expect(edit.persisted).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  await edit.confirmed
  expect(client.status()).toMatchObject({ state: 'ready', attempt: 0, pending: 0 })
  await client.close()
})

test('[S7] what heals is loaded once for all, and again where it failed', async () => {
  const store = memoryStore()
  server.put('todos', 'a', todo('a'))
  server.define('notes', ['id'])
  const entities = ['todos', 'notes']
  const first = open({ store, entities })
  await first.ready
  await first.close()
  server.epoch = 'e2'
  server.put('todos', 'b', todo('b'))
  const load = vi.fn<() => Promise<Home>>().mockRejectedValue(new Error('no network'))
  const client = clientOf(options({ store, entities }), { ...allParts(), home: load })
  await vi.waitFor(() => expect(client.status().lastError?.message).toMatch('no network'))
  expect(load).toHaveBeenCalledTimes(1)
  load.mockResolvedValue(home)
  await env.advance(1000)
  await vi.waitFor(() => expect(client.getAll('todos')).toHaveLength(2))
  expect(load).toHaveBeenCalledTimes(2)
})

test('X32 [A8] a database that was emptied is still its user’s: another one goes on with what they left unsent', async () => {
  const store = browser()
  const welcomed = async (user: string) => {
    server.user = user
    const client = open({ store })
    const users: string[] = []
    client.on('user', told => users.push(told))
    await vi.waitFor(() => expect(client.status()).toMatchObject({ user, state: 'ready' }))
    await settle()
    return { client, users }
  }
  const earlier = await welcomed('bob')
  earlier.client.disconnect()
  await earlier.client.create('todos', todo('waiting')).persisted
  await earlier.client.close()
  const first = await welcomed('alice')
  first.client.disconnect()
  await first.client.clear()
  await first.client.close()
  const second = await welcomed('bob')
  expect(second.users).toEqual(['bob'])
  expect(server.rows('todos')).toEqual([todo('waiting')])
  await second.client.create('todos', todo('b')).confirmed
  await second.client.close()
  const third = await welcomed('alice')
  expect(third.users).toEqual(['alice'])
  expect(third.client.status().client).not.toBe(second.client.status().client)
})
