import { describe, expect, test } from 'vitest'
import { defineEntity, readingOfMs, stampOf, SyncError } from '../core/index.ts'
import type { AccessRules, FieldPush, Row } from '../core/index.ts'
import { answerFields, answerLatest } from './fields.ts'
import { Views } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const push: FieldPush = {
  type: 'pushFields',
  entity: 'users',
  entries: [{ field: 'name', value: 'x', mutation: 0 }],
  mutations: [
    {
      n: null,
      base: null,
      stamp: null,
      writes: [{ entity: 'users', id: '1', action: 'update', data: { name: 'x' } }],
    },
  ],
}

test('[E4] what is stored is answered as stored, also where what stands there cannot be read for a moment', async () => {
  const store = {
    entities: new Map(),
    head: () => Promise.resolve({ epoch: 'e', seq: 5, check: 0, horizon: 0 }),
    look: () => Promise.reject(new SyncError('DATABASE_BUSY', 'busy')),
  }
  const views = new Views({ id: 'u' }, store.entities, quiet)
  const answer = await answerFields(
    store,
    push,
    [{ n: null, status: 'merged', version: 5, lost: [] }],
    { user: 'u', client: 'c', lead: null },
    views,
  )
  expect(answer.status).toBe(200)
})

test('[E4] [V2] of a row that is gone nothing is told where rules say who sees it: it may not have been theirs', async () => {
  const shape = {
    columns: [['id', 'text'] as const, ['name', 'text'] as const],
    key: ['id'],
    hash: 'h',
    strategy: 'last-write-wins' as const,
  }
  const told = async (access: AccessRules | undefined): Promise<unknown> => {
    const info = {
      name: 'users',
      table: 'users',
      shape,
      integerKey: false,
      assignsKey: false,
      definition: defineEntity({ name: 'users', ...(access && { access }) }),
      generated: new Set<string>(),
      routing: ['name'],
    }
    const gone = { seq: 4, stamp: stampOf(readingOfMs(5_000), 'n') }
    const store = {
      entities: new Map([['users', info]]),
      head: () => Promise.resolve({ epoch: 'e', seq: 5, check: 0, horizon: 0 }),
      look: () =>
        Promise.resolve([
          { id: '1', row: null, standing: { exists: false, whole: null, cells: {}, gone, seq: 4 } },
        ]),
    }
    const error = { code: 'ROW_DELETED', message: 'gone' } as const
    const { body } = await answerFields(
      store,
      push,
      [{ n: null, status: 'conflict', version: 5, error }],
      { user: 'u', client: 'c', lead: null },
      new Views({ id: 'u' }, store.entities, quiet),
    )
    // reason: so an answer is made
    const { conflict_details: details } = JSON.parse(body as string) as { conflict_details: unknown }
    return details
  }
  const nothing = { server_value: null, server_timestamp: null }
  expect(await told(undefined)).toMatchObject([{ ...nothing, server_timestamp: '1970-01-01T00:00:05.000Z' }])
  expect(await told({ read: () => ({ name: 'x' }) })).toMatchObject([nothing])
})

/** Of users, of which one is looked up that stands there as it is given. */
function standing(row: Row, access: AccessRules) {
  const info = {
    name: 'users',
    table: 'users',
    shape: {
      columns: [['id', 'text'] as const, ['name', 'text'] as const, ['secret', 'text'] as const],
      key: ['id'],
      hash: 'h',
      strategy: 'last-write-wins' as const,
    },
    integerKey: false,
    assignsKey: false,
    definition: defineEntity({ name: 'users', access }),
    generated: new Set<string>(),
    routing: ['name'],
  }
  const whole = { seq: 4, stamp: stampOf(readingOfMs(5_000), 'n'), by: null, n: null }
  const store = {
    entities: new Map([['users', info]]),
    head: () => Promise.resolve({ epoch: 'e', seq: 5, check: 0, horizon: 0 }),
    look: () =>
      Promise.resolve([{ id: '1', row, standing: { exists: true, whole, cells: {}, gone: null, seq: 4 } }]),
  }
  const views = new Views({ id: 'u' }, store.entities, quiet)
  return {
    latest: () => answerLatest(store, info, '1', views),
    push: (status: 'conflict' | 'merged') =>
      answerFields(
        store,
        push,
        [{ n: null, status, version: 5, lost: [{ entity: 'users', id: '1', columns: ['name'] }] }],
        { user: 'u', client: 'c', lead: null },
        views,
      ),
  }
}

describe('[V1] [E4] a row as it stands now', () => {
  const row = { id: '1', name: 'theirs', secret: 's' }

  test('is not there for who does not see it: neither its fields, nor what a write of it met', async () => {
    const { latest, push: pushed } = standing(row, { read: () => ({ name: 'mine' }) })
    await expect(latest()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    for (const status of ['conflict', 'merged'] as const) {
      const { body } = await pushed(status)
      expect(body).not.toContain('theirs')
      expect(body).not.toContain('1970')
    }
  })

  test('has the columns that its user sees, and its key', async () => {
    const { latest } = standing(row, { columns: () => ['name'] })
    const { body } = await latest()
    // reason: so an answer is made
    const { fields } = JSON.parse(body as string) as { fields: { field: string; value: string }[] }
    expect(fields.map(({ field, value }) => [field, value])).toEqual([
      ['id', '1'],
      ['name', 'theirs'],
    ])
  })
})
