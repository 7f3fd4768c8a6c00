// Scopes of tabs that come, go and come back, and what the server does not give, in each of them.
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { compareText, idOfValue } from '../core/index.ts'
import { FakeEnv, settle } from '../testing/fake-env.ts'
import { leaders, open, server, tab, tabs } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'
import { indexedDBStore } from './idb.ts'
import { createClient } from './index.ts'
import { graceMs } from './scopes.ts'

beforeEach(() => {
  server.define('notes', ['id', 'list', 'title'])
  for (const [id, list] of Object.entries({ a: '1', b: '2', c: '3' }))
    server.put('notes', id, { id, list, title: `of ${list}` })
})

const ids = ({ client }: Tab): string =>
  client
    .getAll('notes')
    .map(row => idOfValue(row['id']) ?? '')
    .toSorted(compareText)
    .join('')
const asked = (): unknown[] =>
  server.received.flatMap(message =>
    message.type === 'subscribe'
      ? message.scopes.filter(scope => scope.entity === 'notes').map(({ where }) => where)
      : [],
  )
const list = (one: string) => ({ where: { list: one } })

/** The first one leads, and holds a list of its own. */
async function two(): Promise<[Tab, Tab]> {
  const first = tab(true, [], {})
  await first.client.scope('notes', list('1')).ready
  const second = tab(true, ['todos'])
  await second.client.ready
  return [first, second]
}

describe('[T6] what a tab wanted', () => {
  test('stays where the tab comes back in time', async () => {
    const [first, second] = await two()
    await second.client.scope('notes', list('2')).ready
    second.env.hint('suspend')
    await settle()
    await first.env.advance(graceMs - 1)
    second.env.hint('resume')
    await settle()
    await first.env.advance(graceMs)
    await settle()
    expect(asked()).toHaveLength(2)
    server.put('notes', 'd', { id: 'd', list: '2', title: 'new' })
    await vi.waitFor(() => expect(ids(second)).toBe('bd'))
  })

  test('is let go where another leads that it says nothing to', async () => {
    const [first, second] = await two()
    const third = tab(true, [])
    await second.client.scope('notes', list('2')).ready
    await third.client.scope('notes', list('3')).ready
    tabs.kill(third.name)
    tabs.kill(first.name)
    await vi.waitFor(() => expect(leaders([second])).toEqual([second.name]))
    await vi.waitFor(() => expect(second.client.status().state).toBe('ready'))
    await second.env.advance(graceMs)
    await vi.waitFor(() => expect(asked().at(-1)).toEqual({ list: '2' }))
  })
})

test('[T6] [V10] a scope of a tab that follows is not ready by what was stored before it was asked for', async () => {
  const [, second] = await two()
  // what it has not heard it reads when it hears the next time that something is stored
  tabs.deaf.add(second.name)
  server.put('todos', 't', { id: 't', title: 'new' })
  await vi.waitFor(async () => {
    const [database] = await indexedDB.databases()
    const store = indexedDBStore(database?.name ?? '', () => () => {})
    const { entities } = await store.load(['todos'])
    await store.close()
    expect(entities.get('todos')?.rows).toHaveLength(1)
  })
  tabs.deaf.delete(second.name)
  tabs.freeze(second.name)
  // whoever leads tells it what is stored
  await tab(true, ['todos']).client.ready
  await settle()
  server.holdDown = true
  const scope = second.client.scope('notes', list('2'))
  const seen = scope.ready.then(() => ids(second))
  tabs.thaw(second.name)
  await vi.waitFor(() => expect(second.client.getAll('todos')).toHaveLength(1))
  await settle()
  server.release()
  expect(await seen).toBe('b')
})

test('[T3] a tab that follows shows nothing older where its disk answers late, and is ready all the same', async () => {
  await two()
  const env = Object.assign(new FakeEnv('late_'), { tabs: tabs.of('late') })
  const gates: Promise<void>[] = []
  const client = createClient({
    url: 'http://x',
    entities: ['todos'] as string[],
    env,
    transports: [server.transport()],
    store(name) {
      const made = indexedDBStore(name, (ms, run) => env.after(ms, run))
      const load: typeof made.load = async (...args) => {
        const gate = gates.pop()
        const loaded = await made.load(...args)
        await gate
        return loaded
      }
      return { ...made, load }
    },
  })
  const late: Tab = { client, env, name: 'late', changes: [] }
  open.push(late)
  client.on('changed', ({ action }) => late.changes.push(action))
  await client.ready
  let answer = (): void => {}
  gates.push(new Promise(resolve => (answer = resolve)))
  const scope = client.scope('notes', list('2'))
  await vi.waitFor(() => expect(ids(late)).toBe('b'))
  server.put('notes', 'd', { id: 'd', list: '2', title: 'new' })
  await vi.waitFor(() => expect(ids(late)).toBe('bd'))
  answer()
  await scope.ready
  expect([ids(late), late.changes]).toEqual(['bd', ['create', 'create']])
})

describe('[V10] [T6] what the server does not give, in a tab that follows', () => {
  const bad = list('9')
  const refuse = (yes: boolean): void => {
    server.refuses = (_, where) => (yes && JSON.stringify(where).includes('9') ? { message: 'no' } : null)
  }

  test('is refused again where it is asked for again, and given once the server gives it', async () => {
    const [, second] = await two()
    refuse(true)
    await second.client.scope('notes', list('2')).ready
    await expect(second.client.scope('notes', bad).ready).rejects.toThrow('no')
    const from = asked().length
    await expect(second.client.scope('notes', bad).ready).rejects.toThrow('no')
    // what is held meanwhile stays so
    expect(asked().slice(from)).toEqual([
      { or: [{ list: '1' }, { list: '2' }, { list: '9' }] },
      { or: [{ list: '1' }, { list: '2' }] },
    ])
    refuse(false)
    server.put('notes', 'z', { id: 'z', list: '9', title: 'given' })
    await second.client.scope('notes', bad).ready
    expect(ids(second)).toBe('bz')
  })

  test('is asked for again where nothing else is wanted of it', async () => {
    const first = tab(true, ['todos'])
    await first.client.ready
    const second = tab(true, ['todos'])
    await second.client.ready
    refuse(true)
    await expect(second.client.scope('notes', bad).ready).rejects.toThrow('no')
    await expect(second.client.scope('notes', bad).ready).rejects.toThrow('no')
    refuse(false)
    server.put('notes', 'z', { id: 'z', list: '9', title: 'given' })
    await second.client.scope('notes', bad).ready
    expect(ids(second)).toBe('z')
  })

  test('is asked for again by a tab that was not there when it was refused', async () => {
    const [first, second] = await two()
    refuse(true)
    await expect(second.client.scope('notes', bad).ready).rejects.toThrow('no')
    const third = tab(true, ['todos'])
    await third.client.ready
    await expect(third.client.scope('notes', bad).ready).rejects.toThrow('no')
    refuse(false)
    server.put('notes', 'z', { id: 'z', list: '9', title: 'given' })
    await third.client.scope('notes', bad).ready
    expect([ids(first), ids(third)]).toEqual(['a', 'z'])
  })
})
