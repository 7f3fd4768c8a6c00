import { expect, test } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { FakeServer } from '../testing/fake-server.ts'
import { createClient } from './index.ts'

test('[K13] X75 edits wait for each other where data is to be saved, and none longer than a second', async () => {
  const server = new FakeServer()
  server.define('todos', ['id', 'title'])
  const env = Object.assign(new FakeEnv(), { saveData: true })
  const client = createClient({
    url: 'http://x',
    entities: ['todos'] as string[],
    env,
    store: 'memory',
    transports: [server.transport()],
  })
  await env.advance(0)
  await client.ready
  const sent = (): number[] =>
    server.received.flatMap(message => (message.type === 'mutate' ? [message.mutations.length] : []))
  const write = async (id: string): Promise<void> => {
    await client.create('todos', { id, title: id }).persisted
    await env.advance(400)
  }
  await write('a')
  await write('b')
  expect(sent()).toEqual([])
  expect(client.getAll('todos')).toHaveLength(2)
  await write('c')
  expect(sent()).toEqual([3])
  await write('d')
  expect(sent()).toEqual([3])
  await env.advance(600)
  expect(sent()).toEqual([3, 1])
  expect(client.status().pending).toBe(0)
  await client.close()
})
