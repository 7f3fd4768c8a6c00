// What the tests of tabs are played on: tabs of one browser, over one IndexedDB, one channel and one lock, against one
// server. The lock and the channel are under the test's hand. Whoever imports this begins each test with a new browser.
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { FakeStorage } from '../testing/fake-storage.ts'
import { FakeTabs } from '../testing/fake-tabs.ts'
import { createClient } from './index.ts'
import type { Client } from './index.ts'

export let server: FakeServer
export let tabs: FakeTabs
let page = 0

export interface Tab {
  readonly client: Client
  readonly env: FakeEnv
  readonly name: string
  /** What this tab announced to its page. */
  readonly changes: string[]
}

export const open: Tab[] = []
/** What else is to be closed after the test. */
export const others: { close(): Promise<void> }[] = []

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
  vi.stubGlobal('localStorage', new FakeStorage())
  server = new FakeServer()
  server.define('todos', ['id', 'title'])
  tabs = new FakeTabs()
})

afterEach(async () => {
  tabs.thawAll()
  await Promise.all(
    [...open.splice(0).map(({ client }) => client), ...others.splice(0)].map(one => one.close()),
  )
  vi.unstubAllGlobals()
})

export function tab(connect = true, entities: string[] = ['todos'], where = {}): Tab {
  const name = `p${++page}`
  const env = Object.assign(new FakeEnv(`${name}_`), {
    tabs: tabs.of(name),
    visible: () => !tabs.hidden.has(name),
  })
  const client = createClient({
    url: 'http://x',
    entities,
    env,
    transports: [server.transport()],
    autoConnect: connect,
    where,
  })
  const changes: string[] = []
  client.on('changed', ({ action, source, ids }) => changes.push(`${source} ${action} ${ids.join()}`))
  const made = { client, env, name, changes }
  open.push(made)
  return made
}

export const leaders = (all: readonly Tab[]): string[] =>
  all.filter(({ client }) => client.status().leader).map(({ name }) => name)

export async function crew(size: number): Promise<Tab[]> {
  const all: Tab[] = []
  for (let i = 0; i < size; i++) {
    const one = tab()
    all.push(one)
    await one.client.ready
    await vi.waitFor(() => expect(one.client.status().state).toBe('ready'))
  }
  return all
}

export const titles = ({ client }: Tab): unknown =>
  client
    .getAll('todos')
    .map(({ title }) => JSON.stringify(title))
    .toSorted((a, b) => (a < b ? -1 : 1))
export const all = async (tabs: readonly Tab[], expected: readonly string[]): Promise<void> =>
  vi.waitFor(() =>
    expect(tabs.map(titles)).toEqual(tabs.map(() => expected.map(title => JSON.stringify(title)))),
  )

test('a tab without any others leads itself', async () => {
  const one = tab()
  await one.client.ready
  expect(leaders([one])).toEqual([one.name])
})
