// Looking rows up over an unfolded tail.
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { alice, bob, mutation, openStore, push } from './testkit.test.ts'
import type { App } from './testkit.test.ts'

test('[D1] what is unfolded is read once, not for every question, and says the same as when it is folded', async () => {
  const handle = new DatabaseSync(':memory:')
  handle.exec(
    'CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500) INSERT INTO t SELECT i, 0 FROM c',
  )
  let read = 0
  const prepare = handle.prepare.bind(handle)
  handle.prepare = sql => {
    const statement = prepare(sql)
    if (!sql.includes('FROM _syncline_tail WHERE seq>?')) return statement
    return new Proxy(statement, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property)
        if (typeof value !== 'function') return value
        return (...params: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, target, params)
          if (property === 'all' && Array.isArray(result)) read += result.length
          return result
        }
      },
    })
  }
  const app = handle as unknown as App // reason: the drivers' own types are stricter about bound values
  const store = await openStore(app, ['t'])
  handle.exec('UPDATE t SET v = 1; DELETE FROM t WHERE id = 500')
  const ids = ['1', '2', '499', '500', '501']
  for (let i = 0; i < 50; i++) await store.look('t', ['1'])
  const unfolded = await store.look('t', ids)
  expect(unfolded.map(({ row }) => row?.['v'])).toEqual([1, 1, 1, undefined, undefined])
  expect(read).toBe(501)
  while (await store.fold());
  expect(await store.look('t', ids)).toEqual(unfolded)
  await store.close()
  handle.close()
})

test("[Q6] temporary ids are the sender's own, and the bare prefix is nobody's", async () => {
  const handle = new DatabaseSync(':memory:')
  handle.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  const app = handle as unknown as App // reason: as above
  const store = await openStore(app, ['t'])
  const make = (n: number, id: string) => mutation(n, { entity: 't', id, action: 'create', values: { v: n } })
  expect(await push(store, alice, make(1, 'tmp_a'), make(2, 'tmp_'), make(3, 'tmp_'))).toMatchObject([
    { ids: { tmp_a: '1' } },
    { ids: { tmp_: '2' } },
    { ids: { tmp_: '3' } },
  ])
  expect(await store.look('t', ['tmp_', 'tmp_a', '3'], alice)).toMatchObject([
    { id: 'tmp_', row: null },
    { id: '1', row: { v: 1 } },
    { id: '3', row: { v: 3 } },
  ])
  expect(await store.look('t', ['tmp_a'], bob)).toMatchObject([{ id: 'tmp_a', row: null }])
  await store.close()
  handle.close()
})
