// First visits: a page whose home is loaded a moment after it is connected (rules H).
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { SyncError } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeStorage } from '../testing/fake-storage.ts'
import { allParts } from './create-client.ts'
import { clientOf, indexedDBStore } from './index.ts'
import { others, server, tabs } from './crew-rig.test.ts'
import type { BareClient, ClientOptions, Home, Transport } from './index.ts'

let pages = 0

beforeEach(() => server.put('todos', 'a', { id: 'a', title: 'first' }))

/** `come`: the home is there. */
function visit(more: Partial<ClientOptions> = {}) {
  const name = `p${++pages}`
  const env = Object.assign(new FakeEnv(`${name}_`), { tabs: tabs.of(name) })
  const parts = allParts()
  let come = (): void => {}
  let fail = (_error: unknown): void => {}
  const load = vi.fn(
    () =>
      new Promise<Home>((resolve, reject) => {
        come = () => resolve(parts.home)
        fail = reject
      }),
  )
  const options: ClientOptions = {
    url: 'http://x',
    entities: ['todos'],
    env,
    transports: [server.transport()],
    ...more,
  }
  // reason: what a row is matters to nobody here
  const client = clientOf(options, { ...parts, home: load }) as unknown as BareClient
  others.push(client)
  const said: string[] = []
  client.on('state', ({ state }) => said.push(state))
  client.on('ready', ({ synced }) => said.push(`ready ${synced}`))
  const title = (id: string): unknown => client.get('todos', id)?.['title']
  return { client, env, load, said, title, come: () => come(), fail: (error: unknown) => fail(error) }
}

const hellos = (): string[] =>
  server.received.flatMap(message => (message.type === 'hello' ? [message.client] : []))
const isMoved = (client: BareClient): Promise<void> =>
  vi.waitFor(() => expect(client.status()).toMatchObject({ state: 'ready', leader: true }))

/** What lies on the disk. */
const stored = (titles: readonly string[]): Promise<void> =>
  vi.waitFor(async () => {
    const store = indexedDBStore('syncline-anon', () => () => {})
    const { entities } = await store.load(['todos'])
    await store.close()
    expect(entities.get('todos')?.rows.map(({ row }) => row['title'])).toEqual(titles)
  })

describe('[H1] a first visit', () => {
  test('is connected and ready without a home, and reads what changes', async () => {
    const { client, load, said, title } = visit()
    await vi.waitFor(() => expect(said).toContain('ready true'))
    expect([title('a'), client.getAll('todos').length, client.status().deadLetters]).toEqual(['first', 1, 0])
    server.put('todos', 'b', { id: 'b', title: 'second' })
    await vi.waitFor(() => expect(title('b')).toBe('second'))
    expect(load).toHaveBeenCalledTimes(1)
    expect(said).toEqual(['connecting', 'greeting', 'ready', 'ready true'])
  })

  test('is not one where a database is noted: what is on its disk is there before anybody is asked', async () => {
    const first = visit()
    await vi.waitFor(() => expect(first.said).toContain('ready true'))
    first.come()
    await isMoved(first.client)
    await vi.waitFor(async () => expect(localStorage.getItem('syncline')).not.toBeNull())
    await first.client.close()
    const before = server.received.length
    const second = visit()
    await settle()
    expect([second.load.mock.calls.length, server.received.length]).toEqual([1, before])
    second.come()
    await second.client.ready
    expect(second.title('a')).toBe('first')
    expect(new Set(hellos()).size).toBe(1)
  })

  test('without a wanted connection there is nothing to be ready with but a home', async () => {
    const { client, load, said, come } = visit({ autoConnect: false })
    await settle()
    expect([load.mock.calls.length, said]).toEqual([1, []])
    come()
    await client.ready
    await vi.waitFor(() => expect(client.status()).toMatchObject({ state: 'idle', leader: true }))
  })
})

describe('[H2] until the home is there', () => {
  test('a write is checked at once, waits, and is shown, stored and sent then', async () => {
    const { client, load, said, come, title } = visit()
    await vi.waitFor(() => expect(said).toContain('ready true'))
    expect(() => client.create('todos', { id: 'x', title: Number.NaN })).toThrow(
      expect.objectContaining({ code: 'SERIALIZATION_ERROR' }),
    )
    expect(() => client.update('other', 'x', {})).toThrow(expect.objectContaining({ code: 'UNKNOWN_ENTITY' }))
    const made = client.create('todos', { id: 'b', title: 'mine' })
    const edit = client.update('todos', 'a', { title: 'edited' })
    expect([made.id, title('b'), client.pending()]).toEqual(['b', undefined, []])
    expect(load).toHaveBeenCalledTimes(1)
    come()
    expect(await made.confirmed).toMatchObject({ id: 'b', status: 'applied' })
    await edit.confirmed
    await vi.waitFor(() => expect([title('a'), title('b')]).toEqual(['edited', 'mine']))
    expect(
      server.received
        .flatMap(message => (message.type === 'mutate' ? message.mutations : []))
        .map(({ n }) => n),
    ).toEqual([1, 2])
    await stored(['edited', 'mine'])
  })

  test('a write calls it, before the page is ready', async () => {
    server.holdDown = true
    const { client, load, come } = visit()
    await settle()
    expect(load).toHaveBeenCalledTimes(0)
    const made = client.create('todos', { id: 'b', title: 'mine' })
    expect(load).toHaveBeenCalledTimes(1)
    come()
    await made.persisted
    server.holdDown = false
    server.release()
    await made.confirmed
    await vi.waitFor(() => expect(client.getAll('todos')).toHaveLength(2))
    expect(hellos()).toHaveLength(1)
  })

  test('one that cannot be loaded is said, and asked for again, later each time', async () => {
    const { client, env, load, said, fail, come } = visit()
    await vi.waitFor(() => expect(said).toContain('ready true'))
    const made = client.create('todos', { id: 'b', title: 'mine' })
    for (const ms of [1_000, 2_000, 4_000]) {
      const calls = load.mock.calls.length
      fail(new SyncError('INTERNAL', 'blocked'))
      await vi.waitFor(() => expect(client.status().lastError?.message).toBe('blocked'))
      await env.advance(ms - 1)
      expect(load).toHaveBeenCalledTimes(calls)
      await env.advance(1)
      expect(load).toHaveBeenCalledTimes(calls + 1)
    }
    come()
    expect((await made.confirmed).status).toBe('applied')
  })

  test('without a server and without it, the page is ready with nothing', async () => {
    server.refusing = 1006
    const { client, said, load, fail } = visit()
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(1))
    expect(said).not.toContain('ready false')
    fail(new Error('offline'))
    await vi.waitFor(() => expect(said).toContain('ready false'))
    await client.ready
  })

  test('where a database is noted, too, a page without it reads', async () => {
    localStorage.setItem('syncline', '{"last":"u1","owners":{"anon":"u1"}}')
    const { client, env, said, load, fail, come, title } = visit()
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(1))
    expect(said).toEqual([])
    fail(new Error('blocked'))
    await vi.waitFor(() => expect(said).toContain('ready true'))
    expect(title('a')).toBe('first')
    const made = client.create('todos', { id: 'b', title: 'mine' })
    await env.advance(1_000)
    expect(load).toHaveBeenCalledTimes(2)
    come()
    expect((await made.confirmed).status).toBe('applied')
    expect(said.filter(state => state === 'connecting')).toHaveLength(1)
  })

  test('what waits when the page is closed fails, and no timer stays', async () => {
    const { client, env, said, fail } = visit()
    await vi.waitFor(() => expect(said).toContain('ready true'))
    const made = client.create('todos', { id: 'b', title: 'mine' })
    fail(new Error('blocked'))
    await settle()
    await client.close()
    await expect(made.persisted).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(client.clear()).rejects.toBeDefined()
    await env.advance(60_000)
    expect(env.timers.size).toBe(0)
  })

  test('and one that comes after the end finds nobody', async () => {
    const { client, env, come, said } = visit()
    await vi.waitFor(() => expect(said).toContain('ready true'))
    await client.close()
    come()
    await settle()
    expect([env.timers.size, env.hints.size, server.links.length]).toEqual([0, 0, 0])
    expect(tabs.log).toEqual([])
  })
})

describe('[H3] when it comes', () => {
  test('what is on screen stays, goes to disk, and so does the connection', async () => {
    const { client, said, come, title } = visit()
    await vi.waitFor(() => expect(said).toContain('ready true'))
    const rows = client.getAll('todos')
    const changes: unknown[] = []
    client.on('changed', change => changes.push(change))
    come()
    await isMoved(client)
    await client.ready
    expect([client.getAll('todos') === rows, changes, title('a')]).toEqual([true, [], 'first'])
    expect(said).toEqual(['connecting', 'greeting', 'ready', 'ready true'])
    expect(hellos()).toHaveLength(1)
    await stored(['first'])
  })

  test('two tabs at once: one connection is left, and both show everything', async () => {
    const one = visit()
    const two = visit()
    for (const { said } of [one, two]) await vi.waitFor(() => expect(said).toContain('ready true'))
    one.come()
    await isMoved(one.client)
    two.come()
    await vi.waitFor(() => expect(two.client.status()).toMatchObject({ state: 'ready', leader: false }))
    await vi.waitFor(() => expect(server.links).toHaveLength(1))
    expect(one.client.status().client).toBe(two.client.status().client)
    await two.client.update('todos', 'a', { title: 'by two' }).confirmed
    await vi.waitFor(() => expect([one.title('a'), two.title('a')]).toEqual(['by two', 'by two']))
    expect(two.said.filter(state => state === 'idle')).toEqual([])
  })

  test('a leader that has not heard yet what it shows takes nothing off its screen', async () => {
    let hold = false
    const late: (() => void)[] = []
    const slow: Transport = {
      name: 'local',
      connect: events =>
        server.transport().connect({
          ...events,
          open: () => events.open(),
          closed: (...why) => events.closed(...why),
          alive: () => events.alive(),
          frame: text => void (hold ? late.push(() => events.frame(text)) : events.frame(text)),
        }),
    }
    const one = visit({ transports: [slow] })
    await vi.waitFor(() => expect(one.said).toContain('ready true'))
    one.come()
    await isMoved(one.client)
    await stored(['first'])
    await one.client.ready
    hold = true
    vi.stubGlobal('localStorage', new FakeStorage())
    const two = visit()
    await vi.waitFor(() => expect(two.said).toContain('ready true'))
    server.put('todos', 'b', { id: 'b', title: 'second' })
    await vi.waitFor(() => expect([one.title('b'), two.title('b')]).toEqual([undefined, 'second']))
    const seen: string[] = []
    two.client.on('changed', ({ action, ids }) => seen.push(`${action} ${ids.join()}`))
    two.come()
    await vi.waitFor(() => expect(two.client.status()).toMatchObject({ state: 'ready', leader: false }))
    await two.client.update('todos', 'a', { title: 'by two' }).persisted
    hold = false
    for (const run of late.splice(0)) run()
    await vi.waitFor(() => expect([one.title('a'), one.title('b')]).toEqual(['by two', 'second']))
    await vi.waitFor(() => expect(two.title('a')).toBe('by two'))
    expect(seen.filter(change => change.includes('b'))).toEqual([])
  })

  test('a database whose note was lost: its queue goes first, under its own name', async () => {
    const first = visit()
    await vi.waitFor(() => expect(first.said).toContain('ready true'))
    first.come()
    await isMoved(first.client)
    await first.client.ready
    first.client.disconnect()
    await first.client.create('todos', { id: 'b', title: 'unsent' }).persisted
    const { client: name } = first.client.status()
    await first.client.close()
    vi.stubGlobal('localStorage', new FakeStorage())
    const second = visit()
    await vi.waitFor(() => expect(second.said).toContain('ready true'))
    expect(second.title('b')).toBeUndefined()
    const edit = second.client.update('todos', 'a', { title: 'later' })
    second.come()
    await edit.confirmed
    await vi.waitFor(() => expect([second.title('a'), second.title('b')]).toEqual(['later', 'unsent']))
    expect(second.client.status().client).toBe(name)
    const sent = server.received.flatMap(message => (message.type === 'mutate' ? message.mutations : []))
    expect(sent.map(({ n, writes }) => [n, writes[0]?.id])).toEqual([
      [1, 'b'],
      [2, 'a'],
    ])
    expect(hellos().at(-1)).toBe(name)
  })

  test('one that was turned away is not tried again', async () => {
    server.refusing = 4401
    const { client, said, come, load } = visit()
    await vi.waitFor(() => expect(client.status().state).toBe('stopped'))
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(1))
    come()
    await client.ready
    expect(said.filter(state => state === 'connecting')).toHaveLength(1)
    server.refusing = null
    client.connect()
    await vi.waitFor(() => expect(client.getAll('todos')).toHaveLength(1))
  })
})

test('[H4] another user’s database is neither read nor written', async () => {
  const alice = visit()
  await vi.waitFor(() => expect(alice.said).toContain('ready true'))
  alice.come()
  await isMoved(alice.client)
  await alice.client.ready
  alice.client.disconnect()
  await alice.client.create('todos', { id: 'secret', title: 'of u1' }).persisted
  await alice.client.close()
  vi.stubGlobal('localStorage', new FakeStorage())
  server.user = 'u2'
  const bob = visit()
  const seen: unknown[] = []
  bob.client.on('changed', ({ ids }) => seen.push(...ids))
  await vi.waitFor(() => expect(bob.said).toContain('ready true'))
  const made = bob.client.create('todos', { id: 'b', title: 'of u2' })
  bob.come()
  await made.confirmed
  expect(seen).not.toContain('secret')
  expect(bob.client.status().user).toBe('u2')
  const sent = server.received.flatMap(message => (message.type === 'mutate' ? message.mutations : []))
  expect(sent.flatMap(({ writes }) => writes.map(({ id }) => id))).toEqual(['b'])
  await bob.client.close()
  server.user = 'u1'
  // whose the databases are is known again
  const again = visit()
  again.come()
  await vi.waitFor(() => expect(again.title('secret')).toBe('of u1'))
})
