// A sync that a tab asks for which does not lead.
import { describe, expect, test, vi } from 'vitest'
import { settle } from '../testing/fake-env.ts'
import { crew, leaders, server, tab, tabs, titles } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'

describe('[T3] followers', () => {
  test('whose page asks for a sync are told of its end when what came of it is on their screen', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    await settle()
    server.holdDown = true
    server.put('todos', 'a', { id: 'a', title: 'one' })
    let shown: unknown = null
    const done = second.client.sync('todos').then(() => (shown = titles(second)))
    await settle()
    expect(shown).toBe(null)
    expect(server.received.filter(({ type }) => type === 'subscribe')).toHaveLength(2)
    server.release()
    await done
    expect(shown).toEqual(['"one"'])
    await second.client.sync('todos')
    expect(server.received.filter(({ type }) => type === 'subscribe')).toHaveLength(3)
    first.client.disconnect()
    await vi.waitFor(() => expect(second.client.status().state).toBe('idle'))
    await expect(second.client.sync('todos')).rejects.toMatchObject({ code: 'NOT_CONNECTED' })
  })

  test('ask for a sync again where the leader is gone before it said that it was done', async () => {
    const [first, second, third] = (await crew(3)) as [Tab, Tab, Tab]
    await settle()
    server.holdDown = true
    const done = third.client.sync('todos')
    await vi.waitFor(() => expect(server.received.filter(({ type }) => type === 'subscribe')).toHaveLength(2))
    await first.client.close()
    await vi.waitFor(() => expect(leaders([second, third])).toEqual([second.name]))
    server.release()
    await done
    expect(leaders([second, third])).toEqual([second.name])
    tabs.freeze(second.name)
    const later = third.client.sync('todos')
    await settle()
    await third.env.advance(2_000)
    await later
    expect(leaders([third])).toEqual([third.name])
  })

  test('that come back after a while ask for it again: what was said meanwhile they did not hear', async () => {
    const [, second] = (await crew(2)) as [Tab, Tab]
    await settle()
    server.holdDown = true
    const done = second.client.sync('todos')
    await settle()
    second.env.hint('suspend')
    server.release()
    await settle()
    second.env.hint('resume')
    await done
    expect(second.client.status().leader).toBe(false)
  })

  test('that led when they asked, and were asked, hear of the end from the tab that leads now', async () => {
    // without them who is replaced hears it from the one who leads now
    tabs.locks = false
    const [first, second] = [tab(), tab()]
    await vi.waitFor(() => expect(first.env.timers.size).toBeGreaterThan(1))
    await first.env.advance(2_000)
    await Promise.all([first.client.ready, second.client.ready])
    server.holdDown = true
    const all = [first.client.sync('todos'), second.client.sync('todos')]
    await settle()
    tabs.freeze(first.name)
    await second.client.create('todos', { id: 'a', title: 'one' }).persisted
    await settle()
    await second.env.advance(2_000)
    await vi.waitFor(() => expect(leaders([second])).toEqual([second.name]))
    tabs.thaw(first.name)
    server.release()
    await Promise.all(all)
    expect(leaders([first, second])).toEqual([second.name])
  })

  test('are told of the end behind what they read from the disk, as of what was healed', async () => {
    const [, second] = (await crew(2)) as [Tab, Tab]
    await settle()
    // the live batch is lost, and the place in the log that it followed is forgotten
    server.holdDown = true
    server.put('todos', 'a', { id: 'a', title: 'one' })
    for (const { held } of server.links) held.length = 0
    server.release()
    server.horizon = server.seq + 1
    await second.client.sync('todos')
    expect(titles(second)).toEqual(['"one"'])
  })
})
