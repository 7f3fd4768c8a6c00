import { afterEach, expect, test } from 'vitest'
import { cleanUp, rowsOf, startApp, until } from './support/app.ts'
import { create, openSession, update } from './support/session.ts'
import { isType, push } from './support/wire.ts'

afterEach(cleanUp)

test('[Q3] X03 a hundred answers lost after the commit: a hundred rows, a hundred entries', async () => {
  const { db, url } = await startApp()
  for (let n = 1; n <= 100; n++) {
    const first = await openSession(url, { client: 'phone' })
    first.mutate([create(n, 'users', n, { name: `u${n}` })])
    // cut as soon as it is stored, before the answer was looked at
    await until('the commit', () => rowsOf(db, `SELECT 1 FROM users WHERE id = ${n}`).length > 0)
    first.close()
    const again = await openSession(url, { client: 'phone' })
    expect(again.welcome.last).toBe(n)
    again.mutate([create(n, 'users', n, { name: `u${n}` })])
    const [result] = await until('the answer', () => (again.results().length > 0 ? again.results() : null))
    expect(result).toMatchObject({ n, status: 'duplicate' })
    again.close()
  }
  expect(rowsOf(db, 'SELECT count(*) AS n FROM users')).toEqual([{ n: 100 }])
  expect(rowsOf(db, 'SELECT count(*) AS n FROM _syncline_tail')).toEqual([{ n: 100 }])
})

test('[Q3] X03 a foreign client with a mutation_id of its own is answered with its result again', async () => {
  const { db, url } = await startApp()
  const change = { id: 'tmp_1', action: 'create', data: { name: 'once' }, mutation_id: 'm-1' }
  const [first] = await push(url, 'users', [change], { client_id: 'shell' })
  const [second] = await push(url, 'users', [change], { client_id: 'shell' })
  expect(first?.status).toBe('applied')
  expect(second).toMatchObject({ status: 'duplicate', version: first?.version, mutation_id: 'm-1' })
  expect(rowsOf(db, 'SELECT name FROM users')).toEqual([{ name: 'once' }])
})

test('[Q2, D13] X41 a poisoned mutation is rejected, those around it are stored; a transaction is whole or not at all', async () => {
  const { db, url } = await startApp({
    schema:
      'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (length(name) < 10), email TEXT);',
    entities: ['users'],
  })
  const session = await openSession(url)
  session.mutate([
    create(1, 'users', 1, { name: 'good' }),
    create(2, 'users', 2, { name: 'much too long a name' }),
    create(3, 'users', 3, { name: 'also good' }),
    {
      n: 4,
      base: null,
      stamp: null,
      writes: [
        { entity: 'users', id: '4', action: 'create', data: { name: 'half' } },
        { entity: 'users', id: '5', action: 'create', data: { name: 'much too long again' } },
      ],
    },
    create(5, 'nothing', 1, { name: 'x' }),
    update(6, 'users', 1, { name: 'best' }),
  ])
  await until('six results', () => session.results().length === 6)
  expect(session.results().map(result => [result.n, result.status])).toEqual([
    [1, 'applied'],
    [2, 'rejected'],
    [3, 'applied'],
    [4, 'rejected'],
    [5, 'rejected'],
    [6, 'applied'],
  ])
  expect(rowsOf(db, 'SELECT id, name FROM users')).toEqual([
    { id: 1, name: 'best' },
    { id: 3, name: 'also good' },
  ])
  // what was rejected counts as processed
  expect((await openSession(url, { client: 'other' })).welcome.last).toBe(0)
})

test('[Q7] a lower lead than the greatest seen is fenced: nothing stored, closed 4409', async () => {
  const { db, url } = await startApp()
  const old = await openSession(url, { client: 'browser', lead: 1 })
  await openSession(url, { client: 'browser', lead: 2 })
  old.mutate([create(1, 'users', 1, { name: 'too late' })])
  expect((await old.closed).code).toBe(4409)
  expect(rowsOf(db, 'SELECT count(*) AS n FROM users')).toEqual([{ n: 0 }])
  const late = await openSession(url, { client: 'browser', lead: 1 }).catch(() => null)
  expect(late === null || (await late.closed).code === 4409).toBe(true)
})

test('[Q6] a temporary id becomes real, in foreign keys of later writes too, and the change names both', async () => {
  const { db, url } = await startApp({
    schema:
      'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id), title TEXT);',
    entities: ['users', 'posts'],
  })
  const session = await openSession(url)
  await session.load('users')
  session.mutate([
    create(1, 'users', 'tmp_a', { name: 'Ann' }),
    create(2, 'posts', 'tmp_b', { user_id: 'tmp_a', title: 'hers' }),
    update(3, 'users', 'tmp_a', { name: 'Anna' }),
  ])
  await until('the results', () => session.results().length === 3)
  expect(session.results().map(result => result.status)).toEqual(['applied', 'applied', 'applied'])
  expect(session.results()[0]?.ids).toEqual({ tmp_a: '1' })
  expect(rowsOf(db, 'SELECT p.title, u.name FROM posts p JOIN users u ON u.id = p.user_id')).toEqual([
    { title: 'hers', name: 'Anna' },
  ])
  const batch = await session.next(frame => frame.type === 'batch')
  expect(batch['sets']).toMatchObject([{ entity: 'users', renamed: [['tmp_a', '1']] }])
})

test('[R2] a result never comes before the change it settles', async () => {
  const { url } = await startApp()
  const session = await openSession(url)
  await session.load('users')
  session.mutate([create(1, 'users', 1, { name: 'x' })])
  const result = await session.next(isType('results'))
  const batch = session.frames.find(
    frame => frame.type === 'batch' && (frame['sets'] as unknown[]).length > 0,
  )
  expect(session.frames.indexOf(batch ?? result)).toBeLessThan(session.frames.indexOf(result))
  expect(batch?.['to']).toMatchObject({ seq: session.results()[0]?.version })
})

test('T-S23 five hundred queued mutations and a thousand missed changes take a few frames each way', async () => {
  const { db, url } = await startApp()
  const session = await openSession(url)
  const queue = Array.from({ length: 500 }, (_, i) => create(i + 1, 'users', i + 1, { name: `u${i + 1}` }))
  for (let i = 0; i < 500; i += 100) session.mutate(queue.slice(i, i + 100))
  await until('every result', () => session.results().length === 500)
  expect(session.frames.filter(frame => frame.type === 'results').length).toBeLessThanOrEqual(10)
  expect(rowsOf(db, 'SELECT count(*) AS n, min(name) AS first FROM users')).toEqual([{ n: 500, first: 'u1' }])
  const { to } = await session.load('users')
  session.close()
  db.exec(
    "WITH RECURSIVE n(i) AS (SELECT 501 UNION ALL SELECT i+1 FROM n WHERE i<1500) INSERT INTO users SELECT i, 'late', NULL FROM n",
  )
  const again = await openSession(url)
  const shape = (again.welcome['entities'] as { users: { hash: string } }).users.hash
  const { frames } = await again.load('users', to, shape)
  expect(frames.length).toBeLessThanOrEqual(10)
  const rows = frames.flatMap(frame => (frame['sets'] as { rows: unknown[][] }[]).flatMap(set => set.rows))
  expect(new Set(rows.map(row => row[1])).size).toBe(1000)
})
