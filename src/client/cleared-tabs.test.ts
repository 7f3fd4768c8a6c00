// A tab that clears the database, and another one that does not hear of it: it sleeps in the cache of pages, or is about to
// lead (rules A8, T1).
import { expect, test, vi } from 'vitest'
import { all, crew, leaders, server, tab } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'

const id = ({ client }: Tab): string => client.status().client

test('[A8] [T1] a tab that slept while another one cleared begins anew, as the client that is there now', async () => {
  const [one, two] = (await crew(2)) as [Tab, Tab] // reason: they are two
  const before = id(two)
  two.env.hint('suspend')
  await one.client.clear()
  await vi.waitFor(() => expect(one.client.status().state).toBe('ready'))
  two.env.hint('resume')
  await vi.waitFor(() => expect(id(two)).toBe(id(one)))
  expect(id(two)).not.toBe(before)
  one.client.create('todos', { id: 'a', title: 'new' })
  await all([one, two], ['new'])
  expect(leaders([one, two])).toEqual([one.name])
})

test('[T3] what another tab has stored already after a clear is told, and what is gone before it', async () => {
  server.put('todos', 'a', { id: 'a', title: 'old' })
  const [one, two] = (await crew(2)) as [Tab, Tab] // reason: they are two
  await all([one, two], ['old'])
  two.env.hint('suspend')
  await one.client.clear()
  await all([one], ['old'])
  two.changes.length = 0
  const shown: unknown[] = []
  two.client.on('changed', ({ action }) => shown.push([action, two.client.getAll('todos').length]))
  two.env.hint('resume')
  await vi.waitFor(() => expect(id(two)).toBe(id(one)))
  await all([two], ['old'])
  expect(two.changes.map(line => line.replace(/^\w+ /, ''))).toEqual(['delete a', 'create a'])
  expect(shown).toEqual([
    ['delete', 0],
    ['create', 1],
  ])
})

test('[A8] a clear that comes while a page is about to lead leaves nothing of the client that was', async () => {
  const first = tab()
  await first.client.ready
  const before = id(first)
  await first.client.close()
  const page = tab()
  await page.client.clear()
  await vi.waitFor(() => expect(page.client.status().state).toBe('ready'))
  expect(id(page)).not.toBe(before)
  page.client.create('todos', { id: 'a', title: 'mine' })
  await vi.waitFor(() => expect(server.rows('todos').map(({ title }) => title)).toEqual(['mine']))
})
