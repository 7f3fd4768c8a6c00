// What a tab of fields says to the others of what the server changed.
import { expect, test, vi } from 'vitest'
import type { RowSet } from '../core/index.ts'
import { allParts, clientOf } from '../client/index.ts'
import { open, server, tab, tabs } from '../client/crew-rig.test.ts'
import { FakeEnv } from '../testing/fake-env.ts'
import { fieldSpelling } from './spelling.ts'

/** A batch that is nobody's write. */
function live(set: Omit<RowSet, 'entity'>): void {
  const from = server.cursor()
  server.seq += 1
  for (const link of server.links) {
    server.send(link, {
      type: 'batch',
      scopes: ['todos'],
      from,
      to: server.cursor(),
      sets: [{ entity: 'todos', ...set }],
    })
    link.scopes.set('todos', server.cursor())
  }
}

test('[T7] the fields that changed, and their values, however the server sent them', async () => {
  server.define('todos', ['id', 'title', 'other'])
  server.put('todos', 'a', { id: 'a', title: 'old', other: 'same' })
  const env = Object.assign(new FakeEnv('fields_'), { tabs: tabs.of('fields') })
  const options = { url: 'http://x', entities: ['todos'], env, transports: [server.transport()] } as const
  const parts = allParts()
  const client = clientOf(options, { ...parts, home: { ...parts.home, ...fieldSpelling } })
  await client.ready
  const second = tab()
  open.push({ ...second, client: client as never })
  await second.client.ready
  await vi.waitFor(() => expect(second.client.getAll('todos')).toHaveLength(1))
  tabs.log.length = 0
  const said = (): unknown[] =>
    tabs.log.splice(0).flatMap(({ message }) => (message.type === 'field_change' ? message.change : []))
  const shown = (title: unknown): Promise<void> =>
    vi.waitFor(() => expect(second.client.get('todos', 'a')?.['title']).toBe(title))
  const a = { entity: 'todos', id: 'a', entity_id: 'a', action: 'update' }
  live({ rows: [], patches: [['a', server.seq + 1, { title: 'new' }]] })
  await shown('new')
  expect(said()).toMatchObject([{ ...a, field: 'title', value: 'new', fields: { title: 'new' } }])
  live({ rows: [[server.seq + 1, 'a', 'newer', 'same']] })
  await shown('newer')
  expect(said()).toEqual([
    { ...a, field: 'title', value: 'newer', fields: { title: 'newer' }, version: server.seq },
  ])
  // under an edit that is not sent yet: what the server changed, whatever is shown
  server.mute = true
  client.update('todos', 'a', { title: 'mine' })
  await shown('mine')
  said()
  live({ rows: [], patches: [['a', server.seq + 1, { title: 'theirs', other: 'new' }]] })
  await vi.waitFor(() => expect(second.client.get('todos', 'a')?.['other']).toBe('new'))
  expect(said()).toMatchObject([{ ...a, fields: { title: 'theirs', other: 'new' } }])
  live({ rows: [[server.seq + 1, 'b', 'first', null]] })
  await vi.waitFor(() => expect(second.client.get('todos', 'b')).toBeDefined())
  expect(said()).toMatchObject([
    { id: 'b', action: 'create', fields: { id: 'b', title: 'first', other: null } },
  ])
  live({ rows: [], gone: [['b', server.seq + 1]] })
  await vi.waitFor(() => expect(second.client.get('todos', 'b')).toBeUndefined())
  expect(said()).toMatchObject([{ id: 'b', action: 'delete', field: null, value: null, fields: {} }])
})
