// First visits among other tabs: a guest has a connection of its own until it leads, or hears who does.
import { expect, test, vi } from 'vitest'
import { settle } from '../testing/fake-env.ts'
import { SyncError } from '../core/index.ts'
import { memoryStore } from './index.ts'
import type { ClientStore } from './index.ts'
import { server, tabs } from './crew-rig.test.ts'
import { hellos, loseNotes, moment, state, todo, visitor, whole } from './visiting-rig.test.ts'
import type { Visitor } from './visiting-rig.test.ts'

/** The lock is with a tab that is frozen and has said nothing; the visitor is a guest. */
async function guest(): Promise<Visitor & { thaw(): void }> {
  const held = tabs.of('frozen').lock('syncline:syncline-anon', { granted() {}, lost() {} })
  const v = visitor()
  await state(v.client, 'ready')
  v.arrive()
  await v.client.ready
  await moment()
  return Object.assign(v, { thaw: () => held?.release() })
}

const others = (client: string, message: object): void => {
  const channel = tabs.of('other').channel('syncline:syncline-anon', () => {})
  channel?.post({ client, ...message } as never) // reason: it is one that tabs post
}

test('a guest takes part in what all tabs want: it disconnects', async () => {
  const v = await guest()
  others(v.client.status().client, { type: 'do', what: 'disconnect', entity: '' })
  await settle()
  v.thaw()
  await moment()
  expect(v.client.status().state).toBe('idle')
})

test('a guest that disconnected and is wanted again', async () => {
  const v = await guest()
  v.client.disconnect()
  others(v.client.status().client, { type: 'do', what: 'connect', entity: '' })
  await settle()
  v.thaw()
  await moment()
  expect(v.client.status().state).toBe('ready')
})

test('a guest that was fenced off by a tab that is gone connects when it leads', async () => {
  const v = await guest()
  server.drop(4409)
  await settle()
  v.thaw()
  await moment()
  await v.env.advance(10_000)
  expect(v.client.status().state).toBe('ready')
})

test('a guest writes, and goes on as the one that leads', async () => {
  const v = await guest()
  const edit = v.client.create('todos', todo('a'))
  await edit.confirmed
  server.put('todos', 'b', todo('b'))
  v.thaw()
  await moment()
  await v.client.create('todos', todo('c')).confirmed
  await settle()
  await moment()
  expect(hellos()).toHaveLength(1)
  expect(server.received.filter(m => m.type === 'mutate')).toHaveLength(2)
  await v.client.close()
  const again = whole({ autoConnect: false })
  await again.client.ready
  expect(again.client.getAll('todos')).toHaveLength(3)
  expect(again.client.status().pending).toBe(0)
})

test('a guest in the back-forward cache', async () => {
  const v = await guest()
  v.env.hint('suspend')
  await settle()
  expect(tabs.held(v.name)).toBe(0)
  expect(server.links).toHaveLength(0)
  v.thaw()
  v.env.hint('resume')
  await state(v.client, 'ready')
  expect(v.client.status().leader).toBe(true)
})

test('two first visits at once', async () => {
  server.put('todos', 'a', todo('a'))
  const both = [visitor(), visitor()]
  const edits = both.map(({ client }, i) => client.create('todos', todo(`v${i}`)))
  for (const { client } of both) await state(client, 'ready')
  for (const v of both) v.arrive()
  await Promise.all(edits.map(({ confirmed }) => confirmed))
  for (const { client } of both) await vi.waitFor(() => expect(client.getAll('todos')).toHaveLength(3))
  expect(server.links).toHaveLength(1)
  expect(new Set(server.links.map(({ client }) => client))).toEqual(
    new Set([both[0]?.client.status().client]),
  )
  expect(server.rows('todos')).toHaveLength(3)
})

test('another tab leads already, and the note is lost', async () => {
  server.put('todos', 'a', todo('a'))
  const first = whole()
  await state(first.client, 'ready')
  await moment()
  loseNotes()
  const v = visitor()
  const edit = v.client.create('todos', todo('b'))
  await state(v.client, 'ready')
  v.arrive()
  await edit.confirmed
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(2))
  expect(server.links).toHaveLength(1)
  expect(v.client.status()).toMatchObject({ client: first.client.status().client, leader: false })
})

test('a refused write of a guest is told once, and kept', async () => {
  const v = await guest()
  server.judge = () => ({ status: 'rejected', error: { code: 'CONSTRAINT_FAILED', message: 'no' } })
  const edit = v.client.create('todos', todo('a'))
  await expect(edit.confirmed).rejects.toMatchObject({ code: 'CONSTRAINT_FAILED' })
  server.judge = () => null
  v.thaw()
  await moment()
  await settle()
  expect(v.client.status()).toMatchObject({ pending: 0, deadLetters: 1 })
  await v.client.close()
  const again = whole()
  await again.client.ready
  expect(again.client.status()).toMatchObject({ pending: 0, deadLetters: 1 })
})

test('a guest that was frozen while another tab took the lead', async () => {
  server.put('todos', 'a', todo('a'))
  const v = await guest()
  tabs.freeze(v.name)
  const other = whole()
  await vi.waitFor(() => expect(other.env.timers.size).toBeGreaterThan(0))
  await moment()
  await other.env.advance(3_000)
  await state(other.client, 'ready')
  await other.client.create('todos', todo('b')).confirmed
  tabs.thaw(v.name)
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(2))
  await v.client.create('todos', todo('c')).confirmed
  expect(server.links).toHaveLength(1)
  expect(server.rows('todos')).toHaveLength(3)
  expect(v.client.status().leader).toBe(false)
})

test('what a guest has sent when another tab takes the lead is settled once', async () => {
  const v = await guest()
  server.holdDown = true
  const edit = v.client.create('todos', todo('a'))
  await edit.persisted
  await settle()
  const other = whole()
  await moment()
  await other.env.advance(3_000)
  await moment()
  server.release()
  await edit.confirmed
  await vi.waitFor(() => expect(other.client.status()).toMatchObject({ pending: 0, state: 'ready' }))
  expect(v.client.status().pending).toBe(0)
  expect(server.rows('todos')).toEqual([todo('a')])
  expect(server.links).toHaveLength(1)
})

test('a guest whose user changes', async () => {
  server.user = 'alice'
  const v = await guest()
  await v.client.create('todos', todo('hers')).confirmed
  server.user = 'bob'
  server.drop()
  await v.env.advance(3_000)
  await vi.waitFor(() => expect(v.client.status()).toMatchObject({ user: 'bob', state: 'ready' }))
  await v.client.create('todos', todo('his')).confirmed
  expect(v.events.filter(one => one.startsWith('user'))).toEqual(['user bob'])
  await v.client.close()
  expect(tabs.held(v.name)).toBe(0)
})

test('another log than before while the home is away', async () => {
  server.put('todos', 'a', todo('a'))
  const v = visitor()
  await state(v.client, 'ready')
  await settle()
  server.drop()
  server.epoch = 'e2'
  server.put('todos', 'b', todo('b'))
  await v.env.advance(3000)
  await state(v.client, 'ready')
  const edit = v.client.create('todos', todo('c'))
  v.arrive()
  await edit.confirmed
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(3))
  await moment()
  await v.client.close()
  const again = whole({ autoConnect: false })
  await again.client.ready
  expect(again.client.getAll('todos')).toHaveLength(3)
})

test('a first copy in parts, of which some come before the home and some after it', async () => {
  server.pageRows = 2
  for (let i = 0; i < 7; i++) server.put('todos', `r${i}`, todo(`r${i}`))
  server.holdDown = true
  const v = visitor()
  await settle()
  // the welcome
  server.release()
  server.holdDown = true
  await settle()
  const edit = v.client.create('todos', todo('b'))
  v.arrive()
  const [link] = server.links
  const held = link?.held.splice(0) ?? []
  for (const text of held.slice(0, 2)) link?.events.frame(text)
  await moment()
  for (const text of held.slice(2)) link?.events.frame(text)
  server.release()
  await edit.confirmed
  await vi.waitFor(() => expect(v.client.getAll('todos')).toHaveLength(8))
  expect(hellos()).toHaveLength(1)
  await moment()
  await v.client.close()
  const again = whole({ autoConnect: false })
  await again.client.ready
  expect(again.client.getAll('todos')).toHaveLength(8)
})

test('a disk that takes nothing from the first', async () => {
  for (const what of ['save', 'claim', 'load'] as const) {
    server.clients.clear()
    const store: ClientStore = {
      ...memoryStore(),
      kind: 'indexeddb',
      [what]: async () => {
        throw new SyncError('STORAGE_FULL', 'quota')
      },
    }
    const v = visitor({ store: () => store, name: what })
    await state(v.client, 'ready')
    const before = v.client.create('todos', todo(`${what}1`))
    v.arrive()
    const p = await before.persisted.then(
      () => 'stored',
      (e: SyncError) => e.code,
    )
    await before.confirmed
    await v.client.create('todos', todo(`${what}2`)).confirmed
    await moment()
    await v.env.advance(5000)
    expect([
      what,
      p,
      v.client.status().pending,
      v.client.status().state,
      v.client.status().storage,
      server.links.length,
    ]).toEqual([what, 'STORAGE_FULL', 0, 'ready', 'memory', 1])
    await v.client.close()
    expect(tabs.held(v.name)).toBe(0)
  }
})

test('[T3] a guest that asked for a sync, and hears who leads, is told of its end by that one', async () => {
  const first = whole()
  await state(first.client, 'ready')
  await moment()
  loseNotes()
  const v = visitor()
  await state(v.client, 'ready')
  const done = v.client.sync('todos')
  server.holdDown = true
  v.arrive()
  await v.client.ready
  await moment()
  server.release()
  await done
  expect(v.client.status().leader).toBe(false)
})

test('a guest that is asked for a sync does not say that it is done: what it has is on no disk', async () => {
  const v = await guest()
  others(v.client.status().client, { type: 'do', what: 'sync', entity: 'todos', id: 's' })
  await moment()
  expect(tabs.log.filter(({ message }) => message.type === 'synced')).toEqual([])
})
