// Scopes that a page opens and closes: what is asked for, what is held and shown, in one tab and among several.
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { compareText, idOfValue } from '../core/index.ts'
import type { Filter, Row } from '../core/index.ts'
import { settle } from '../testing/fake-env.ts'
import { leaders, open, server, tab, tabs } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'
import { indexedDBStore } from './idb.ts'
import type { ScopeOptions } from './filters.ts'
import { graceMs } from './scopes.ts'

beforeEach(() => {
  server.define('notes', ['id', 'list', 'title'])
  for (const [id, list] of Object.entries({ a: '1', b: '2', c: '3' }))
    server.put('notes', id, { id, list, title: `of ${list}` })
})

const ids = ({ client }: Tab, entity = 'notes'): string =>
  client
    .getAll(entity)
    .map(row => idOfValue(row['id']) ?? '')
    .toSorted(compareText)
    .join('')
const asked = (entity = 'notes'): unknown[] =>
  server.received.flatMap(message =>
    message.type === 'subscribe'
      ? message.scopes.filter(scope => scope.entity === entity).map(({ where }) => where)
      : [],
  )
/** What is on disk. */
async function stored(entity = 'notes'): Promise<string> {
  const [database] = await indexedDB.databases()
  const store = indexedDBStore(database?.name ?? '', () => () => {})
  const { entities } = await store.load([entity])
  await store.close()
  return Array.from(entities.get(entity)?.rows ?? [], ({ id }) => id)
    .toSorted(compareText)
    .join('')
}

describe('[V10] in one tab', () => {
  test('what is asked for is what all scopes ask for together; equal ones are one', async () => {
    const page = tab(true, [])
    const one = page.client.scope('notes', { where: { list: '1' } })
    const same = page.client.scope('notes', { where: { list: '1' } })
    const two = page.client.scope('notes', { where: { list: '2' } })
    await Promise.all([one.ready, same.ready, two.ready])
    expect(ids(page)).toBe('ab')
    // all that is asked for at once is one question
    expect(asked()).toEqual([{ or: [{ list: '1' }, { list: '2' }] }])
    const more = page.client.scope('notes', { where: { title: 'of 3', list: '3' } })
    await more.ready
    expect(ids(page)).toBe('abc')
    expect(asked()).toHaveLength(2)
    await page.client.scope('notes', { where: { list: '3', title: 'of 3' } }).ready
    expect(asked()).toHaveLength(2)
    const whole = page.client.scope('notes')
    await whole.ready
    expect(asked()).toEqual([...asked().slice(0, 2), undefined])
    server.put('notes', 'd', { id: 'd', list: '4', title: 'new' })
    await vi.waitFor(() => expect(ids(page)).toBe('abcd'))
  })

  test('the last one that is closed gives it up, a little later; who comes back in time finds it as it was', async () => {
    const page = tab(true, [])
    const [one, same, two] = ['1', '1', '2'].map(list => page.client.scope('notes', { where: { list } }))
    await two?.ready
    one?.close()
    one?.close()
    await page.env.advance(graceMs)
    expect(asked()).toHaveLength(1)
    same?.close()
    await page.env.advance(graceMs - 1)
    const again = page.client.scope('notes', { where: { list: '1' } })
    await page.env.advance(graceMs)
    await again.ready
    expect([asked().length, ids(page)]).toEqual([1, 'ab'])
    again[Symbol.dispose]()
    await page.env.advance(graceMs)
    await vi.waitFor(() => expect(ids(page)).toBe('b'))
    expect(asked().at(-1)).toEqual({ list: '2' })
    expect(page.changes.at(-1)).toBe('server delete a')
    await vi.waitFor(async () => expect(await stored()).toBe('b'))
  })

  test('one that is closed after its client leaves no timer behind', async () => {
    const page = tab(true, [])
    const scope = page.client.scope('notes')
    await scope.ready
    await page.client.close()
    scope.close()
    expect([...page.env.timers]).toEqual([])
  })

  test('an entity of which nothing is held is not asked for any more, and nothing of it is kept', async () => {
    const page = tab(true, ['todos'])
    const scope = page.client.scope('notes')
    await scope.ready
    await page.client.ready
    scope.close()
    await page.env.advance(graceMs)
    expect(server.received.at(-1)).toEqual({ type: 'unsubscribe', entities: ['notes'] })
    expect([ids(page), page.client.status().cursors['notes']]).toEqual(['', null])
    await vi.waitFor(async () => expect(await stored()).toBe(''))
    server.put('notes', 'd', { id: 'd', list: '4', title: 'new' })
    await page.client.scope('notes', { where: { list: '4' } }).ready
    expect(ids(page)).toBe('d')
    await expect(scope.ready).resolves.toBeUndefined()
  })

  test('unsent edits of what is given up stay, with what they show, and are sent', async () => {
    const page = tab(true, [])
    const [one, two] = ['1', '2'].map(list => page.client.scope('notes', { where: { list } }))
    await Promise.all([one?.ready, two?.ready])
    // a link that is busy for ever
    const taken = server.judge
    server.judge = () => ({ status: 'rejected', error: { code: 'DATABASE_BUSY', message: 'later' } })
    const edit = page.client.update('notes', 'a', { title: 'mine' })
    await edit.persisted
    one?.close()
    await page.env.advance(graceMs)
    await vi.waitFor(() => expect(asked().at(-1)).toEqual({ list: '2' }))
    await settle()
    expect(page.client.get('notes', 'a')).toEqual({ id: 'a', list: '1', title: 'mine' })
    const frozen = page.client.update('notes', 'b', { title: 'kept' })
    await frozen.persisted
    two?.close()
    await page.env.advance(graceMs)
    await vi.waitFor(() => expect(page.client.status().cursors['notes']).toBeNull())
    expect(page.client.get('notes', 'b')).toEqual({ id: 'b', list: '2', title: 'kept' })
    expect(ids(page)).toBe('ab')
    server.judge = taken
    server.clients.clear()
    server.drop()
    await page.env.advance(5_000)
    await Promise.all([edit.confirmed, frozen.confirmed])
    expect(ids(page)).toBe('')
    expect(server.rows('notes').find(row => row['id'] === 'b')).toMatchObject({ title: 'kept' })
  })

  test('offline nothing goes: what was given up goes with the next connection', async () => {
    const page = tab(true, [])
    const scope = page.client.scope('notes', { where: { list: '1' } })
    await scope.ready
    page.client.disconnect()
    scope.close()
    await page.env.advance(graceMs)
    const other = page.client.scope('notes', { where: { list: '2' } })
    await expect(other.ready).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    await expect(page.client.scope('todos').ready).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
    await vi.waitFor(async () => expect(await stored()).toBe('a'))
    page.client.connect()
    await vi.waitFor(() => expect(ids(page)).toBe('b'))
  })

  test('also where nothing of its entity is held any more', async () => {
    const page = tab(true, ['todos'])
    const scope = page.client.scope('notes')
    await scope.ready
    await page.client.ready
    page.client.disconnect()
    scope.close()
    await page.env.advance(graceMs)
    await vi.waitFor(async () => expect(await stored()).toBe('abc'))
    page.client.connect()
    await vi.waitFor(() => expect([ids(page), page.client.status().cursors['notes']]).toEqual(['', null]))
    await vi.waitFor(async () => expect(await stored()).toBe(''))
  })

  test('while one question is not answered no other is asked', async () => {
    const page = tab(true, [])
    await page.client.scope('notes', { where: { list: '1' } }).ready
    server.holdDown = true
    const more = ['2', '3', '4'].map(list => page.client.scope('notes', { where: { list } }))
    await settle()
    expect(asked()).toEqual([{ list: '1' }, { or: [{ list: '1' }, { list: '2' }] }])
    server.release()
    await Promise.all(more.map(({ ready }) => ready))
    expect(asked()).toHaveLength(3)
    expect(ids(page)).toBe('abc')
  })

  test('a page that is loaded anew goes on from its place, also where it asks for its scopes one after the other', async () => {
    const first = tab(true, [])
    for (const list of ['1', '2']) await first.client.scope('notes', { where: { list } }).ready
    await vi.waitFor(async () => expect(await stored()).toBe('ab'))
    await open.splice(0, 1)[0]?.client.close()
    const from = server.received.length
    const second = tab(true, ['todos'])
    await second.client.ready
    const scope = second.client.scope('notes', { where: { list: '2' } })
    await scope.ready
    expect(ids(second)).toBe('b')
    const other = second.client.scope('notes', { where: { list: '1' } })
    await other.ready
    expect(ids(second)).toBe('ab')
    expect(server.received.slice(from).some(({ type }) => type === 'reconcile')).toBe(false)
    expect(asked().length).toBeGreaterThan(2)
  })

  test('what the server does not give is refused alone, and what has no entity', async () => {
    server.refuses = (_, where) =>
      JSON.stringify(where).includes('title')
        ? { message: 'not by title', details: { column: 'title' } }
        : null
    const page = tab(true, [])
    const good = page.client.scope('notes', { where: { list: '1' } })
    const bad = page.client.scope('notes', { where: { title: 'x' } })
    const nowhere = page.client.scope('nothing')
    await expect(bad.ready).rejects.toMatchObject({ code: 'INVALID_MESSAGE', message: 'not by title' })
    await expect(nowhere.ready).rejects.toMatchObject({ code: 'UNKNOWN_ENTITY' })
    await good.ready
    expect(ids(page)).toBe('a')
    server.refuses = (_, where) => (JSON.stringify(where).includes('5') ? { message: 'no' } : null)
    await expect(page.client.scope('notes', { where: { list: '5' } }).ready).rejects.toMatchObject({
      message: 'no',
    })
    await page.client.scope('notes', { where: { list: '3' } }).ready
    expect(ids(page)).toBe('ac')
    // reason: the compiler would not take it
    const wrong = { list: { like: 'x' } } as unknown as Filter<Row>
    expect(() => page.client.scope('notes', { where: wrong })).toThrow(/no 'like'/)
    expect(() => page.client.scope('_notes')).toThrow(/cannot name/)
    const many = Array.from({ length: 3000 }, (_, i) => String(i))
    const long = page.client.scope('notes', { where: { list: { in: many } } })
    await expect(long.ready).rejects.toThrow(/longer than/)
    const left = page.client.scope('notes', { where: { list: '7' } })
    left.close()
    await expect(left.ready).rejects.toMatchObject({ code: 'CLOSED' })
    const open = page.client.scope('notes', { where: { list: '8' } })
    await page.client.close()
    await expect(open.ready).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('what was refused is asked for again where somebody asks again', async () => {
    const where = { title: 'of 1' }
    server.refuses = () => ({ message: 'not yet' })
    const page = tab(true, [])
    const first = page.client.scope('notes', { where })
    await expect(first.ready).rejects.toThrow('not yet')
    await expect(page.client.scope('notes', { where }).ready).rejects.toThrow('not yet')
    server.refuses = () => null
    await page.client.scope('notes', { where }).ready
    expect(ids(page)).toBe('a')
  })

  test('what was given up a moment before the client is closed leaves no timer behind', async () => {
    const page = tab(true, [])
    const scope = page.client.scope('notes', { where: { list: '1' } })
    await scope.ready
    scope.close()
    expect([...page.env.timers].some(({ at }) => at === page.env.now() + graceMs)).toBe(true)
    await page.client.close()
    await settle()
    expect([...page.env.timers]).toEqual([])
  })

  test('[V12] a window is asked for as it is said, and shows what it may hold', async () => {
    const page = tab(true, [])
    const scope = (entity: string, options: ScopeOptions<Row>): unknown => page.client.scope(entity, options)
    // the double knows no windows
    server.refuses = () => ({ message: 'no windows here' })
    for (const wrong of [{ limit: 0 }, { limit: 1_001 }, { limit: 1.5 }, { orderBy: 'title' }])
      expect(() => scope('notes', wrong)).toThrow(/limit/)
    scope('notes', { where: { list: '1' } })
    scope('notes', { orderBy: 'title', limit: 2 })
    scope('notes', { orderBy: [['title', 'asc']], limit: 2 })
    scope('notes', { where: { list: '2' }, orderBy: [['title', 'desc']], limit: 1 })
    await vi.waitFor(() => expect(asked()).toHaveLength(1))
    expect(asked()).toEqual([
      {
        or: [
          { limit: 1, orderBy: [['title', 'desc']], where: { list: '2' } },
          { limit: 2, orderBy: [['title', 'asc']] },
          { list: '1' },
        ],
      },
    ])
  })

  test('an edit can be made as soon as the scope is asked for', async () => {
    const page = tab(true, [])
    const scope = page.client.scope('notes', { where: { list: '1' } })
    const made = page.client.create('notes', { id: 'x', list: '9', title: 'early' })
    await made.confirmed
    await scope.ready
    // it is not among what was asked for
    expect(ids(page)).toBe('a')
    expect(server.rows('notes').some(row => row['id'] === 'x')).toBe(true)
  })
})

describe('[T6] among tabs', () => {
  async function two(): Promise<[Tab, Tab]> {
    const first = tab(true, [], {})
    await first.client.scope('notes', { where: { list: '1' } }).ready
    const second = tab(true, ['todos'])
    await second.client.ready
    return [first, second]
  }

  test('whoever leads asks for what all want; each shows what it wants, and what it wrote', async () => {
    const [first, second] = await two()
    const scope = second.client.scope('notes', { where: { list: '2' } })
    await scope.ready
    expect([ids(first), ids(second)]).toEqual(['a', 'b'])
    expect(leaders([first, second])).toEqual([first.name])
    expect(asked().at(-1)).toEqual({ or: [{ list: '1' }, { list: '2' }] })
    await second.client.create('notes', { id: 'x', list: '1', title: 'for the other' }).persisted
    expect(ids(second)).toBe('bx')
    await vi.waitFor(() => expect([ids(first), ids(second)]).toEqual(['ax', 'b']))
    server.put('notes', 'b', { id: 'b', list: '1', title: 'moved' })
    await vi.waitFor(() => expect([ids(first), ids(second)]).toEqual(['abx', '']))
    expect(second.changes.at(-1)).toBe('server delete b')
    expect(first.changes.at(-1)).toBe('server create b')
    const query = second.client.query('notes', {})
    expect(query.rows).toEqual([])
    server.put('notes', 'c', { id: 'c', list: '2', title: 'came' })
    await vi.waitFor(() => expect(query.rows).toMatchObject([{ id: 'c' }]))
  })

  test('what a follower gives up goes; what a tab wanted that is closed goes a little later', async () => {
    const [first, second] = await two()
    const scope = second.client.scope('notes', { where: { list: '2' } })
    await second.client.scope('notes', { where: { list: '3' } }).ready
    scope.close()
    await second.env.advance(graceMs)
    await vi.waitFor(() => expect(asked().at(-1)).toEqual({ or: [{ list: '1' }, { list: '3' }] }))
    await vi.waitFor(() => expect([ids(first), ids(second)]).toEqual(['a', 'c']))
    await second.client.close()
    await settle()
    expect(asked().at(-1)).toEqual({ or: [{ list: '1' }, { list: '3' }] })
    await first.env.advance(graceMs)
    await vi.waitFor(() => expect(asked().at(-1)).toEqual({ list: '1' }))
  })

  test('whoever takes over goes on with all of it, and lets go what nobody asks for again', async () => {
    const [first, second] = await two()
    const third = tab(true, [])
    await second.client.scope('notes', { where: { list: '2' } }).ready
    await third.client.scope('notes', { where: { list: '3' } }).ready
    const from = server.received.length
    tabs.kill(first.name)
    await vi.waitFor(() => expect(leaders([second, third])).toEqual([second.name]))
    await vi.waitFor(() => expect(second.client.status().state).toBe('ready'))
    await settle()
    expect(server.received.slice(from).some(({ type }) => type === 'reconcile')).toBe(false)
    await second.env.advance(graceMs)
    await vi.waitFor(() => expect(asked().at(-1)).toEqual({ or: [{ list: '2' }, { list: '3' }] }))
    await vi.waitFor(() => expect([ids(second), ids(third)]).toEqual(['b', 'c']))
  })

  test('of an entity that is let go a follower keeps nothing either', async () => {
    const [first, second] = await two()
    const scope = second.client.scope('todos')
    await second.client.scope('notes', { where: { list: '2' } }).ready
    scope.close()
    expect(ids(first)).toBe('a')
    const other = second.client.scope('notes')
    await other.ready
    expect([ids(first), ids(second)]).toEqual(['a', 'abc'])
  })

  test('a follower hears that the server does not give it', async () => {
    const [first, second] = await two()
    server.refuses = (_, where) =>
      JSON.stringify(where).includes('title') ? { message: 'not by title' } : null
    await expect(second.client.scope('notes', { where: { title: 'x' } }).ready).rejects.toThrow(
      'not by title',
    )
    server.put('notes', 'd', { id: 'd', list: '1', title: 'all goes on' })
    await vi.waitFor(() => expect(ids(first)).toBe('ad'))
  })
})
