// T-S24: a Drizzle table that the application also uses is the model of an entity.
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type Database from 'better-sqlite3'
import { createClient } from 'syncline/client'
import { fromDrizzle } from 'syncline/drizzle'
import { afterEach, expect, expectTypeOf, test } from 'vitest'
import { cleanUp, later, startApp, until } from './support/app.ts'

afterEach(cleanUp)

const tasks = sqliteTable('tasks', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  title: text('title').notNull(),
  dueAt: integer('due_at', { mode: 'timestamp' }),
  done: integer('done', { mode: 'boolean' }).notNull().default(false),
  level: text('level', { enum: ['low', 'high'] }),
  effort: real(),
})

const schema = `CREATE TABLE tasks (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, due_at INTEGER,
  done INTEGER NOT NULL DEFAULT 0, level TEXT, effort REAL)`

test('T-S24 the types are those of the database', () => {
  const entity = fromDrizzle(tasks, { strategy: 'server-wins' })
  expect(entity).toMatchObject({ name: 'tasks', table: 'tasks', strategy: 'server-wins' })
  const client = createClient({ url: 'http://127.0.0.1:1', entities: [entity], autoConnect: false })
  later(() => client.close())
  type Task = NonNullable<ReturnType<typeof client.get<'tasks'>>>
  expectTypeOf<Task['id']>().toEqualTypeOf<number>()
  expectTypeOf<Task['title']>().toEqualTypeOf<string>()
  expectTypeOf<Task['due_at']>().toEqualTypeOf<number | null>()
  expectTypeOf<Task['level']>().toEqualTypeOf<'low' | 'high' | null>()
  expectTypeOf<Task['effort']>().toEqualTypeOf<number | null>()
  // @ts-expect-error the database calls it due_at
  expect(() => client.update('tasks', 1, { dueAt: 5 })).not.toThrow()
  // @ts-expect-error no such table
  expect(client.get('task', 1)).toBeUndefined()
})

test('T-S24 [D10] wrong data is refused with the issues, right data is stored; Drizzle and the client see each other', async () => {
  const app = await startApp({ driver: 'better-sqlite3', schema, entities: [fromDrizzle(tasks)] })
  // reason for the cast: startApp opens either driver
  const orm = drizzle(app.db as Database.Database)
  const push = async (data: object): Promise<unknown> => {
    const body = JSON.stringify({ changes: [{ action: 'create', data }] })
    const answer = await fetch(`${app.url}/api/sync/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    return ((await answer.json()) as { results: unknown[] }).results[0]
  }
  expect(await push({ title: 7, level: 'middling' })).toMatchObject({
    status: 'rejected',
    error: {
      code: 'VALIDATION_FAILED',
      details: {
        issues: [
          { path: ['title'], message: 'must be a text' },
          { path: ['level'], message: 'must be one of low, high' },
        ],
      },
    },
  })
  expect(await push({ level: 'low' })).toMatchObject({
    error: { details: { issues: [{ path: ['title'], message: 'is required' }] } },
  })
  expect(await push({ title: 'Paint', due_at: 1_800_000_000, done: true })).toMatchObject({
    status: 'applied',
  })
  expect(orm.select().from(tasks).all()).toMatchObject([
    { title: 'Paint', done: true, dueAt: new Date(1_800_000_000_000) },
  ])

  const client = createClient({ url: `${app.url}/api/sync`, entities: [fromDrizzle(tasks)], store: 'memory' })
  later(() => client.close())
  await client.ready
  orm.insert(tasks).values({ title: 'Sweep', effort: 1.5 }).run()
  await until('the row', () => client.getAll('tasks').length === 2)
  await client.update('tasks', 2, { effort: 2.5 }).confirmed
  expect(orm.select().from(tasks).all()[1]).toMatchObject({ title: 'Sweep', effort: 2.5 })
})

test('what is no table is refused', () => {
  expect(() => fromDrizzle({ _: { name: 'x' } })).toThrow('sqliteTable')
})
