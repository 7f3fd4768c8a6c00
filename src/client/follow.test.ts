import { describe, expect, test } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { allParts, clientOf, follow, memoryStore, pull } from './index.ts'
import type { BareClient, Engine } from './index.ts'

interface Rig {
  readonly env: FakeEnv
  readonly server: FakeServer
  readonly client: BareClient
  readonly engine: Engine
  readonly scopes: () => (readonly [entity: string, once: boolean])[]
}

/** Connected, and nothing is followed. */
async function quiet(): Promise<Rig> {
  const server = new FakeServer()
  server.define('notes', ['id', 'text'])
  server.define('tags', ['id', 'text'])
  server.put('notes', 'a', { id: 'a', text: 'one' })
  const env = new FakeEnv()
  let engine: Engine | null = null
  const client = clientOf(
    {
      url: 'http://x',
      entities: ['notes', 'tags'] as string[],
      env,
      store: 'memory',
      transports: [server.transport()],
      autoConnect: false,
    },
    { ...allParts(), more: made => ({ engine: (engine = made) }) },
  )
  if (engine === null) throw new Error('no engine')
  for (const entity of ['notes', 'tags']) follow(engine, entity, false)
  client.connect()
  await env.advance(0)
  const scopes: Rig['scopes'] = () =>
    server.received.flatMap(message =>
      message.type === 'subscribe'
        ? message.scopes.map(({ entity, once = false }) => [entity, once] as const)
        : [],
    )
  return { env, server, client, engine, scopes }
}

const patience = { answerMs: 1000, policy: { initial: 100, max: 1000, factor: 2, jitter: 0, attempts: 2 } }

describe('[W6] what is not followed', () => {
  test('is neither asked for nor waited for', async () => {
    const { client, scopes } = await quiet()
    await client.ready
    expect(scopes()).toEqual([])
    expect(client.getAll('notes')).toEqual([])
  })

  test('is asked for once, when somebody asks, and again from where it stands', async () => {
    const { env, server, client, engine, scopes } = await quiet()
    const first = pull(engine, 'notes', patience)
    await env.advance(0)
    await first
    expect(client.getAll('notes')).toHaveLength(1)
    server.put('notes', 'b', { id: 'b', text: 'two' })
    await env.advance(0)
    expect(client.getAll('notes')).toHaveLength(1)
    const second = pull(engine, 'notes', patience)
    await env.advance(0)
    await second
    expect(client.getAll('notes')).toHaveLength(2)
    expect(scopes()).toEqual([
      ['notes', true],
      ['notes', true],
    ])
    expect(env.timers.size).toBe(1)
  })

  test('settles what was written to it by asking', async () => {
    const { env, client, scopes } = await quiet()
    const handle = client.create('notes', { id: 'c', text: 'mine' })
    await env.advance(0)
    expect(await handle.confirmed).toMatchObject({ status: 'applied' })
    expect(client.status().pending).toBe(0)
    expect(client.get('notes', 'c')).toEqual({ id: 'c', text: 'mine' })
    expect(scopes()).toEqual([['notes', true]])
  })

  test('is followed from where it was left, and keeps its rows when it is left again', async () => {
    const { env, server, client, engine, scopes } = await quiet()
    follow(engine, 'notes', true)
    await env.advance(0)
    server.put('notes', 'b', { id: 'b', text: 'two' })
    await env.advance(0)
    expect(client.getAll('notes')).toHaveLength(2)
    server.holdDown = true
    server.put('notes', 'late', { id: 'late', text: 'on its way' })
    follow(engine, 'notes', false)
    server.release()
    await env.advance(0)
    expect(client.getAll('notes')).toHaveLength(2)
    expect(server.received.at(-1)).toEqual({ type: 'unsubscribe', entities: ['notes'] })
    server.drop()
    await env.advance(2000)
    expect(client.status().state).toBe('ready')
    expect(scopes()).toEqual([['notes', false]])
    follow(engine, 'notes', true)
    await env.advance(0)
    expect(client.getAll('notes')).toHaveLength(3)
  })
})

test('[W6] what is not followed stays so when a disk is opened', async () => {
  const server = new FakeServer()
  server.define('notes', ['id', 'text'])
  const env = new FakeEnv()
  let engine: Engine | null = null
  const client = clientOf(
    {
      url: 'http://x',
      entities: ['notes'] as string[],
      env,
      store: () => memoryStore(),
      transports: [server.transport()],
    },
    { ...allParts(), more: made => ({ engine: (engine = made) }) },
  )
  if (engine === null) throw new Error('no engine')
  follow(engine, 'notes', false)
  await env.advance(0)
  await client.ready
  expect(server.received.map(({ type }) => type)).toEqual(['hello'])
  await client.close()
})

test('[W9] a question that is not answered is asked again, and given up at last', async () => {
  const { env, server, engine, scopes } = await quiet()
  server.holdDown = true
  const outcome = pull(engine, 'notes', patience).catch((error: unknown) => error)
  await env.advance(1000 + 100 + 1000 + 200 + 999)
  expect(scopes().length).toBeLessThanOrEqual(3)
  await env.advance(1)
  expect(await outcome).toMatchObject({ code: 'SYNC_TIMEOUT' })
  expect(engine.syncs).toEqual([])
  await expect(pull(engine, 'nope', patience)).rejects.toMatchObject({ code: 'UNKNOWN_ENTITY' })
})

test('[W7] a client without a disk shows what is written before anything else happened', () => {
  const client = clientOf(
    { url: 'http://x', entities: ['notes'] as string[], env: new FakeEnv(), store: 'memory', transports: [] },
    allParts(),
  )
  client.create('notes', { id: 'a', text: 'now' })
  expect(client.getAll('notes')).toEqual([{ id: 'a', text: 'now' }])
})
