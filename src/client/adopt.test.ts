// What was written before anybody signed in: nobody's until it is asked for, and then moved whole.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SyncError } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { FakeStorage } from '../testing/fake-storage.ts'
import { FakeTabs } from '../testing/fake-tabs.ts'
import { createClient, memoryStore } from './index.ts'
import type { ClientStore } from './index.ts'

let server: FakeServer
let stores: Map<string, ClientStore>
let tabs: FakeTabs
const opened: { close(): Promise<void> }[] = []
let page = 0

beforeEach(() => {
  server = new FakeServer()
  server.define('todos', ['id', 'title'])
  stores = new Map()
  tabs = new FakeTabs()
  vi.stubGlobal('indexedDB', {})
  vi.stubGlobal('localStorage', new FakeStorage())
})

afterEach(async () => {
  for (const client of opened.splice(0)) await client.close()
  vi.unstubAllGlobals()
})

function disk(database: string): ClientStore {
  const store = stores.get(database) ?? { ...memoryStore(), kind: 'indexeddb' as const }
  stores.set(database, store)
  return store
}

function open(more: { autoConnect?: boolean; user?: string } = {}) {
  page += 1
  const env = Object.assign(new FakeEnv(`a${page}_`), { tabs: tabs.of(`a${page}`) })
  const client = createClient({
    url: 'http://x',
    entities: ['todos'],
    env,
    transports: [server.transport()],
    store: disk,
    ...more,
  })
  opened.push(client)
  return client
}

/** Edits of a guest, whom the server knows as `anon`, or does not know yet. */
async function guestWrote(user: string | null): Promise<void> {
  if (user !== null) server.user = user
  const client = open({ autoConnect: user !== null })
  await client.ready
  if (user !== null) await vi.waitFor(() => expect(client.status()).toMatchObject({ user, state: 'ready' }))
  await settle()
  client.disconnect()
  await client.create('todos', { id: 'g', title: 'from a guest' }).persisted
  await client.update('todos', 'g', { title: 'still a guest' }).persisted
  await client.close()
}

async function signedIn(user: string) {
  server.user = user
  const client = open()
  await vi.waitFor(() => expect(client.status()).toMatchObject({ user, state: 'ready' }))
  await settle()
  return client
}

test('[A8] X32 the edits of a guest are sent as nobody else, until they are adopted; then once', async () => {
  await guestWrote('anon')
  const ada = await signedIn('ada')
  expect([ada.pending(), ada.getAll('todos'), server.rows('todos')]).toEqual([[], [], []])
  expect(await ada.adopt()).toBe(2)
  await vi.waitFor(() => expect(ada.status().pending).toBe(0))
  expect(server.rows('todos')).toEqual([{ id: 'g', title: 'still a guest' }])
  expect(await ada.adopt()).toBe(0)
  await ada.close()
  const guest = await signedIn('anon')
  expect(guest.pending()).toEqual([])
})

test('[A8] each as it was written: what its author had seen, and temporary ids, go along', async () => {
  server.user = 'anon'
  server.put('todos', 'a', { id: 'a', title: 'one' })
  const guest = open()
  await guest.ready
  await settle()
  guest.disconnect()
  const base = guest.status().cursors['todos']?.seq
  const { id } = guest.create('todos', { title: 'new' })
  await guest.update('todos', id, { title: 'newer' }).persisted
  await guest.close()
  server.put('todos', 'a', { id: 'a', title: 'two' })
  const ada = await signedIn('ada')
  ada.disconnect()
  await ada.adopt()
  const [first, second] = (await disk('syncline-ada').load([])).pending
  expect(first?.mutation.writes[0]?.id).toBe(id)
  expect(second?.mutation.writes[0]).toMatchObject({ id, action: 'update' })
  expect([first?.n, second?.n]).toEqual([1, 2])
  expect(base).toBe(1)
  expect(second?.mutation.base?.seq).toBe(base)
})

test('[A8] a page that died halfway leaves nothing twice; what cannot be stored stays where it was', async () => {
  await guestWrote('anon')
  const guests = disk('syncline-anon')
  const ada = await signedIn('ada')
  ada.disconnect()
  const full = vi.spyOn(guests, 'save').mockRejectedValueOnce(new SyncError('STORAGE_FAILED', 'gone'))
  await expect(ada.adopt()).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  full.mockRestore()
  expect(ada.pending()).toHaveLength(2)
  expect(await ada.adopt()).toBe(2)
  expect(ada.pending()).toHaveLength(2)
  await ada.close()
  await guestWrote('anon')
  const ben = await signedIn('ben')
  vi.spyOn(disk('syncline-ben'), 'save').mockRejectedValueOnce(new SyncError('STORAGE_FULL', 'quota'))
  await expect(ben.adopt()).rejects.toMatchObject({ code: 'STORAGE_FULL' })
  expect((await guests.load([])).pending).toHaveLength(2)
})

test('[A8] another tab of the guest lets them go, other tabs of the user have them', async () => {
  await guestWrote('anon')
  const ada = await signedIn('ada')
  const guest = open({ autoConnect: false, user: 'anon' })
  await guest.ready
  expect(guest.pending()).toHaveLength(2)
  const other = await signedIn('ada')
  ada.disconnect()
  await ada.adopt()
  await vi.waitFor(() => expect(other.pending()).toHaveLength(2))
  await vi.waitFor(() => expect(guest.pending()).toEqual([]))
})

test('[A8] the first to sign in here may have taken the database as it was: then there is nothing to adopt', async () => {
  await guestWrote(null)
  const ada = await signedIn('ada')
  await vi.waitFor(() => expect(ada.status().pending).toBe(0))
  expect(await ada.adopt()).toBe(0)
  expect(server.rows('todos')).toHaveLength(1)
  // nobody ever adopts from her
  ada.disconnect()
  await ada.create('todos', { id: 'x', title: 'hers' }).persisted
  await ada.close()
  const bob = await signedIn('bob')
  expect(await bob.adopt()).toBe(0)
  expect([bob.pending(), bob.getAll('todos').length]).toEqual([[], 1])
})
