// What writers of every spelling lose is on record: rows and fields, over HTTP and WebSocket, and deltas.
import { afterEach, expect, test } from 'vitest'
import { cleanUp, rowsOf, startApp, until } from './support/app.ts'
import type { App } from './support/app.ts'
import { base, field, pushFields } from './support/field.ts'
import { isType, openLine, pull, push } from './support/wire.ts'

afterEach(cleanUp)

const long = '2024-01-01T12:00:00.000Z'

/** One edit of `name`, of long ago: somebody else has written there since. What is said to have become of it. */
const spellings: Readonly<Record<string, (app: App) => Promise<unknown>>> = {
  'rows over HTTP': async ({ url }) =>
    (await push(url, 'users', [{ id: 1, action: 'update', data: { name: 'lost' }, timestamp: long }]))[0]
      ?.status,
  'fields over HTTP': async ({ url }) =>
    (await pushFields(url, 'users', [field('name', 'lost', { timestamp: long })])).results[0]?.status,
  'rows over WebSocket': async ({ url }) => {
    const line = await openLine(url)
    const data = { name: 'lost' }
    line.send({ type: 'push', entity: 'users', entity_id: 1, action: 'update', data, timestamp: long })
    return (await line.next(isType('push_ack')))['status']
  },
  'fields over WebSocket': async ({ url }) => {
    const line = await openLine(url, `${base}/ws`)
    const fields = [{ field: 'name', value: 'lost', timestamp: long }]
    line.send({ type: 'push_fields', entity: 'users', entity_id: '1', fields })
    return (await line.next(isType('push_ack')))['status']
  },
  deltas: async ({ url }) => {
    const line = await openLine(url)
    const changes = [{ field: 'name', newValue: 'lost', changeType: 'update' }]
    const data = { entityType: 'users', entityId: '1', changes, timestamp: Date.parse(long) }
    line.send({ type: 'sync:delta', data })
    return (await line.next(isType('sync:ack')))['status']
  },
}

test.each(Object.entries(spellings))('[I1] [I3] %s', async (_name, lose) => {
  const app = await startApp({
    schema:
      "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT); INSERT INTO users VALUES (1, 'first', NULL)",
    entities: ['users'],
    fieldSync: 'last-write-wins',
  })
  app.db.exec("UPDATE users SET name = 'stands'")
  await until('it to be there', async () => (await pull(app.url, 'users')).changes.length === 1)
  expect(await lose(app)).toBe('conflict')
  expect(rowsOf(app.db, 'SELECT name FROM users')).toEqual([{ name: 'stands' }])
  // anybody reads them as rows
  const { changes } = await pull(app.url, 'syncline_conflicts')
  expect(changes.map(({ data }) => data)).toMatchObject([
    {
      entity: 'users',
      row_id: '1',
      field: 'name',
      mine: 'lost',
      theirs: 'stands',
      mine_at: Date.parse(long),
      theirs_at: expect.any(Number),
      at: expect.any(Number),
      writer: 'anon',
      outcome: 'last-write-wins',
      status: 'open',
    },
  ])
})
