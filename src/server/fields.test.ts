import { expect, test } from 'vitest'
import { SyncError } from '../core/index.ts'
import type { FieldPush } from '../core/index.ts'
import { answerFields } from './fields.ts'
import { Views } from './views.ts'

test('[E4] what is stored is answered as stored, also where what stands there cannot be read for a moment', async () => {
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
  const store = {
    entities: new Map(),
    head: () => Promise.resolve({ epoch: 'e', seq: 5, check: 0, horizon: 0 }),
    look: () => Promise.reject(new SyncError('DATABASE_BUSY', 'busy')),
  }
  const silent = (): void => {}
  const views = new Views({ id: 'u' }, store.entities, {
    debug: silent,
    info: silent,
    warn: silent,
    error: silent,
  })
  const answer = await answerFields(
    store,
    push,
    [{ n: null, status: 'merged', version: 5, lost: [] }],
    { user: 'u', client: 'c', lead: null },
    views,
  )
  expect(answer.status).toBe(200)
})
