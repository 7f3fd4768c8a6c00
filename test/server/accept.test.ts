// What a push is judged against: the rows as the writes before it leave them, in one transaction, one frame or two.
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, test } from 'vitest'
import { defineEntity } from 'syncline'
import type { EntityDefinition, StandardSchema } from 'syncline'
import { cleanUp, later, openDatabase, rowsOf, startApp, until } from './support/app.ts'
import { create, openSession, update } from './support/session.ts'
import type { Result } from './support/session.ts'
import { openLine, post, push } from './support/wire.ts'

afterEach(cleanUp)

const schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, v, a, b); INSERT INTO t(id, v) VALUES (1, 'a')"

/** What the writes become, one frame after the other. */
async function frames(
  entity: string | EntityDefinition,
  ...sent: (readonly object[])[]
): Promise<{ results: Result[]; rows: unknown[]; logged: string[] }> {
  const { db, url, logged } = await startApp({ schema, entities: [entity] })
  const session = await openSession(url)
  let count = 0
  for (const mutations of sent) {
    session.mutate(mutations)
    count += mutations.length
    await until('the results', () => session.results().length === count)
  }
  return {
    results: session.results(),
    rows: rowsOf(db, 'SELECT id, v, a, b FROM t ORDER BY id'),
    logged: logged.filter(({ level }) => level === 'error').map(({ message }) => message),
  }
}

const checked = (validate: (row: Record<string, unknown>) => string | null): EntityDefinition => {
  const standard: StandardSchema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate(value) {
        const message = validate(value as Record<string, unknown>)
        return message === null ? { value } : { issues: [{ message, path: [] }] }
      },
    },
  }
  return defineEntity({ name: 't', schema: standard })
}

const ordered = checked(row => (Number(row['a']) < Number(row['b']) ? null : 'a must be below b'))

describe('a row that is named twice', () => {
  test('[D13] a later change of one POST takes back what an earlier one wrote', async () => {
    const { db, url } = await startApp({ schema, entities: ['t'] })
    const results = await push(url, 't', [
      { id: 1, action: 'update', data: { v: 'b' } },
      { id: 1, action: 'update', data: { v: 'a' } },
    ])
    expect(results.map(result => result.status)).toEqual(['applied', 'applied'])
    expect(rowsOf(db, 'SELECT v FROM t')).toEqual([{ v: 'a' }])
  })

  test('[D13] a later write of one transaction changes what an earlier one wrote', async () => {
    const { rows } = await frames(
      't',
      [update(1, 't', 1, { v: 'x' })],
      [
        {
          n: 2,
          base: null,
          stamp: null,
          writes: [
            { entity: 't', id: '1', action: 'delete' },
            { entity: 't', id: '1', action: 'create', data: { v: 'new' } },
            { entity: 't', id: '1', action: 'update', data: { v: 'x' } },
          ],
        },
      ],
    )
    expect(rows).toMatchObject([{ id: 1, v: 'x' }])
  })

  test.each([
    ['its own id, two frames', '5', true],
    ['its own id, one frame', '5', false],
    ['a temporary id, two frames', 'tmp_a', true],
    ['a temporary id, one frame', 'tmp_a', false],
  ])('[Q6] an update is validated with what the create before it stored: %s', async (_, id, apart) => {
    const made = create(1, 't', id, { a: 1, b: 2 })
    const changed = update(2, 't', id, { b: 3 })
    const refused = update(3, 't', id, { b: 0 })
    const { results, rows } = await (apart
      ? frames(ordered, [made], [changed], [refused])
      : frames(ordered, [made, changed, refused]))
    expect(results.map(result => result.status)).toEqual(['applied', 'applied', 'rejected'])
    expect(results[2]?.error?.code).toBe('VALIDATION_FAILED')
    expect(rows).toMatchObject([{ id: 1 }, { a: 1, b: 3 }])
  })

  test('[Q6] within one transaction too, under the temporary id and its own', async () => {
    const writes = [
      { entity: 't', id: 'tmp_a', action: 'create', data: { id: 7, a: 1, b: 2 } },
      { entity: 't', id: '7', action: 'update', data: { b: 3 } },
      { entity: 't', id: 'tmp_a', action: 'update', data: { a: 2 } },
    ]
    const { results, rows } = await frames(ordered, [{ n: 1, base: null, stamp: null, writes }])
    expect(results).toMatchObject([{ status: 'applied', ids: { tmp_a: '7' } }])
    expect(rows).toMatchObject([{ id: 1 }, { id: 7, a: 2, b: 3 }])
  })
})

test('[Q6] a create that brings a temporary id and its own key is known by both', async () => {
  const { results, rows } = await frames(
    't',
    [create(1, 't', 'tmp_a', { id: 9, v: 'x' })],
    [update(2, 't', 'tmp_a', { v: 'y' })],
  )
  expect(results).toMatchObject([
    { status: 'applied', ids: { tmp_a: '9' } },
    { status: 'applied', ids: { tmp_a: '9' } },
  ])
  expect(rows).toMatchObject([{ id: 1 }, { id: 9, v: 'y' }])
})

test('a schema that throws refuses its own mutation and holds up no other', async () => {
  const broken = checked(row => {
    if (row['v'] === 'boom') throw new TypeError('a bug in a refinement')
    return null
  })
  const { results, rows, logged } = await frames(broken, [
    create(1, 't', 2, { v: 'boom' }),
    create(2, 't', 3, { v: 'fine' }),
  ])
  expect(results.map(({ status, error }) => `${status} ${error?.code ?? ''}`)).toEqual([
    'rejected VALIDATION_FAILED',
    'applied ',
  ])
  expect(rows).toMatchObject([{ id: 1 }, { id: 3 }])
  expect(logged).toEqual(['syncline: a schema threw; the mutation was rejected'])
})

describe('senders without a name', () => {
  test('[Q3] may use the same mutation_id for different writes; the same write again is a duplicate', async () => {
    const { db, url } = await startApp({ schema, entities: ['t'] })
    const one = { action: 'create', data: { v: 'of alice' }, mutation_id: '1' }
    const two = { action: 'create', data: { v: 'of bob' }, mutation_id: '1' }
    const sent = [await push(url, 't', [one]), await push(url, 't', [two]), await push(url, 't', [one])]
    expect(sent.flat().map(result => result.status)).toEqual(['applied', 'applied', 'duplicate'])
    expect(rowsOf(db, 'SELECT v FROM t WHERE id > 1 ORDER BY id')).toEqual([
      { v: 'of alice' },
      { v: 'of bob' },
    ])
  })

  test('[Q6] create any number of rows without an id', async () => {
    const { url } = await startApp({ schema, entities: ['t'] })
    const make = { action: 'create', data: { v: 'n' } }
    const sent = [await push(url, 't', [make, make]), await push(url, 't', [make])].flat()
    expect(sent).toMatchObject([2, 3, 4].map(id => ({ id, status: 'applied' })))
  })
})

test('[C3] a NUL in a JSON column spoils no frame', async () => {
  const { db, url } = await startApp({
    schema: 'CREATE TABLE t (id INTEGER PRIMARY KEY, v JSON)',
    entities: ['t'],
  })
  const line = await openLine(url)
  line.send({ type: 'subscribe', entities: ['t'] })
  await line.next(frame => frame.type === 'subscribed')
  db.exec(`INSERT INTO t(v) VALUES ('{"a":1}' || char(0) || 'x')`)
  await until('the change', () => line.changes('t').length > 0)
  expect(line.changes('t')[0]?.data).toEqual({ id: 1, v: '{"a":1}\0x' })
})

test('[C11] pushes that wait for a lock too long are told so', async () => {
  const { db, url, file } = await startApp({ schema, entities: ['t'] })
  expect(db).toBeInstanceOf(DatabaseSync)
  const other = openDatabase(file)
  other.exec('BEGIN IMMEDIATE')
  const asked = [2, 3, 4].map(id =>
    post(`${url}/api/sync/t`, { changes: [{ id, action: 'create', data: { v: 'x' } }] }),
  )
  later(() => other.exec('ROLLBACK'))
  const answers = await Promise.all(asked)
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503])
})
