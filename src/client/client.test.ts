import { describe, expect, test } from 'vitest'
import type { SyncError } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import type { Change } from './state.ts'
import { createClient, memoryStore } from './index.ts'
import type { Client, ClientStore, Row } from './index.ts'

interface World {
  readonly server: FakeServer
  readonly env: FakeEnv
  readonly client: Client<{ todos: Row }>
  readonly changes: Change[]
}

function world(
  options: { store?: ClientStore; server?: FakeServer; connect?: boolean; prefix?: string } = {},
): World {
  const server = options.server ?? new FakeServer()
  if (options.server === undefined) server.define('todos', ['id', 'title', 'done', 'list'])
  const env = new FakeEnv(options.prefix)
  const client = createClient({
    url: 'http://local/api/sync',
    entities: ['todos'],
    env,
    transports: [server.transport()],
    store: options.store ?? 'memory',
    autoConnect: options.connect !== false,
  })
  const changes: Change[] = []
  client.on('changed', change => changes.push(change))
  return { server, env, client, changes }
}

const todo = (id: string, title: string) => ({ id, title, done: null, list: null })

describe('a client against a server double', () => {
  test('first sync, live changes, ready', async () => {
    const { server, client, changes } = world()
    server.put('todos', 'a', todo('a', 'one'))
    await client.ready
    expect(client.getAll('todos')).toEqual([todo('a', 'one')])
    expect(client.status()).toMatchObject({
      state: 'ready',
      pending: 0,
      storage: 'memory',
      user: 'u1',
      transport: 'local',
    })
    server.put('todos', 'b', todo('b', 'two'))
    await settle()
    expect(client.get('todos', 'b')).toEqual(todo('b', 'two'))
    expect(changes.at(-1)).toMatchObject({
      entity: 'todos',
      ids: ['b'],
      action: 'create',
      source: 'server',
      version: 2,
    })
  })

  test('[Q1] a write shows at once, is stored, sent, confirmed', async () => {
    const { server, client, changes } = world()
    await client.ready
    const handle = client.create('todos', { id: 'a', title: 'one' })
    expect(client.get('todos', 'a')).toEqual({ id: 'a', title: 'one' })
    expect(changes).toMatchObject([{ ids: ['a'], action: 'create', source: 'local' }])
    await handle.persisted
    expect(await handle.confirmed).toEqual({ status: 'applied', version: 1, id: 'a' })
    expect(client.pending()).toEqual([])
    expect(server.rows('todos')).toEqual([{ id: 'a', title: 'one' }])
    expect(changes.slice(1)).toMatchObject([{ ids: ['a'], action: 'create', source: 'server', version: 1 }])
  })

  test('[Q6] temporary ids become real ones, here and in what points to them', async () => {
    const { server, client, changes } = world({ connect: false })
    await settle()
    const parent = client.create('todos', { title: 'parent' })
    const child = client.create('todos', { id: 'c', title: 'child', list: parent.id })
    const edit = client.update('todos', parent.id, { title: 'renamed' })
    expect(client.get('todos', parent.id)).toEqual({ id: parent.id, title: 'renamed' })
    client.connect()
    const confirmed = await parent.confirmed
    await Promise.all([child.confirmed, edit.confirmed])
    expect(confirmed.id).toBe('r1')
    expect(client.get('todos', 'r1')).toMatchObject({ id: 'r1', title: 'renamed' })
    expect(client.get('todos', parent.id)).toBe(client.get('todos', 'r1'))
    expect(changes.find(change => change.replaced)?.replaced).toEqual([{ from: parent.id, to: 'r1' }])
    // the page still holds the temporary id
    await client.update('todos', parent.id, { done: 'yes' }).confirmed
    expect(server.tables.get('todos')?.rows.get('r1')?.row).toMatchObject({ done: 'yes' })
    await client.update('todos', 'c', { list: parent.id }).confirmed
    expect(client.getAll('todos')).toHaveLength(2)
  })

  test('[Q4] [Q5] what is refused for good becomes a dead letter with its dependants', async () => {
    const { server, client, changes } = world({ connect: false })
    await settle()
    const bad = client.create('todos', { title: 'bad' })
    const after = client.update('todos', bad.id, { title: 'worse' })
    const good = client.create('todos', { id: 'g', title: 'good' })
    server.judge = ({ n }) =>
      n === 1 || n === 2 ? { error: { code: 'VALIDATION_FAILED', message: 'no' } } : null
    const rejected: number[] = []
    client.on('rejected', ({ n }) => rejected.push(n))
    client.connect()
    await expect(bad.confirmed).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
    await expect(after.confirmed).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
    await good.confirmed
    expect(rejected).toEqual([1, 2])
    expect(client.getAll('todos')).toEqual([{ id: 'g', title: 'good', done: null, list: null }])
    expect(changes.some(({ source, ids }) => source === 'rollback' && ids[0] === bad.id)).toBe(true)
    expect(client.deadLetters().map(({ n, error }) => [n, error.code])).toEqual([
      [1, 'VALIDATION_FAILED'],
      [2, 'VALIDATION_FAILED'],
    ])
    server.judge = () => null
    const again = client.retry(1)
    expect((await again.confirmed).status).toBe('applied')
    client.discard(2)
    expect(client.deadLetters()).toEqual([])
  })

  test('[K1] [K2] a lost connection comes back with what is pending', async () => {
    const { server, env, client } = world()
    await client.ready
    expect(client.online).toBe(true)
    server.drop()
    await settle()
    expect(client.status()).toMatchObject({ state: 'waiting', attempt: 1, nextRetryAt: env.time + 1000 })
    expect(client.online).toBe(false)
    const handle = client.create('todos', { id: 'a', title: 'one' })
    await handle.persisted
    expect(client.status()).toMatchObject({ pending: 1, oldestUnsentAt: env.time })
    await env.advance(1000)
    expect((await handle.confirmed).status).toBe('applied')
    expect(client.status().attempt).toBe(0)
  })

  test('[Q3] a mutation whose result was lost is not stored twice, and settles', async () => {
    const { server, env, client } = world()
    await client.ready
    server.holdDown = true
    const handle = client.create('todos', { id: 'a', title: 'one' })
    await settle()
    expect(server.rows('todos')).toHaveLength(1)
    server.drop()
    server.holdDown = false
    await env.advance(1000)
    expect((await handle.confirmed).status).toBe('applied')
    expect(server.log).toHaveLength(1)
  })

  test('a store is taken up again where it was left', async () => {
    const store = memoryStore()
    const first = world({ store })
    await first.client.ready
    await first.client.create('todos', { id: 'a', title: 'one' }).confirmed
    first.client.disconnect()
    await first.client.update('todos', 'a', { title: 'two' }).persisted
    await first.client.close()
    const { client, server } = world({ store, server: first.server, prefix: 'y' })
    await client.ready
    await settle()
    expect(client.status().client).toBe(first.client.status().client)
    expect(server.received.filter(({ type }) => type === 'hello')).toMatchObject([{ lead: 1 }, { lead: 2 }])
    expect(server.tables.get('todos')?.rows.get('a')?.row).toMatchObject({ title: 'two' })
    expect(client.pending()).toEqual([])
  })

  test('[D13] a transaction is one mutation, and none if it throws', async () => {
    const { client, server, changes } = world()
    await client.ready
    const handle = client.transaction(tx => {
      tx.create('todos', { id: 'a', title: 'one' })
      tx.update('todos', 'a', { title: 'two' })
      tx.create('todos', { id: 'b', title: 'three' })
    })
    expect(changes).toMatchObject([{ ids: ['a', 'b'], action: 'create', source: 'local' }])
    await handle.confirmed
    expect(server.clients.get(client.status().client)?.last).toBe(1)
    expect(() =>
      client.transaction(tx => {
        tx.delete('todos', 'a')
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(client.getAll('todos')).toHaveLength(2)
  })

  test('[R5] nothing changed is nothing sent', async () => {
    const { client, server } = world()
    await client.ready
    await client.create('todos', { id: 'a', title: 'one' }).confirmed
    const handle = client.update('todos', 'a', { title: 'one' })
    expect(await handle.confirmed).toEqual({ status: 'applied', version: 1, id: 'a' })
    expect(handle.n).toBe(0)
    await client.update('todos', 'a', { title: 'one', done: 'x' }).confirmed
    const sent = server.received
      .filter(message => message.type === 'mutate')
      .flatMap(message => message.mutations)
    expect(sent.map(({ writes }) => writes[0]?.data)).toEqual([{ id: 'a', title: 'one' }, { done: 'x' }])
  })

  test('values that cannot be encoded are refused at the call', async () => {
    const { client } = world()
    await client.ready
    for (const value of [Number.NaN, () => 1, new Map(), Symbol('x'), undefined, Infinity]) {
      expect(() => client.create('todos', { id: 'a', title: value as unknown as string })).toThrow(
        expect.objectContaining({ code: 'SERIALIZATION_ERROR' }),
      )
    }
    client.create('todos', { id: 'a', title: 10n, done: new Date(0), list: new Uint8Array([1, 2]) })
    expect(client.get('todos', 'a')).toEqual({
      id: 'a',
      title: '10',
      done: '1970-01-01T00:00:00.000Z',
      list: { $blob: 'AQI=' },
    })
  })

  test('sync asks again, and rejects without a connection', async () => {
    const { client, server } = world()
    await client.ready
    await client.sync('todos')
    expect(server.received.filter(({ type }) => type === 'subscribe')).toHaveLength(2)
    client.disconnect()
    await expect(client.sync('todos')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
  })

  test('sync waits for an answer that is still to come, though a welcome said that there is nothing new', async () => {
    const { env, server, client } = world()
    server.put('todos', 'a', { id: 'a', title: 'one' })
    await env.advance(0)
    await client.ready
    server.drop()
    server.holdDown = true
    await env.advance(2000)
    // the welcome
    server.release()
    server.holdDown = true
    await env.advance(0)
    expect(client.status().state).toBe('ready')
    server.put('todos', 'b', { id: 'b', title: 'two' })
    let rows = 0
    const synced = client.sync('todos').then(() => (rows = client.getAll('todos').length))
    await env.advance(0)
    expect(rows).toBe(0)
    server.release()
    await synced
    expect(rows).toBe(2)
  })

  test('an entity that the server does not have is told of, once', async () => {
    const server = new FakeServer()
    server.define('todos', ['id', 'title'])
    const errors: SyncError[] = []
    const client = createClient({
      url: 'http://x',
      entities: ['todos', 'todoes'],
      env: new FakeEnv(),
      transports: [server.transport()],
      store: 'memory',
      onError: error => errors.push(error),
    })
    await client.ready
    // a server may keep no records, which is nothing wrong
    expect(client.conflicts.list()).toEqual([])
    client.disconnect()
    client.connect()
    await client.sync('todos')
    expect(errors).toMatchObject([{ code: 'UNKNOWN_ENTITY', message: "no entity 'todoes' is synced here" }])
  })

  test('what is asked for wrongly is refused in words; where there is no page, an address must be whole', async () => {
    const options = { url: '/api/sync', entities: ['todos'], env: new FakeEnv(), store: 'memory' } as const
    expect(() => createClient(options)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    await createClient({ ...options, autoConnect: false }).close()
    const { entities: _, ...without } = options
    // reason: an application without types
    for (const wrong of [without, { ...without, entities: 'todos' }, { ...without, entities: [undefined] }])
      expect(() => createClient(wrong as never)).toThrow(/name the tables/)
    expect(() => createClient({ ...options, onErorr: () => {} } as never)).toThrow("unknown option 'onErorr'") // reason: as above
  })

  test('ready comes offline too, with what is cached', async () => {
    const server = new FakeServer()
    server.refusing = 1006
    const { client } = world({ server })
    await client.ready
    expect(client.status().state).toBe('waiting')
    expect(client.online).toBe(false)
  })

  test('[R8] a store that fails: memory mode, announced, and all goes on', async () => {
    const store: ClientStore = { ...memoryStore(), save: () => Promise.reject(new Error('disk gone')) }
    const { client } = world({ store })
    const errors: SyncError[] = []
    client.on('error', error => errors.push(error))
    await client.ready
    const handle = client.create('todos', { id: 'a', title: 'one' })
    await expect(handle.persisted).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    expect((await handle.confirmed).status).toBe('applied')
    expect(client.status().storage).toBe('memory')
    expect(errors.length).toBeGreaterThan(0)
  })

  test('another user at welcome: nothing of the last one is sent or shown', async () => {
    const stores = new Map<string, ClientStore>()
    const server = new FakeServer()
    server.define('todos', ['id', 'title', 'done', 'list'])
    const env = new FakeEnv()
    const client = createClient({
      url: 'http://x',
      entities: ['todos'],
      env,
      transports: [server.transport()],
      store: database => {
        const store = stores.get(database) ?? memoryStore()
        stores.set(database, store)
        return store
      },
    })
    await client.ready
    await client.create('todos', { id: 'a', title: 'mine' }).confirmed
    server.drop()
    server.user = 'u2'
    client.update('todos', 'a', { title: 'still mine' })
    server.tables.get('todos')?.rows.clear()
    await env.advance(1000)
    await settle()
    expect(client.status()).toMatchObject({ user: 'u2', state: 'ready', pending: 0 })
    expect(client.getAll('todos')).toEqual([])
    expect(server.rows('todos')).toEqual([])
    expect([...stores.keys()]).toEqual(['syncline-anon', 'syncline-u2'])
  })
})
