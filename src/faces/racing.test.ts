// A whole client over two transports of which one can be blocked: what its users and its page see of it.
import { describe, expect, test } from 'vitest'
import { wordOf } from './words.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { createClient } from '../client/index.ts'
import type { Transport } from '../client/index.ts'

type Gate = 'open' | 'refused' | 'silent' | 'missing'

function world() {
  const env = new FakeEnv()
  const server = new FakeServer()
  server.define('todos', ['id', 'title'])
  const gates: Record<'websocket' | 'sse', Gate> = { websocket: 'open', sse: 'open' }
  const attempts: number[] = []
  const transport = (name: 'websocket' | 'sse'): Transport => ({
    name,
    connect(events) {
      if (name === 'websocket') attempts.push(env.time)
      if (gates[name] === 'open') return server.transport(name).connect(events)
      const code = { refused: 1006, missing: 0, silent: null, open: null }[gates[name]]
      if (code !== null) queueMicrotask(() => events.closed(code, '', null))
      return { send: () => false, buffered: () => 0, close() {} }
    },
  })
  const begin = () => {
    const client = createClient({
      url: 'http://x',
      entities: ['todos'],
      env,
      store: 'memory',
      transports: [transport('websocket'), transport('sse')],
    })
    const words: string[] = []
    let known = false
    client.on('state', status => {
      const word = wordOf(status, known)
      if (words.at(-1) !== word) words.push(word)
      known ||= status.state === 'ready'
    })
    return { client, words }
  }
  return { env, server, gates, attempts, begin }
}

describe('[K6] the first transport that answers carries', () => {
  test('both there: WebSocket, and nobody else was asked', async () => {
    const { env, server, begin } = world()
    const { client, words } = begin()
    await env.advance(10_000)
    expect(client.status()).toMatchObject({ state: 'ready', transport: 'websocket', trying: null })
    expect(server.received.filter(({ type }) => type === 'hello')).toHaveLength(1)
    expect(words).toEqual(['connecting', 'connected'])
    await client.close()
    expect(env.timers.size).toBe(0)
  })

  for (const how of ['refused', 'silent'] as const) {
    test(`T-B02 WebSocket ${how}: the first sync does not wait for its ladder`, async () => {
      const { env, server, gates, begin } = world()
      server.put('todos', 'a', { id: 'a', title: 'one' })
      gates.websocket = how
      const { client } = begin()
      let ready = false
      void client.ready.then(() => (ready = true))
      await env.advance(300)
      expect(ready).toBe(true)
      expect(client.getAll('todos')).toHaveLength(1)
      expect(client.online).toBe(true)
      expect(client.status()).toMatchObject({ state: 'ready', transport: 'sse', trying: 'websocket' })
      const written = client.create('todos', { id: 'b', title: 'two' })
      await env.advance(100)
      expect((await written.confirmed).status).toBe('applied')
      await client.close()
    })
  }

  test('T-B02 WebSocket missing: the fallback is the connection', async () => {
    const { env, gates, begin } = world()
    gates.websocket = 'missing'
    const { client, words } = begin()
    await env.advance(100)
    expect(client.status()).toMatchObject({ state: 'ready', transport: 'sse', trying: null, attempt: 0 })
    expect(words).toEqual(['connecting', 'fallback_sse'])
    await client.close()
  })
})

test('[K7] T-B05 T-B06 K25 ten attempts as documented while data flows, then the word; a probe a minute brings it back', async () => {
  const { env, server, gates, attempts, begin } = world()
  gates.websocket = 'refused'
  const { client, words } = begin()
  await env.advance(180_000)
  const start = attempts[0] ?? 0
  const ladder = [1, 2, 4, 8, 16, 30, 30, 30, 30]
  const times = ladder.reduce<number[]>((all, delay) => [...all, (all.at(-1) ?? 0) + delay * 1000], [0])
  expect(attempts.map(at => at - start)).toEqual(times)
  expect(words.at(-1)).toBe('reconnecting')
  expect(client.online).toBe(true)
  await env.advance(2_000)
  expect(words).toEqual(['connecting', 'reconnecting', 'fallback_sse'])
  expect(client.status()).toMatchObject({ state: 'ready', attempt: 11, nextRetryAt: start + 241_000 })
  const before = attempts.length
  await env.advance(180_000)
  expect(attempts.length - before).toBe(3)

  gates.websocket = 'open'
  server.put('todos', 'a', { id: 'a', title: 'one' })
  await env.advance(60_000)
  expect(client.status()).toMatchObject({ state: 'ready', transport: 'websocket', trying: null, attempt: 0 })
  expect(words).toEqual(['connecting', 'reconnecting', 'fallback_sse', 'connected'])
  expect(client.get('todos', 'a')).toEqual({ id: 'a', title: 'one' })
  expect(server.links).toHaveLength(1)
  await client.close()
})

test('T-B06 the server is down: ten attempts, then the word, not earlier', async () => {
  const { env, gates, begin } = world()
  gates.websocket = gates.sse = 'refused'
  const { client, words } = begin()
  await env.advance(180_999)
  expect(words).toEqual(['connecting', 'reconnecting'])
  expect(client.online).toBe(false)
  await env.advance(1_001)
  expect(words).toEqual(['connecting', 'reconnecting', 'fallback_sse'])
  await client.close()
})

test('[K2] X55 an hour without a network spends no attempts of an edit', async () => {
  const { env, gates, begin } = world()
  gates.websocket = gates.sse = 'silent'
  const { client } = begin()
  const written = client.create('todos', { id: 'a', title: 'one' })
  await env.advance(3_600_000)
  expect(client.pending()).toHaveLength(1)
  gates.websocket = gates.sse = 'open'
  env.hint('online')
  await env.advance(1_000)
  expect((await written.confirmed).status).toBe('applied')
  await client.close()
})

test('[K6] [Q3] edits and changes on the way while a better transport takes over: each counts once', async () => {
  const { env, server, gates, begin } = world()
  gates.websocket = 'refused'
  const { client } = begin()
  await env.advance(500)
  gates.websocket = 'open'
  server.holdDown = true
  const written = client.create('todos', { id: 'a', title: 'one' })
  await settle()
  server.release()
  env.hint('online')
  await settle()
  server.put('todos', 'b', { id: 'b', title: 'two' })
  const later = client.create('todos', { id: 'c', title: 'three' })
  await env.advance(2_000)
  expect(client.status().transport).toBe('websocket')
  expect((await written.confirmed).status).toMatch(/applied|duplicate/)
  expect((await later.confirmed).status).toMatch(/applied|duplicate/)
  expect(client.getAll('todos')).toHaveLength(3)
  expect(server.log.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c'])
  expect(server.links).toHaveLength(1)
  await client.close()
})
