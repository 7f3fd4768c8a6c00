// Tabs that name different tables, over one database: whoever leads asks the server for what all of them name.
import { beforeEach, expect, test, vi } from 'vitest'
import { leaders, open, server, tab, tabs } from './crew-rig.test.ts'

const tables = ['lists', 'todos', 'users']
const named = new Map<string, readonly string[]>()

beforeEach(() => {
  for (const table of tables) {
    server.define(table, ['id', 'title'])
    server.put(table, 'a', { id: 'a', title: 'one' })
  }
})

function naming(...entities: string[]) {
  const made = tab(true, entities)
  named.set(made.name, entities)
  return made
}

/** Every tab shows this of each table that it names. */
const all = (title: string): Promise<void> =>
  vi.waitFor(() => {
    for (const { client, name } of open)
      for (const table of named.get(name) ?? [])
        expect(client.get(table, 'a'), `${table} of ${name}`).toMatchObject({ title })
  })

/** One connection, and what is written anywhere reaches every tab. */
async function areOne(): Promise<void> {
  for (const table of tables) server.put(table, 'a', { id: 'a', title: 'of the server' })
  await all('of the server')
  for (const { client, name } of open)
    for (const table of named.get(name) ?? [])
      await client.update(table, 'a', { title: `of ${name}` }).confirmed
  await vi.waitFor(() => expect(open.map(({ client }) => client.status().pending)).toEqual(open.map(() => 0)))
  for (const table of tables) server.put(table, 'a', { id: 'a', title: 'of the server again' })
  await all('of the server again')
  expect(leaders(open)).toHaveLength(1)
  expect(server.links).toHaveLength(1)
}

const hellos = (): number => server.received.filter(({ type }) => type === 'hello').length

test('[T1] what a tab names is asked for by the one that leads, and it is ready when it has its rows', async () => {
  const first = naming('todos')
  await first.client.ready
  const second = naming('todos', 'users')
  await second.client.ready
  expect(second.client.getAll('users')).toEqual([{ id: 'a', title: 'one' }])
  expect(first.client.status().leader).toBe(true)
  await areOne()
  expect(hellos()).toBe(1)
})

test('[T1] tabs that name nothing in common: who leads asks for what both name, and so does whoever is next', async () => {
  const [first, second] = [naming('todos'), naming('users')]
  await Promise.all([first.client.ready, second.client.ready])
  await areOne()
  await naming('lists').client.ready
  await areOne()
  expect(hellos()).toBe(1)
  const at = open.findIndex(({ client }) => client.status().leader)
  const [leading] = open.splice(at, 1)
  await leading?.client.close()
  await vi.waitFor(() => expect(leaders(open)).toHaveLength(1))
  await areOne()
})

test('[T1] [T3] what is written offline is sent though the tab that leads does not name its table', async () => {
  const first = naming('todos')
  await first.client.ready
  first.client.disconnect()
  const second = naming('users')
  const edit = second.client.create('users', { id: 'b', title: 'early' })
  await edit.persisted
  second.client.connect()
  await edit.confirmed
  expect(server.rows('users').map(row => row['id'])).toEqual(['a', 'b'])
  await vi.waitFor(() => expect(open.map(({ client }) => client.status().pending)).toEqual([0, 0]))
})

test('[T1] [T5] the same without Web Locks', async () => {
  tabs.locks = false
  const first = naming('todos')
  await vi.waitFor(() => expect(first.env.timers.size).toBeGreaterThan(1))
  await first.env.advance(2_000)
  await first.client.ready
  const second = naming('users')
  await second.client.ready
  await areOne()
})

test('[T1] [V9] whoever leads asks for the tables of others as they do', async () => {
  const first = tab(true, ['users'], { users: { id: 'a' } })
  await first.client.ready
  const second = tab(true, ['todos'])
  await second.client.ready
  expect(leaders([first, second])).toEqual([first.name])
  const asked = server.received.flatMap(message => (message.type === 'subscribe' ? message.scopes : []))
  const last = asked.findLast(({ entity }) => entity === 'users')
  expect(last).toMatchObject({ where: { id: 'a' } })
  expect(asked.findLast(({ entity }) => entity === 'todos')).not.toHaveProperty('where')
})
