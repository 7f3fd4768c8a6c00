// What the client's document shows, to the letter: its snippets (in `documents/`, but for the import path) and the answer
// of its backend, fed to the client as they stand.
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { DifferentialSyncClient } from 'syncline/differential'
import { WebSocketServer } from 'ws'
import type { WebSocket as ServerSocket } from 'ws'
import { cleanUp, later, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { connected, rig, startTables, tables, testTime } from './support/differential.ts'
import type { Rig } from './support/differential.ts'
import { draws, pick } from './support/mutate.ts'

afterEach(cleanUp)

const document = readFileSync(path.join(import.meta.dirname, 'documents/backend-response.txt'), 'utf8')

// ---- the snippets

const said: unknown[][] = []
/** Where the sockets of the snippets go, whatever address they name. */
let target = ''

class Redirected extends WebSocket {
  constructor(address: string) {
    const { pathname, search } = new URL(address)
    super(target.replace('http', 'ws') + pathname + search)
  }
}

beforeEach(() => {
  said.length = 0
  vi.stubGlobal('WebSocket', Redirected)
  for (const level of ['log', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, level).mockImplementation((...line: unknown[]) => void said.push([level, ...line]))
  return () => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  }
})

async function site(): Promise<App> {
  const schema = `${tables} CREATE TABLE trends (id TEXT PRIMARY KEY, name TEXT);`
  const app = await startApp({ schema, entities: ['users', 'orders', 'settings', 'trends'] })
  target = app.url
  return app
}

/** The snippets speak of a `client` that is there. */
async function withClient(): Promise<{ app: App; it: Rig }> {
  const app = await site()
  const it = await connected(app.url)
  vi.stubGlobal('client', it.client)
  return { app, it }
}

const ends = ({ client }: { client: DifferentialSyncClient }): void => later(() => client.disconnect())

test('T-D01 Basic', async () => {
  const app = await site()
  app.db.exec("INSERT INTO orders (id) VALUES ('o')")
  const basic = await import('./documents/basic.ts')
  ends(basic)
  expect(basic.deltas).toEqual([])
  expect(basic.client.getSyncStatus()).toMatchObject({
    isConnected: true,
    subscribedTypes: ['users', 'orders', 'trends'],
  })
  expect(basic.client.getLocalState('orders')).toHaveProperty('o')
  expect(basic.client.getLocalState('users')).toMatchObject({
    status: 'active',
    lastSeen: expect.any(Number),
  })
  await until('the row', () => app.db.prepare('SELECT * FROM users').all().length === 1)
})

test('T-D16 T-D17 Batch', async () => {
  const { app, it } = await withClient()
  await import('./documents/batch.ts')
  expect(it.client.getLocalState()).toEqual({
    users: { name: 'John' },
    orders: { status: 'pending' },
    settings: { theme: 'dark' },
  })
  await until('the debounced update', () => it.client.getLocalState('users')['email'])
  await until('all of it', () => it.client.getSyncStatus().pendingChanges === 0)
  expect(app.db.prepare('SELECT name, email FROM users').all()).toEqual([
    { name: 'John', email: 'john@example.com' },
  ])
})

test('T-D19 T-D20 Monitoring', async () => {
  const { it } = await withClient()
  await import('./documents/monitoring.ts')
  const [status, health] = said
  expect(status).toEqual([
    'log',
    'Sync Status:',
    {
      connected: true,
      latency: expect.any(Number),
      successRate: expect.any(Number),
      quality: expect.any(Number),
    },
  ])
  // whatever a busy machine makes of it
  expect(health).toEqual(['log', 'Health:', expect.stringMatching(/^(healthy|degraded)$/)])
  await it.client.requestSync('users')
  expect(said.at(-1)?.[1]).toMatch(/^Sync completed in \d+ms, \d+% under 100ms$/)
})

test('T-D11 T-D15 Errors', async () => {
  const { app, it } = await withClient()
  await import('./documents/errors.ts')
  it.client.updateLocalState({ nope: 1 }, 'users')
  await until('the refusal', () => said.some(([, line]) => line === 'Sync operation failed:'))
  await app.stop()
  await until('a retry', () =>
    said.some(([, line]) => /^Reconnection attempt 1 in \d+ms$/.test(String(line))),
  )
})

test('T-D25 Cleanup', async () => {
  const { it } = await withClient()
  const handled: unknown[] = []
  vi.stubGlobal('handleStateUpdate', (data: unknown) => void handled.push(data))
  await import('./documents/cleanup.ts')
  expect(said).toEqual([['log', 'Cleaning up resources...']])
  it.client.updateLocalState({ name: 'x' }, 'users')
  expect(handled).toEqual([])
  expect(it.client.getSyncStatus().isConnected).toBe(false)
})

test('T-D28 Migration, before and after', async () => {
  await site()
  const old = await import('./documents/migration-old.ts')
  expect(said).toEqual([['warn', expect.stringContaining('entityType')]])
  ends(old)
  await old.client.connect()
  await old.client.subscribe()
  const now = await import('./documents/migration-new.ts')
  ends(now)
  expect(old.client.getSyncStatus().subscribedTypes).toEqual(['users'])
  expect(now.client.getSyncStatus().subscribedTypes).toEqual(['users', 'orders'])
  expect(said).toHaveLength(1)
})

test('T-D26 the debug lines and the health check', async () => {
  const { it } = await withClient()
  await import('./documents/debug.ts')
  await import('./documents/health.ts')
  it.client.updateLocalState({ nope: 1 }, 'users')
  await until('the refusal', () => said.some(([level]) => level === 'error'))
  await it.client.requestSync('orders')
  expect(new Set(said.map(([level]) => level))).toEqual(new Set(['debug', 'error', 'log']))
  await it.client.disconnect()
  vi.resetModules()
  await import('./documents/health.ts')
  expect(said.at(-1)).toEqual(['warn', 'Connection issues:', [expect.any(String)]])
})

// ---- the backend of the document

/** It knows one table, and answers each request with what the document shows. */
async function documented(): Promise<{ it: Rig; socket: ServerSocket; requests: unknown[] }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  later(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const requests: unknown[] = []
  const place = { epoch: 'server-1', seq: 4, check: 0 }
  const shape = {
    columns: [
      ['id', 'text'],
      ['status', 'text'],
    ],
    key: ['id'],
    hash: 'h',
    strategy: 'last-write-wins',
  }
  const answers: Record<string, (message: { scopes?: unknown[] }) => string[]> = {
    hello: () => [
      JSON.stringify({
        type: 'welcome',
        protocol: 1,
        user: 'u',
        epoch: 'server-1',
        head: 4,
        last: 0,
        server_time: 0,
        max_payload: 1_000_000,
        entities: { users: shape },
      }),
    ],
    subscribe: () => [
      JSON.stringify({
        type: 'batch',
        scopes: ['users'],
        from: null,
        to: place,
        sets: [{ entity: 'users', rows: [[4, 'user-123', 'inactive']] }],
      }),
    ],
    'sync:request': message => {
      requests.push(message)
      return [document]
    },
  }
  const sockets: ServerSocket[] = []
  server.on('connection', socket => {
    sockets.push(socket)
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string; scopes?: unknown[] }
      for (const answer of answers[message.type]?.(message) ?? []) socket.send(answer)
    })
  })
  // the answer names the request of this time and chance
  const time = testTime(1_234_567_890)
  time.chance = 0.123
  const it = rig(target, { entityTypes: ['users'], env: time.env })
  later(() => it.client.disconnect())
  await it.client.connect()
  await it.client.requestSync('users')
  expect(it.client.getLocalState('users')['user-123']).toMatchObject({ status: 'inactive' })
  const [socket] = sockets
  if (socket === undefined) throw new Error('nobody connected')
  return { it, socket, requests }
}

test('[W1, W8] T-D08 (b) X60 the document is an answer: applied once, however often it comes', async () => {
  const { it, socket, requests } = await documented()
  it.told.length = 0
  const deltas = await it.client.requestSync('users')
  expect(requests).toMatchObject([
    { syncId: 'users-1234567890-0.123', data: { clientId: 'admin-dashboard-123' } },
  ])
  expect(it.client.getLocalState('users')['user-123']).toMatchObject({ status: 'active' })
  expect(it.client.getSyncStatus().qualityScore).toBe(95.5)
  expect(it.of('quality:updated')).toEqual([
    { qualityScore: 95.5, latency: 45, packetLoss: 0.01, jitter: 12, connectionStability: 0.98 },
  ])
  expect(deltas).toMatchObject([
    {
      entityId: 'user-123',
      changes: [{ field: 'status', oldValue: 'inactive', newValue: 'active', timestamp: 1_234_567_890_123 }],
      vectorClock: {
        versions: new Map([
          ['user-123', 5],
          ['server-1', 3],
        ]),
        lamportCounter: 8,
      },
    },
  ])
  expect(it.of('sync:response')).toMatchObject([
    { syncId: 'users-1234567890-0.123', serverLamportClock: { counter: 15 }, timestamp: 1_234_567_890_123 },
  ])
  const told = it.names()
  socket.send(document)
  socket.send('{"type":"pong","server_time":1}')
  await until('what came behind it', () => it.down.at(-1)?.includes('pong'))
  expect(it.names()).toEqual(told)
  expect(it.of('state:change')).toHaveLength(1)
})

test('X60 deltas of a type that nobody here knows are passed over, with a line', async () => {
  const lines: unknown[] = []
  const app = await startTables()
  target = app.url
  const it = await connected(app.url, {
    entityTypes: ['users'],
    debug: (line, detail) => lines.push([line, detail]),
  })
  const foreign = document.replaceAll('"users"', '"strangers"')
  it.feed(foreign)
  expect(lines).toContainEqual([expect.stringContaining('nobody'), foreign])
  expect(it.client.getLocalState()).toEqual({ users: {} })
  expect(it.of('error')).toEqual([])
})

/** As the document, but for one thing that must not be. */
function bent(draw: (below: number) => number): string {
  const clock = { clientId: 'server-1', versions: {}, timestamp: 1, lamportCounter: 9, nodeId: 'server-1' }
  const change = { field: 'status', oldValue: null, newValue: 'bent', changeType: 'update', timestamp: 1 }
  const delta = {
    entityType: 'users',
    entityId: 'user-123',
    changes: [change],
    vectorClock: clock,
    timestamp: 1,
  }
  const wrong = pick(draw, [null, 7, 'x', [], {}, -1, 0.5, [null], { versions: 7 }, { versions: { a: 'b' } }])
  const message = JSON.parse(document) as { syncId: unknown; data: Record<string, unknown> }
  const deltas: readonly object[] = [
    { ...delta, entityId: pick(draw, [null, '', {}, [], true]) },
    { ...delta, changes: pick(draw, [null, 7, {}, [7], [[]], []]) },
    { ...delta, changes: [{ ...change, field: pick(draw, [null, '', 7, '__proto__', 'constructor']) }] },
    { ...delta, changes: [{ ...change, changeType: pick(draw, [null, '', 'upsert', 7]) }] },
    { ...delta, changes: [{ ...change, newValue: JSON.parse('{"__proto__":1}') as unknown }] },
    { ...delta, changes: [{ field: 'status', changeType: 'update', timestamp: 1 }] },
    { ...delta, changes: [change, { ...change, changeType: 'delete' }] },
    { ...delta, vectorClock: wrong },
    { ...delta, timestamp: pick(draw, [null, 'x', -1, 0.5, {}]) },
  ]
  const bends = [
    () => void (message.syncId = pick(draw, [null, 7, '', {}])),
    () => void (message.data = wrong as Record<string, unknown>),
    () => void (message.data['entityType'] = pick(draw, [null, 7, '', {}])),
    () => void (message.data['deltas'] = pick(draw, [null, 7, 'x', {}])),
    () => void (message.data['deltas'] = [pick(draw, deltas)]),
    () => void (message.data['currentVectorClock'] = wrong),
    () => void (message.data['serverLamportClock'] = wrong),
    () => void (message.data['qualityMetrics'] = wrong),
    () => void (message.data['timestamp'] = pick(draw, [null, 'x', -1])),
  ]
  pick(draw, bends)()
  const text = JSON.stringify(message)
  const how = draw(10)
  if (how === 0) return text.slice(0, draw(text.length - 1))
  if (how === 1) return JSON.stringify(pick(draw, [null, 7, 'x', [], {}, { type: 7 }, { type: 'sync:none' }]))
  return text
}

test('[W5] T-D09 ten thousand malformed frames are as many errors with a code, and nothing else', async () => {
  const { it } = await documented()
  const draw = draws(9)
  const state = it.client.getLocalState('users')
  it.told.length = 0
  for (let i = 0; i < 10_000; i++) it.feed(bent(draw))
  expect(it.told).toHaveLength(10_000)
  expect(new Set(it.told.map(([event]) => event))).toEqual(new Set(['error']))
  expect(new Set(it.of('error').map(({ code }) => code))).toEqual(new Set(['INVALID_MESSAGE']))
  expect(it.client.getLocalState('users')).toBe(state)
  expect(({} as Record<string, unknown>)['polluted']).toBe(undefined)
  // what broke off is one too, also of the frames that need no look
  it.told.length = 0
  it.feed('{"type":"batch","scopes":["users"],"fr')
  expect(it.told).toMatchObject([['error', { code: 'INVALID_MESSAGE' }]])
  await it.client.requestSync('users')
  expect(it.client.getLocalState('users')['user-123']).toMatchObject({ status: 'active' })
})
