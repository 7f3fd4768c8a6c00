import { expectTypeOf, test } from 'vitest'
import type { StandardSchema } from '../core/index.ts'
import { createClient, defineEntity } from './index.ts'
import type { Row, SyncError, WriteHandle } from './index.ts'
import { FakeEnv } from '../testing/fake-env.ts'

interface User {
  id: number
  name: string
  admin: boolean
}

test('rows are typed by their definitions', () => {
  const schema = null as unknown as StandardSchema<User> // reason: only its type is of interest
  const users = defineEntity({ name: 'users', schema })
  const env = new FakeEnv()
  const offline = { url: 'http://x', env, transports: [], store: 'memory', autoConnect: false } as const
  const client = createClient({ ...offline, entities: ['notes', users] })
  expectTypeOf(client.get('users', 1)).toEqualTypeOf<Readonly<User> | undefined>()
  expectTypeOf(client.getAll('users')).toEqualTypeOf<readonly Readonly<User>[]>()
  expectTypeOf(client.get('notes', 'x')).toEqualTypeOf<Row | undefined>()
  expectTypeOf(client.getSnapshot('users')).toEqualTypeOf<readonly Readonly<User>[]>()
  expectTypeOf(client.getSnapshot({ entity: 'users', id: 1 })).toEqualTypeOf<Readonly<User> | undefined>()
  expectTypeOf(client.create('users', { name: 'x' })).toEqualTypeOf<WriteHandle>()
  client.create('notes', { at: new Date(0), size: 3n, blob: new Uint8Array() })
  // @ts-expect-error: no such column
  client.create('users', { nme: 'x' })
  // @ts-expect-error: no number
  client.update('users', 1, { name: 1 })
  const inPlace = (): void => {
    for (const user of [...client.getAll('users'), ...client.query('users').rows]) {
      // @ts-expect-error: it would show, and be sent to nobody
      user.name = 'x'
    }
  }
  expectTypeOf(inPlace).returns.toBeVoid()
  const unknown = (): void => {
    // @ts-expect-error: no such entity
    client.getAll('others')
  }
  expectTypeOf(unknown).returns.toBeVoid()
  const scoped = createClient<['notes'], { readonly users: User }>({ ...offline, entities: ['notes'] })
  expectTypeOf(scoped.get('users', 1)).toEqualTypeOf<Readonly<User> | undefined>()
  expectTypeOf(scoped.get('notes', 'x')).toEqualTypeOf<Row | undefined>()
  client.on('rejected', ({ cause, n }) => {
    expectTypeOf(cause).toEqualTypeOf<SyncError>()
    expectTypeOf(n).toBeNumber()
  })
})
