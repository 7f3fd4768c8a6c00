// What a page asks for beside what its client was made with: the second script of a page names more.
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { FakeEnv } from '../testing/fake-env.ts'
import { server } from './crew-rig.test.ts'
import { clientOf } from './client.ts'
import { allParts } from './create-client.ts'
import { home } from './home.ts'
import type { BareClient } from './api.ts'
import type { Engine } from './engine.ts'
import { newKept } from './replica.ts'
import { rig } from './rig.test.ts'
import { wantMore } from './want-more.ts'

beforeEach(() => {
  server.define('notes', ['id', 'list'])
  server.put('notes', 'a', { id: 'a', list: '1' })
  server.put('notes', 'b', { id: 'b', list: '2' })
  server.put('todos', 't', { id: 't', title: 'first' })
})

function page(autoConnect: boolean): { client: BareClient; engine: Engine } {
  let engine: Engine | null = null
  const client = clientOf(
    { url: 'http://x', entities: ['todos'] as string[], env: new FakeEnv('p'), store: 'memory', autoConnect },
    {
      ...allParts(),
      home,
      transports: () => [server.transport()],
      more: made => ({ engine: (engine = made) }),
    },
  )
  if (engine === null) throw new Error('the parts were not asked')
  return { client, engine }
}

describe('[F12] more entities while a client runs', () => {
  test('may be written to as soon as they are named, and are here once they are ready', async () => {
    const { client, engine } = page(true)
    const synced = await wantMore(engine, { entities: ['notes'], where: { notes: { list: '1' } } })
    expect(client.create('notes', { id: 'c', list: '1' }).id).toBe('c')
    await synced()
    expect(client.getAll('notes').map(row => row['id'])).toEqual(['a', 'c'])
    expect(client.getAll('todos')).toHaveLength(1)
    await vi.waitFor(() => expect(client.pending()).toEqual([]))
    await client.close()
  })

  test('without a connection they wait for none; what cannot name an entity is refused', async () => {
    const { client, engine } = page(false)
    const synced = await wantMore(engine, { entities: ['notes'] })
    await synced()
    expect(client.getAll('notes')).toEqual([])
    client.connect()
    await vi.waitFor(() => expect(client.getAll('notes')).toHaveLength(2))
    await expect(wantMore(engine, { entities: ['_meta'] })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    await client.close()
  })

  test('of what the disk is being read nobody is told that all of it is here', () => {
    const play = rig({ entities: ['t', 'u'], wants: { t: [''] } })
    const kept = Object.assign(newKept('u', null), { loading: true, refused: true })
    play.step({ type: 'part', step: state => void state.entities.set('u', kept) })
    play.welcome()
    expect(play.sent.at(-1)).toMatchObject({ type: 'subscribe', scopes: [{ entity: 't' }] })
    expect(kept.current).toBe(false)
  })
})
