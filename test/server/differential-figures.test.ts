// What `DifferentialSyncClient` says of itself against a real server: status, and bytes that really went.
import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { cleanUp } from './support/app.ts'
import { connected, startTables } from './support/differential.ts'

afterEach(cleanUp)

test('T-D19 the sync status has its fields, in their units', async () => {
  const app = await startTables()
  const it = await connected(app.url)
  await it.client.subscribe('users')
  await it.client.requestSync('users')
  const status = it.client.getSyncStatus()
  expect(status).toEqual({
    isConnected: true,
    isConnecting: false,
    isSubscribed: true,
    // what a busy machine makes of it is no business of this test: T-D20 says the words for each
    connectionHealth: expect.any(String),
    averageLatency: expect.any(Number),
    sub100msSuccessRate: expect.any(Number),
    qualityScore: expect.any(Number),
    lastSyncTime: expect.any(Number),
    reconnectAttempts: 0,
    pendingChanges: 0,
    storage: 'memory',
    entityTypes: ['users', 'orders', 'settings'],
    subscribedTypes: ['users'],
    error: null,
  })
  const stats = it.client.getConnectionStats()
  expect(stats).toMatchObject({ transport: 'websocket', connections: 1, losses: 0, isConnected: true })
  // X74: what was counted is what went over the socket
  const bytes = (all: readonly string[]): number =>
    all.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  expect(stats).toMatchObject({ bytesSent: bytes(it.up), bytesReceived: bytes(it.down) })
  it.client.resetMetrics()
  expect(it.client.getSyncStatus()).toMatchObject({ averageLatency: 0, sub100msSuccessRate: 100 })
})

test('[W10] T-D22 X74 a small change of a large row is measured in bytes that really came', async () => {
  const columns = Array.from({ length: 50 }, (_, i) => `c${i} TEXT`)
  const app = await startTables({
    schema: `CREATE TABLE wide (id TEXT PRIMARY KEY, ${columns.join(', ')})`,
    entities: ['wide'],
  })
  app.db.exec(`INSERT INTO wide VALUES ('w', ${columns.map(() => `'${'x'.repeat(200)}'`).join(', ')})`)
  const it = await connected(app.url, { entityTypes: ['wide'] })
  await it.client.requestSync()
  expect(it.of('bandwidth:validated')).toEqual([])
  app.db.exec("UPDATE wide SET c3 = 'small'")
  await it.client.requestSync('wide')
  const frame = it.down.find(text => text.startsWith('{"type":"sync:response"')) ?? ''
  const row = JSON.stringify(it.client.getLocalState('wide')['w'])
  const [detail] = it.of('bandwidth:validated')
  expect(detail).toMatchObject({
    isValid: true,
    targetReduction: 0.5,
    fullSize: row.length,
    deltaSize: frame.length,
    entityType: 'wide',
  })
  expect(detail?.actualReduction).toBeCloseTo(1 - frame.length / row.length)
})

test('T-D23 compression is negotiated and makes large deltas small, or is not', async () => {
  const app = await startTables()
  const connections: Socket[] = []
  app.server.on('connection', socket => void connections.push(socket))
  const written = (): number => connections.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
  const sizes: number[] = []
  app.db.exec(`INSERT INTO users (id, name) VALUES ('u', '${'x'.repeat(50_000)}')`)
  for (const [enableCompression, wanted] of [
    [undefined, '1'],
    [true, '1'],
    [false, '0'],
  ] as const) {
    const it = await connected(app.url, enableCompression === undefined ? {} : { enableCompression })
    const [socket] = it.sockets
    expect(new URL(socket?.url ?? '').searchParams.get('compress')).toBe(wanted)
    expect(socket?.extensions.includes('permessage-deflate')).toBe(wanted === '1')
    const before = written()
    await it.client.requestSync('users')
    app.db.exec("UPDATE users SET name = name || 'y'")
    await it.client.requestSync('users')
    sizes.push(written() - before)
    await it.client.disconnect()
  }
  const [byDefault = 0, on = 0, off = 0] = sizes
  expect(Math.max(byDefault, on)).toBeLessThan(off / 4)
})
