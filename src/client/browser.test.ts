import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { FakeStorage } from '../testing/fake-storage.ts'
import { createClient, platformEnv } from './index.ts'
import type { Client, StorageDetail } from './index.ts'
import { platform } from './platform.ts'

/** Web Locks, as far as they are used. */
class FakeLocks {
  readonly held = new Set<string>()
  waiting: { name: string; run: () => unknown }[] = []

  async request(
    name: string,
    options: { ifAvailable?: boolean; signal?: AbortSignal },
    run: (lock: object | null) => unknown,
  ): Promise<void> {
    if (this.held.has(name)) {
      if (options.ifAvailable === true) return void (await run(null))
      this.waiting.push({ name, run: () => this.grant(name, run) })
      return
    }
    await this.grant(name, run)
  }

  async grant(name: string, run: (lock: object) => unknown): Promise<void> {
    this.held.add(name)
    await run({})
    this.held.delete(name)
    const next = this.waiting.shift()
    if (next !== undefined) await next.run()
  }
}

let server: FakeServer

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
  vi.stubGlobal('localStorage', new FakeStorage())
  vi.stubGlobal('navigator', { locks: new FakeLocks(), onLine: true })
  server = new FakeServer()
  server.define('todos', ['id', 'title'])
})

const opened: Client[] = []

afterEach(async () => {
  // a channel is heard by every page of this process
  await Promise.all(opened.splice(0).map(client => client.close()))
  vi.unstubAllGlobals()
})

let page = 0
function open(connect = true) {
  page += 1
  const env = Object.assign(new FakeEnv(`p${page}_`), { tabs: platform.tabs })
  const client = createClient({
    url: 'http://x',
    entities: ['todos'] as string[],
    env,
    transports: [server.transport()],
    autoConnect: connect,
  })
  opened.push(client)
  const storage: StorageDetail[] = []
  client.on('storage', detail => storage.push(detail))
  return { client, env, storage }
}

const databases = async (): Promise<string[]> => (await indexedDB.databases()).map(({ name }) => name ?? '')

test('[Q1] [R7] a page finds its rows and its queue again, offline', async () => {
  const first = open()
  await first.client.ready
  expect(first.client.status().storage).toBe('indexeddb')
  await first.client.create('todos', { id: 'a', title: 'one' }).confirmed
  first.client.disconnect()
  await first.client.update('todos', 'a', { title: 'two' }).persisted
  await first.client.close()
  const second = open(false)
  await vi.waitFor(() => expect(second.client.getAll('todos')).toEqual([{ id: 'a', title: 'two' }]))
  await second.client.ready
  expect(second.client.status()).toMatchObject({
    pending: 1,
    client: first.client.status().client,
    state: 'idle',
  })
  second.client.connect()
  await vi.waitFor(() => expect(second.client.status().pending).toBe(0))
  expect(server.rows('todos')).toEqual([{ id: 'a', title: 'two' }])
  await second.client.close()
})

test('tabs that cannot hear each other: one has the disk, the others work in memory, announced', async () => {
  vi.stubGlobal('BroadcastChannel', undefined)
  const first = open()
  await first.client.ready
  expect(first.client.status().storage).toBe('indexeddb')
  const second = open()
  await vi.waitFor(() => expect(second.env.timers.size).toBeGreaterThan(0))
  await second.env.advance(500)
  await second.client.ready
  expect(second.storage).toMatchObject([{ storage: 'memory', reason: 'busy' }])
  expect(second.client.status()).toMatchObject({ storage: 'memory', leader: true })
  expect(second.client.status().client).not.toBe(first.client.status().client)
  await first.client.create('todos', { id: 'a', title: 'one' }).confirmed
  await vi.waitFor(() => expect(second.client.getAll('todos')).toHaveLength(1))
  await first.client.close()
  const third = open()
  await third.client.ready
  expect(third.client.status().storage).toBe('indexeddb')
})

test('without Web Locks, BroadcastChannel and randomUUID a page works in memory, announced', async () => {
  vi.stubGlobal('navigator', { onLine: true })
  vi.stubGlobal('BroadcastChannel', undefined)
  const whole = crypto
  vi.stubGlobal('crypto', {
    getRandomValues: (bytes: Uint8Array<ArrayBuffer>) => whole.getRandomValues(bytes),
  })
  const names = [platformEnv().unique(), platformEnv().unique()]
  expect(names).toEqual(names.map(() => expect.stringMatching(/^[0-9a-f]{32}$/)))
  expect(names[0]).not.toBe(names[1])
  const [one, two] = [open(), open()]
  await Promise.all([one.client.ready, two.client.ready])
  expect(one.storage).toMatchObject([{ storage: 'memory', reason: 'failed' }])
  expect(one.client.status().client).not.toBe(two.client.status().client)
  await one.client.create('todos', { id: 'a' }).confirmed
  await two.client.create('todos', { id: 'b' }).confirmed
  expect(server.rows('todos')).toEqual([{ id: 'a' }, { id: 'b' }])
})

test('each user has a database of their own, and comes back to it', async () => {
  const one = open()
  await one.client.ready
  await one.client.create('todos', { id: 'a', title: 'mine' }).confirmed
  one.client.disconnect()
  await one.client.update('todos', 'a', { title: 'unsent' }).persisted
  server.user = 'u2'
  server.tables.get('todos')?.rows.clear()
  one.client.connect()
  await vi.waitFor(() =>
    expect(one.client.status()).toMatchObject({ user: 'u2', state: 'ready', pending: 0 }),
  )
  expect(one.client.getAll('todos')).toEqual([])
  expect((await databases()).sort()).toEqual(['syncline-anon', 'syncline-u2'])
  await one.client.close()
  const two = open()
  await two.client.ready
  expect(two.client.status().user).toBe('u2')
  server.drop()
  server.user = 'u1'
  await two.env.advance(1000)
  await vi.waitFor(() =>
    expect(two.client.status()).toMatchObject({ user: 'u1', state: 'ready', pending: 0 }),
  )
  expect(server.received.filter(message => message.type === 'mutate')).toHaveLength(2)
  await two.client.close()
})

test('[R8] without a usable database a page works in memory, announced', async () => {
  vi.stubGlobal('indexedDB', {
    open: () => {
      throw new DOMException('no', 'SecurityError')
    },
  })
  const { client, storage } = open()
  await client.ready
  expect(storage).toMatchObject([{ storage: 'memory', reason: 'failed', error: { code: 'STORAGE_FAILED' } }])
  await client.create('todos', { id: 'a', title: 'one' }).confirmed
  await client.close()
})

test('clear forgets rows and queue, and begins anew', async () => {
  const { client } = open()
  await client.ready
  await client.create('todos', { id: 'a', title: 'one' }).confirmed
  client.disconnect()
  const lost = client.update('todos', 'a', { title: 'two' })
  const { client: name } = client.status()
  await client.clear()
  await expect(lost.confirmed).rejects.toMatchObject({ code: 'DISCARDED' })
  expect([client.getAll('todos'), client.pending()]).toEqual([[], []])
  expect(client.status().client).not.toBe(name)
  client.connect()
  await vi.waitFor(() => expect(client.getAll('todos')).toEqual([{ id: 'a', title: 'one' }]))
  await client.close()
})

test('close at once, twice, and writes after it', async () => {
  const { client } = open()
  await Promise.all([client.close(), client.close()])
  await expect(client.create('todos', { id: 'a' }).confirmed).rejects.toMatchObject({ code: 'CLOSED' })
  expect(client.status().state).toBe('idle')
})
