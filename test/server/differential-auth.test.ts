// `DifferentialSyncClient` where the server asks who is there.
import { afterEach, expect, test } from 'vitest'
import { SyncError } from 'syncline'
import type { User } from 'syncline'
import { cleanUp, rowsOf, until } from './support/app.ts'
import { rig, startTables, testTime } from './support/differential.ts'

afterEach(cleanUp)

test('[A1] [A7] [W9] turned away it stops and says why; signed in it goes on with what was written, and is out with a sign-out', async () => {
  let who: User | null = null
  const app = await startTables({ authenticate: () => who })
  const time = testTime()
  const it = rig(app.url, { env: time.env })
  it.client.updateLocalState({ u: { name: 'early' } }, 'users')
  const error: unknown = await it.client.connect().catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(SyncError)
  expect(error).toMatchObject({ code: 'AUTH_REQUIRED', details: { code: 4401 } })
  expect(it.of('error')).toEqual([error])
  expect(it.client.getHealthStatus().status).toBe('unhealthy')
  await time.pass(3_600_000)
  // the page is asked for a sign-in, the server is not asked again
  expect([it.sockets.length, it.of('reconnect:scheduled'), it.of('reconnect:failed')]).toEqual([1, [], []])
  expect(it.client.getSyncStatus()).toMatchObject({ isConnected: false, pendingChanges: 1 })
  who = { id: 'ada', session: 's1' }
  await it.client.connect()
  await it.client.subscribe('users')
  await time.pass(0)
  await until('the edit', () => rowsOf(app.db, 'SELECT 1 FROM users').length === 1)
  who = null
  it.told.length = 0
  app.engine.signOut({ session: 's1' })
  await until('the end', () => it.of('error').length === 1)
  expect(it.names()).toEqual(['disconnected', 'error'])
  expect(it.of('disconnected')).toMatchObject([{ code: 4401, intentional: false }])
  expect(it.of('error')).toMatchObject([{ code: 'AUTH_REQUIRED' }])
  it.client.updateLocalState({ v: { name: 'late' } }, 'users')
  await time.pass(3_600_000)
  expect([it.sockets.length, it.client.getSyncStatus().pendingChanges]).toEqual([2, 1])
  // what was signed out unsent goes with the same user, and the subscription is there again
  who = { id: 'ada', session: 's2' }
  await it.client.connect()
  await time.pass(0)
  await until('the other edit', () => rowsOf(app.db, 'SELECT 1 FROM users').length === 2)
  app.db.exec("INSERT INTO users (id) VALUES ('live')")
  await until('the live row', () => it.client.getLocalState('users')['live'])
})
