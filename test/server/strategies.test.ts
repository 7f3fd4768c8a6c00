import { type } from 'arktype'
import * as v from 'valibot'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineEntity } from 'syncline'
import type { FieldMergeStrategy, Row } from 'syncline'
import { cleanUp, rowsOf, startApp, until } from './support/app.ts'
import { openSession, update } from './support/session.ts'
import { pull, push, subscribed } from './support/wire.ts'

afterEach(cleanUp)

const schema = `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, tags TEXT); INSERT INTO users VALUES (1, 'first', 'a');
  CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO posts VALUES (1, 'first');`

/** A stamp `ms` from now. */
const stamp = (ms: number): string => `${Date.now() + ms}000.client`

/** What is stored after the server wrote 'server' behind the back of a client that wrote 'client' at `when`. */
async function race(
  strategy: FieldMergeStrategy | undefined,
  when: number,
  entity?: FieldMergeStrategy,
): Promise<{ name: unknown; status: string | undefined }> {
  const definition = entity === undefined ? 'users' : defineEntity({ name: 'users', strategy: entity })
  const { db, url } = await startApp({
    schema,
    entities: [definition],
    ...(strategy === undefined ? {} : { strategy }),
  })
  const session = await openSession(url)
  const { epoch, head } = session.welcome
  db.exec("UPDATE users SET name = 'server' WHERE id = 1")
  session.mutate([
    update(1, 'users', 1, { name: 'client' }, { base: { epoch, seq: head }, stamp: stamp(when) }),
  ])
  const [result] = await until('a result', () => (session.results().length > 0 ? session.results() : null))
  return { name: rowsOf(db, 'SELECT name FROM users')[0]?.['name'], status: result?.status }
}

describe('T-S16 concurrent edits', () => {
  const newer = 30_000
  const older = -30_000
  const table: readonly [FieldMergeStrategy | undefined, number, string, string][] = [
    [undefined, newer, 'client', 'applied'],
    [undefined, older, 'server', 'conflict'],
    ['last-write-wins', newer, 'client', 'applied'],
    ['last-write-wins', older, 'server', 'conflict'],
    ['client-wins', newer, 'client', 'applied'],
    ['client-wins', older, 'client', 'applied'],
    ['server-wins', newer, 'server', 'conflict'],
    ['server-wins', older, 'server', 'conflict'],
    ['keep-both', newer, 'server', 'conflict'],
  ]
  test.each(table)('[D4, D5] %s, client stamp %i ms away: %s', async (strategy, when, name, status) => {
    expect(await race(strategy, when)).toEqual({ name, status })
  })

  test('the setting of an entity beats the setting of the engine', async () => {
    expect(await race('client-wins', newer, 'server-wins')).toEqual({ name: 'server', status: 'conflict' })
    expect(await race('server-wins', older, 'client-wins')).toEqual({ name: 'client', status: 'applied' })
  })

  test('[D1] what the writer had seen is overwritten, whatever the clocks say', async () => {
    const { db, url } = await startApp({ schema, entities: ['users'], strategy: 'server-wins' })
    db.exec("UPDATE users SET name = 'server' WHERE id = 1")
    const session = await openSession(url)
    const { epoch, head } = session.welcome
    session.mutate([
      update(1, 'users', 1, { name: 'client' }, { base: { epoch, seq: head }, stamp: stamp(-1e9) }),
    ])
    await until('a result', () => session.results().length > 0)
    expect(rowsOf(db, 'SELECT name FROM users')).toEqual([{ name: 'client' }])
  })

  test('[D14] what loses never enters the log and reaches nobody', async () => {
    const { db, url } = await startApp({ schema, entities: ['users'], strategy: 'server-wins' })
    const session = await openSession(url)
    const { epoch, head } = session.welcome
    db.exec("UPDATE users SET name = 'server' WHERE id = 1")
    const line = await subscribed(url, ['users'])
    session.mutate([
      update(1, 'users', 1, { name: 'client' }, { base: { epoch, seq: head }, stamp: stamp(1000) }),
    ])
    await until('a result', () => session.results().length > 0)
    db.exec("UPDATE users SET name = 'end' WHERE id = 1")
    const { change } = await line.next(frame => frame.type === 'change')
    expect(change?.data).toMatchObject({ name: 'end' })
    // the third is the record of it (rule I1)
    const own = 'SELECT count(*) AS n FROM _syncline_tail JOIN _syncline_entities USING (ent) WHERE tbl = ?'
    expect(rowsOf(db, own.replace('?', "'users'"))).toEqual([{ n: 2 }])
  })

  test('[D3, D12] K18 a bare push with a timestamp competes by it, and one from the far future is clamped', async () => {
    const { db, url } = await startApp({ schema, entities: ['users'] })
    db.exec("UPDATE users SET name = 'server' WHERE id = 1")
    const old = {
      id: 1,
      action: 'update',
      data: { name: 'client' },
      timestamp: new Date(Date.now() - 60_000).toISOString(),
    }
    expect((await push(url, 'users', [old]))[0]?.status).toBe('conflict')
    const year9999 = { id: 1, action: 'update', data: { name: 'future' }, timestamp: '9999-12-31T00:00:00Z' }
    expect((await push(url, 'users', [year9999]))[0]?.status).toBe('applied')
    // clamped, so that a minute later everybody can write again; a raw write always can
    db.exec("UPDATE users SET name = 'raw' WHERE id = 1")
    expect((await pull(url, 'users')).changes).toMatchObject([{ data: { name: 'raw' } }])
    const [{ stamp: stored = '' } = {}] = rowsOf(db, 'SELECT max(stamp) AS stamp FROM _syncline_tail') as {
      stamp?: string
    }[]
    expect(Number(stored.slice(0, 13))).toBeLessThan(Date.now() + 120_000)
  })
})

describe('T-S17 resolvers', () => {
  const tags = (row: Row): string[] => (row['tags'] as string).split(',')
  const merge = (server: Row, client: Row): Row => ({
    ...server,
    tags: [...new Set([...tags(server), ...tags(client)])].sort().join(','),
  })

  async function meet(
    resolver: (server: Row, client: Row) => Row | Promise<Row>,
  ): Promise<{ tags: unknown; status: string; code: string | undefined; sent: unknown[]; errors: number }> {
    const { db, url, logged } = await startApp({
      schema,
      entities: [defineEntity({ name: 'users', resolver })],
    })
    const session = await openSession(url)
    const { epoch, head } = session.welcome
    db.exec("UPDATE users SET tags = 'a,server' WHERE id = 1")
    const line = await subscribed(url, ['users', 'posts'])
    session.mutate([
      update(1, 'users', 1, { tags: 'a,client' }, { base: { epoch, seq: head }, stamp: stamp(1000) }),
    ])
    const [result] = await until('a result', () => (session.results().length > 0 ? session.results() : null))
    db.exec("UPDATE users SET name = 'end' WHERE id = 1")
    await line.next(frame => frame.change?.data?.['name'] === 'end')
    return {
      tags: rowsOf(db, 'SELECT tags FROM users')[0]?.['tags'],
      status: result?.status ?? '',
      code: result?.error?.code,
      sent: line.changes('users').map(change => change.data?.['tags']),
      errors: logged.filter(entry => entry.level === 'error').length,
    }
  }

  test('[D6] the merged value is stored and sent', async () => {
    expect(await meet(merge)).toMatchObject({
      tags: 'a,client,server',
      status: 'merged',
      sent: ['a,client,server', 'a,client,server'],
    })
  })

  test('[D6] an asynchronous one too', async () => {
    const slow = async (server: Row, client: Row): Promise<Row> => {
      await new Promise(resolve => setImmediate(resolve))
      return merge(server, client)
    }
    expect(await meet(slow)).toMatchObject({ tags: 'a,client,server', status: 'merged' })
  })

  test('[D6] throwing keeps the value of the server and is reported', async () => {
    const outcome = await meet(() => {
      throw new Error('no idea')
    })
    expect(outcome).toMatchObject({
      tags: 'a,server',
      status: 'rejected',
      code: 'RESOLVER_FAILED',
      errors: 1,
    })
  })

  test('[D6] a row that moves while the resolver runs is resolved again', async () => {
    let runs = 0
    const app = await startApp({
      schema,
      entities: [
        defineEntity({
          name: 'users',
          async resolver(server, client) {
            runs += 1
            if (runs === 1) app.db.exec("UPDATE users SET tags = 'a,moved' WHERE id = 1")
            await new Promise(resolve => setImmediate(resolve))
            return merge(server, client)
          },
        }),
      ],
    })
    const session = await openSession(app.url)
    const { epoch, head } = session.welcome
    app.db.exec("UPDATE users SET tags = 'a,server' WHERE id = 1")
    session.mutate([
      update(1, 'users', 1, { tags: 'a,client' }, { base: { epoch, seq: head }, stamp: stamp(1000) }),
    ])
    await until('a result', () => session.results().length > 0)
    expect(runs).toBe(2)
    expect(rowsOf(app.db, 'SELECT tags FROM users')).toEqual([{ tags: 'a,client,moved' }])
  })
})

describe('T-S24 schemas judge what is pushed', () => {
  const schemas = {
    zod: z.object({ id: z.number().int(), name: z.string().min(2), tags: z.string().nullable() }),
    valibot: v.object({
      id: v.number(),
      name: v.pipe(v.string(), v.minLength(2)),
      tags: v.nullable(v.string()),
    }),
    arktype: type({ id: 'number', name: 'string >= 2', tags: 'string | null' }),
  }

  test.each(Object.entries(schemas))('%s', async (_name, made) => {
    const { db, url } = await startApp({ schema, entities: [defineEntity({ name: 'users', schema: made })] })
    const results = await push(url, 'users', [
      { id: 1, action: 'update', data: { name: 5 } },
      { id: 1, action: 'update', data: { name: 'x' } },
      { id: 2, action: 'create', data: { tags: 'no name' } },
      { id: 1, action: 'update', data: { name: 'fine' } },
    ])
    expect(results.map(result => result.status)).toEqual(['rejected', 'rejected', 'rejected', 'applied'])
    expect(results[0]?.error?.code).toBe('VALIDATION_FAILED')
    expect(results[0]?.error?.details).toMatchObject({ issues: [{ path: ['name'] }] })
    expect(rowsOf(db, 'SELECT id, name FROM users')).toEqual([{ id: 1, name: 'fine' }])
  })

  test('types are inferred: a resolver sees the columns of its schema and no others', () => {
    const users = defineEntity({
      name: 'users',
      schema: schemas.zod,
      resolver: (server, client) => {
        const name: string = client.name
        const id: number = server.id
        // @ts-expect-error there is no such column
        void client.nmae
        return { ...server, name: name + String(id) }
      },
    })
    expect(users.name).toBe('users')
    // @ts-expect-error a resolver must give back a whole row
    defineEntity({ name: 'users', schema: schemas.zod, resolver: server => ({ id: server.id }) })
  })
})
