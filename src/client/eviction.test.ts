// What is noticed of a database that went away: between two visits, and under the eyes of open pages.
import { IDBFactory, IDBKeyRange, IDBObjectStore } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { FakeTabs } from '../testing/fake-tabs.ts'
import { createClient } from './index.ts'
import type { Client, StorageDetail, WriteHandle } from './index.ts'

let server: FakeServer
let tabs: FakeTabs
let notes: Map<string, string>
const opened: Client[] = []

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
  notes = new Map()
  tabs = new FakeTabs()
  server = new FakeServer()
  server.define('todos', ['id', 'title'])
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map(client => client.close()))
  vi.unstubAllGlobals()
})

let page = 0
function open() {
  const name = `p${++page}`
  const env = Object.assign(new FakeEnv(`${name}_`), {
    tabs: tabs.of(name),
    notes: {
      get: (key: string) => notes.get(key) ?? null,
      set: (key: string, value: string) => void notes.set(key, value),
    },
  })
  const client = createClient({
    url: 'http://x',
    entities: ['todos'] as string[],
    env,
    transports: [server.transport()],
  })
  opened.push(client)
  const storage: StorageDetail[] = []
  client.on('storage', detail => storage.push(detail))
  return { name, client, env, storage }
}

const evicted = (lost: number) => [{ storage: 'indexeddb', reason: 'evicted', lost, error: null }]

test('[R12] an evicted database is announced with what had waited in it, once, and loaded anew', async () => {
  server.put('todos', 'a', { id: 'a', title: 'one' })
  const before = open()
  await before.client.ready
  await before.client.update('todos', 'a', { title: 'sent' }).confirmed
  before.client.disconnect()
  await before.client.update('todos', 'a', { title: 'unsent' }).persisted
  await before.client.create('todos', { id: 'b', title: 'unsent' }).persisted
  await before.client.close()
  expect(before.storage).toEqual([])
  vi.stubGlobal('indexedDB', new IDBFactory())
  const after = open()
  await after.client.ready
  await vi.waitFor(() => expect(after.storage).toEqual(evicted(2)))
  expect(after.client.getAll('todos')).toEqual([{ id: 'a', title: 'sent' }])
  // its numbers are another client's: none of them can be taken for a repetition
  expect(after.client.status().client).not.toBe(before.client.status().client)
  await after.client.update('todos', 'a', { title: 'again' }).confirmed
  await after.client.close()
  const third = open()
  await third.client.ready
  await third.client.close()
  expect(third.storage).toEqual([])
})

test('[R12] what was settled is not lost, and what was cleared on purpose is no loss', async () => {
  const before = open()
  await before.client.ready
  await before.client.create('todos', { id: 'a', title: 'sent' }).confirmed
  await before.client.close()
  vi.stubGlobal('indexedDB', new IDBFactory())
  const after = open()
  await vi.waitFor(() => expect(after.storage).toEqual(evicted(0)))
  await after.client.ready
  after.client.disconnect()
  await after.client.update('todos', 'a', { title: 'unsent' }).persisted
  await after.client.clear()
  await after.client.close()
  const third = open()
  await third.client.ready
  await third.client.close()
  expect(third.storage).toEqual([])
  expect(after.storage).toEqual(evicted(0))
})

const remove = (name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })

test('[R12] [R8] taken away under open tabs: announced by each, and what they hold is sent, by whichever is left', async () => {
  const [first, second] = [open(), open()]
  await Promise.all([first.client.ready, second.client.ready])
  first.client.disconnect()
  await first.client.create('todos', { id: 'a', title: 'first' }).persisted
  await second.client.create('todos', { id: 'b', title: 'second' }).persisted
  await vi.waitFor(() => expect(second.client.getAll('todos')).toHaveLength(2))
  await remove('syncline-anon')
  for (const { storage } of [first, second])
    await vi.waitFor(() => expect(storage).toMatchObject([{ storage: 'memory', reason: 'failed' }]))
  const kept = second.client.create('todos', { id: 'c', title: 'in memory' })
  await expect(kept.persisted).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  await first.client.close()
  expect(server.rows('todos')).toEqual([])
  second.client.connect()
  await vi.waitFor(() => expect(second.client.status().pending).toBe(0))
  await kept.confirmed
  expect(server.rows('todos').map(row => row['id'])).toEqual(['a', 'b', 'c'])
  // a page that comes now begins anew, and takes no part in what those hold
  const later = open()
  await later.client.ready
  await later.client.create('todos', { id: 'd', title: 'later' }).confirmed
  expect(later.client.getAll('todos')).toHaveLength(4)
})

test('[R12] [R8] taken away under a leader whose disk was full already: it holds nobody off, nor is held off', async () => {
  const [first, second] = [open(), open()]
  await Promise.all([first.client.ready, second.client.ready])
  first.client.disconnect()
  await first.client.create('todos', { id: 'a', title: 'stored' }).persisted
  await vi.waitFor(() => expect(second.client.getAll('todos')).toHaveLength(1))
  const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('', 'QuotaExceededError')
  })
  const kept = first.client.create('todos', { id: 'b', title: 'in memory' })
  await expect(kept.persisted).rejects.toMatchObject({ code: 'STORAGE_FULL' })
  put.mockRestore()
  await remove('syncline-anon')
  await vi.waitFor(() => expect(second.storage).toMatchObject([{ storage: 'memory' }]))
  for (const { client } of [first, second]) client.connect()
  await vi.waitFor(() => expect(server.rows('todos').map(row => row['id'])).toEqual(['a', 'b']))
  const hellos = server.received.flatMap(message => (message.type === 'hello' ? [message] : []))
  const [client] = hellos.map(hello => hello.client)
  // as that client both are above all leads that were given: the server closes none of them for the other (Q7)
  const lone = hellos.slice(1).filter(hello => hello.client === client)
  expect(lone.length).toBeGreaterThan(0)
  expect(lone.map(({ lead }) => lead)).toEqual(lone.map(() => Number.MAX_SAFE_INTEGER))
  expect(first.storage).toHaveLength(1)
})

test('[R12] a page that slept while its database was replaced leaves the mark of the new one alone', async () => {
  const slept = open()
  await slept.client.ready
  slept.client.disconnect()
  await slept.client.create('todos', { id: 'a', title: 'unsent' }).persisted
  // what tells it so has not reached it
  vi.stubGlobal('indexedDB', new IDBFactory())
  tabs = new FakeTabs()
  const after = open()
  await vi.waitFor(() => expect(after.storage).toEqual(evicted(1)))
  await after.client.ready
  const mark = notes.get('syncline-anon')
  slept.client.create('todos', { id: 'b', title: 'more' })
  expect(notes.get('syncline-anon')).toBe(mark)
  await after.client.close()
  const third = open()
  await third.client.ready
  expect(third.storage).toEqual([])
})

test('[R12] [T3] a tab over a new database hears nothing of one that does not know yet that its own is gone', async () => {
  const slept = open()
  await slept.client.ready
  slept.client.disconnect()
  await slept.client.create('todos', { id: 'a', title: 'of another client' }).persisted
  vi.stubGlobal('indexedDB', new IDBFactory())
  const after = open()
  await vi.waitFor(() => expect(after.env.timers.size).toBeGreaterThan(1))
  await after.env.advance(2_000)
  await after.client.ready
  await slept.client.create('todos', { id: 'b', title: 'of another client' }).persisted
  expect(after.client.status()).toMatchObject({ state: 'ready', leader: true, pending: 0 })
  expect(after.client.getAll('todos')).toEqual([])
})

test('[R12] taken away while a page opens it: announced by that page, which begins anew on the disk', async () => {
  const before = open()
  await before.client.ready
  before.client.disconnect()
  await before.client.create('todos', { id: 'a', title: 'unsent' }).persisted
  await before.client.close()
  const openNow = indexedDB.open.bind(indexedDB)
  // it goes once it has been read, and before the page could say whose it is
  vi.spyOn(indexedDB, 'open').mockImplementationOnce((name, version) => {
    const request = openNow(name, version)
    request.addEventListener('success', () => void remove(name))
    return request
  })
  const after = open()
  await after.client.ready
  expect(after.storage).toEqual(evicted(1))
  expect(after.client.getAll('todos')).toEqual([])
  expect(after.client.status()).toMatchObject({ storage: 'indexeddb', pending: 0 })
  expect(after.client.status().client).not.toBe(before.client.status().client)
  await after.client.create('todos', { id: 'b', title: 'sent' }).confirmed
  expect(server.rows('todos').map(row => row['id'])).toEqual(['b'])
})

/** As if all pages had died with the mark as it is now, and the disk had what was on its way there. */
async function evictedWith(edits: readonly WriteHandle[]): Promise<ReturnType<typeof open>> {
  const mark = notes.get('syncline-anon') ?? ''
  await Promise.all(edits.map(({ persisted }) => persisted))
  // they live on here, and go on to mark what they hear of each other
  await settle()
  notes.set('syncline-anon', mark)
  vi.stubGlobal('indexedDB', new IDBFactory())
  tabs = new FakeTabs()
  return open()
}

test('[R12] edits that a tab has not heard of are not taken back by what it marks', async () => {
  const [first, second] = [open(), open()]
  await Promise.all([first.client.ready, second.client.ready])
  first.client.disconnect()
  tabs.deaf.add(second.name)
  for (const id of ['a', 'b', 'c']) await first.client.create('todos', { id, title: 'unsent' }).persisted
  expect(second.client.getAll('todos')).toEqual([])
  const after = await evictedWith([second.client.create('todos', { id: 'd', title: 'unsent' })])
  await vi.waitFor(() => expect(after.storage).toEqual(evicted(4)))
})

test('[R12] edits that two tabs have on their way at once are both marked', async () => {
  const [first, second] = [open(), open()]
  await Promise.all([first.client.ready, second.client.ready])
  first.client.disconnect()
  const edits = [first, second].map(({ client, name }) =>
    client.create('todos', { id: name, title: 'unsent' }),
  )
  const after = await evictedWith(edits)
  await vi.waitFor(() => expect(after.storage).toEqual(evicted(2)))
})

test('[R12] what died on its way to the disk is counted until a page comes that sees it is not there', async () => {
  const before = open()
  await before.client.ready
  before.client.disconnect()
  const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('', 'QuotaExceededError')
  })
  const lost = before.client.create('todos', { id: 'a', title: 'in memory' })
  await expect(lost.persisted).rejects.toMatchObject({ code: 'STORAGE_FULL' })
  put.mockRestore()
  await before.client.close()
  const next = open()
  await next.client.ready
  await next.client.close()
  expect(next.storage).toEqual([])
  vi.stubGlobal('indexedDB', new IDBFactory())
  const after = open()
  await vi.waitFor(() => expect(after.storage).toEqual(evicted(0)))
})
