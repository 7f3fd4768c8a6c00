// What the tests of first visits are played on: pages whose home comes late, in one browser, against one server. Whoever imports
// this begins each test with a new browser.
import { expect, test, vi } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { FakeStorage } from '../testing/fake-storage.ts'
import { allParts } from './create-client.ts'
import { others, server, tabs } from './crew-rig.test.ts'
import type { Home } from './home.ts'
import { clientOf, createClient } from './index.ts'
import type { BareClient, ClientOptions } from './index.ts'

let page = 0

/** So many turns as no database takes: whatever was to happen by itself has happened. */
export async function moment(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await new Promise(go => setImmediate(go))
}

export const todo = (id: string, title = id) => ({ id, title })

export interface Visitor {
  readonly client: BareClient
  readonly env: FakeEnv
  readonly name: string
  readonly events: string[]
  /** The second script is there. */
  arrive(): void
  fail(): void
  loads: number
}

function worldOf(): { name: string; env: FakeEnv } {
  const name = `v${++page}`
  const env = Object.assign(new FakeEnv(`${name}_`), {
    tabs: tabs.of(name),
    visible: () => !tabs.hidden.has(name),
  })
  return { name, env }
}

export function visitor(more: Partial<ClientOptions> = {}): Visitor {
  const { name, env } = worldOf()
  const parts = allParts()
  let yes: (home: Home) => void = () => {}
  let no: (error: Error) => void = () => {}
  const made = { name, env, loads: 0, events: [] as string[] } as unknown as Visitor // reason: the rest is added below
  const home = (): Promise<Home> => {
    made.loads += 1
    return new Promise<Home>((resolve, reject) => {
      yes = resolve
      no = reject
    })
  }
  // reason: what it has beside a small script's is not looked at
  const client = clientOf(
    { url: 'http://x', entities: ['todos'], env, transports: [server.transport()], ...more },
    { ...parts, home },
  ) as unknown as BareClient
  client.on('user', user => made.events.push(`user ${user}`))
  client.on('state', ({ state }) => made.events.push(state))
  others.push(client)
  return Object.assign(made, {
    client,
    arrive: () => yes(parts.home),
    fail: () => no(new Error('no script')),
  })
}

export function whole(more: Partial<ClientOptions> = {}) {
  const { name, env } = worldOf()
  const client = createClient({
    url: 'http://x',
    entities: ['todos'],
    env,
    transports: [server.transport()],
    ...more,
  })
  others.push(client)
  return { client, env, name }
}

/** A page of before, whose second row was never sent. */
export async function leftUnsent(more: Partial<ClientOptions> = {}): Promise<BareClient> {
  const { client } = whole(more)
  await state(client, 'ready')
  await moment()
  client.disconnect()
  await client.create('todos', todo('b')).persisted
  await client.close()
  return client as unknown as BareClient // reason: what it has beside a small script's is not looked at
}

export const hellos = (): string[] => server.received.flatMap(m => (m.type === 'hello' ? [m.client] : []))
export const loseNotes = (): void => void vi.stubGlobal('localStorage', new FakeStorage())
export const state = (client: Pick<BareClient, 'status'>, wanted: string): Promise<void> =>
  vi.waitFor(() => expect(client.status().state).toBe(wanted))

test('a plain first visit: kept, one connection', async () => {
  server.put('todos', 'a', todo('a'))
  const v = visitor()
  const edit = v.client.create('todos', todo('b'))
  await state(v.client, 'ready')
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(1))
  v.arrive()
  await edit.confirmed
  await moment()
  expect(hellos()).toHaveLength(1)
  expect(server.rows('todos')).toEqual([todo('a'), todo('b')])
  await v.client.close()
  expect(tabs.held(v.name)).toBe(0)
  expect(v.env.timers.size).toBe(0)
  expect(v.env.hints.size).toBe(0)
  const again = whole({ autoConnect: false })
  await again.client.ready
  expect(again.client.getAll('todos')).toHaveLength(2)
})
