// What a client holds of its page and of its browser, with sockets that nobody answers.
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FakeEnv, settle } from '../../testing/fake-env.ts'
import { FakeTabs } from '../../testing/fake-tabs.ts'
import { DifferentialSyncClient } from './client.ts'
import type { DifferentialSyncClientOptions } from './options.ts'

const clients: DifferentialSyncClient[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()))
  vi.unstubAllGlobals()
})

function made(options: Partial<DifferentialSyncClientOptions> = {}, env = new FakeEnv('x_')) {
  const sockets: WebSocket[] = []
  const client = new DifferentialSyncClient({
    clientId: 'c',
    websocketUrl: 'ws://x',
    entityTypes: ['users'],
    env,
    webSocket() {
      // reason: as much of one as is asked of it before it is open
      const socket = { readyState: 0, bufferedAmount: 0, close() {}, send() {} } as unknown as WebSocket
      sockets.push(socket)
      return socket
    },
    ...options,
  })
  clients.push(client)
  return { client, env, sockets }
}

/** As a server does that is gone. */
const lose = (socket: WebSocket | undefined): unknown =>
  // reason: all that is read of it
  socket?.onclose?.({ code: 1006, reason: '' } as CloseEvent)

describe('[W9] with its connection end', () => {
  test('the promises of all who wait for one', async () => {
    const { client, env } = made()
    const waiting = [client.connect(), client.connect()]
    await settle()
    await client.disconnect()
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    expect([...env.timers]).toEqual([])
  })

  test('what it hears of the page, until somebody connects again', async () => {
    const { client, env } = made()
    expect(env.hints.size).toBe(0)
    for (let i = 0; i < 2; i++) {
      void client.connect().catch(() => {})
      expect(env.hints.size).toBe(1)
      await client.disconnect()
      expect(env.hints.size).toBe(0)
    }
  })
})

test('[W9] a network that comes back connects whoever goes on by itself, and nobody else', async () => {
  for (const autoReconnect of [true, false]) {
    const { client, env, sockets } = made({ autoReconnect })
    const first = client.connect()
    await settle()
    lose(sockets[0])
    await expect(first).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    env.hint('online')
    await settle()
    expect(sockets).toHaveLength(autoReconnect ? 2 : 1)
  }
})

test('[T5] [W9] each of several clients of one browser has a connection of its own, and is told where it has no disk', async () => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  vi.stubGlobal('IDBKeyRange', IDBKeyRange)
  const tabs = new FakeTabs()
  const pages = ['p', 'q'].map(name =>
    made({ store: 'indexeddb' }, Object.assign(new FakeEnv(name), { tabs: tabs.of(name) })),
  )
  const told: unknown[][] = pages.map(() => [])
  for (const [i, { client }] of pages.entries()) {
    client.on('storage', detail => told[i]?.push(detail))
    void client.connect().catch(() => {})
  }
  await vi.waitFor(async () => {
    // whoever does not get the disk in a while goes without
    for (const { env } of pages) await env.advance(500)
    expect(pages.map(({ sockets }) => sockets.length)).toEqual([1, 1])
  })
  // one of them has the disk
  expect(pages.map(({ client }) => client.getSyncStatus().storage)).toEqual(['indexeddb', 'memory'])
  expect(told).toEqual([[], [{ storage: 'memory', reason: 'busy', error: null }]])
})
