// Tabs of one browser: which leads, and what the others are told and do. The machine that decides is tested in
// lead.test.ts.
import { describe, expect, test, vi } from 'vitest'
import { settle } from '../testing/fake-env.ts'
import { all, crew, leaders, server, tab, tabs, titles } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'

describe('[T1] one of the tabs leads', () => {
  test('and has the only connection; all have the same client, rows and state of the connection', async () => {
    server.put('todos', 'a', { id: 'a', title: 'one' })
    const three = await crew(3)
    expect(leaders(three)).toEqual([three[0]?.name])
    expect(server.links).toHaveLength(1)
    await all(three, ['one'])
    expect(new Set(three.map(({ client }) => client.status().client)).size).toBe(1)
    expect(
      three.map(({ client }) => [client.status().storage, client.status().state, client.online]),
    ).toEqual(three.map(() => ['indexeddb', 'ready', true]))
    server.drop()
    await vi.waitFor(() =>
      expect(three.map(({ client }) => client.status().state)).toEqual(Array(3).fill('waiting')),
    )
    expect(three.map(({ client }) => client.online)).toEqual([false, false, false])
  })

  test('[T2] when it is gone, the next takes over from the stored place', async () => {
    const [first, second, third] = (await crew(3)) as [Tab, Tab, Tab]
    server.put('todos', 'a', { id: 'a', title: 'one' })
    await all([first, second, third], ['one'])
    await first.client.close()
    await vi.waitFor(() => expect(leaders([second, third])).toEqual([second.name]))
    server.put('todos', 'b', { id: 'b', title: 'two' })
    await all([second, third], ['one', 'two'])
    expect(server.links).toHaveLength(1)
    const hellos = server.received.flatMap(message => (message.type === 'hello' ? [message] : []))
    expect(hellos.map(({ lead }) => lead)).toEqual([1, 2])
    expect(new Set(hellos.map(({ client }) => client)).size).toBe(1)
    const asked = server.received.flatMap(message => (message.type === 'subscribe' ? message.scopes : []))
    expect(asked.at(-1)?.cursor?.seq).toBe(1)
  })

  test('[T2] who takes over says nothing of a connection that was not its own', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    const from = tabs.log.length
    tabs.freeze(first.name)
    await second.client.create('todos', { id: 'a', title: 'a' }).persisted
    await settle()
    await second.env.advance(2_000)
    await vi.waitFor(() => expect(second.client.status()).toMatchObject({ leader: true, state: 'ready' }))
    const said = tabs.log
      .slice(from)
      .flatMap(({ from: by, message }) => (by === second.name && message.type === 'lead' ? [message] : []))
    expect(said.at(0)).toMatchObject({ lead: 2, welcome: null })
    expect(said.at(-1)?.welcome).toContain('"last":0')
  })
})

describe('[T3] followers', () => {
  test('ask for the connection also while nobody leads: whoever takes over makes it', async () => {
    const [first, second, third] = (await crew(3)) as [Tab, Tab, Tab]
    second.client.disconnect()
    await vi.waitFor(() =>
      expect([first, second, third].map(({ client }) => client.status().state)).toEqual(
        Array(3).fill('idle'),
      ),
    )
    tabs.freeze(first.name)
    second.client.connect()
    await third.client.create('todos', { id: 'a', title: 'a' }).persisted
    await settle()
    await third.env.advance(2_000)
    await vi.waitFor(() => expect(third.client.status()).toMatchObject({ leader: true, state: 'ready' }))
  })

  test('see what the server says, in one message, and what other tabs write, at once', async () => {
    const [first, second, third] = (await crew(3)) as [Tab, Tab, Tab]
    await settle()
    tabs.log.length = 0
    server.put('todos', 'a', { id: 'a', title: 'one' })
    await all([first, second, third], ['one'])
    expect(tabs.log.filter(({ message }) => message.type === 'change')).toMatchObject([
      { message: { entity: 'todos', change: { id: 'a', action: 'create', data: { title: 'one' } } } },
    ])
    server.mute = true
    second.client.update('todos', 'a', { title: 'mine' })
    await all([first, second, third], ['mine'])
    expect(tabs.log.findLast(({ message }) => message.type === 'optimistic')).toMatchObject({
      from: second.name,
      message: { entity: 'todos', entityId: 'a', data: { title: 'mine' }, records: [{ n: 1 }] },
    })
    const mine = [first, second, third].map(({ changes }) =>
      changes.filter(change => !change.startsWith('s')),
    )
    expect(mine).toEqual([['tab update a'], ['local update a'], ['tab update a']])
  })

  test('and whoever wrote is told that it is on disk before it is sent or told to anybody', async () => {
    const two = (await crew(2)) as [Tab, Tab]
    const { client } = two[0]
    await settle()
    tabs.log.length = 0
    server.sent = 0
    const { persisted } = client.create('todos', { id: 'a', title: 'one' })
    const at = await persisted.then(() => ({
      said: tabs.log.map(({ message }) => message.type),
      sent: server.sent,
      pending: client.pending().map(({ n }) => n),
    }))
    expect(at).toEqual({ said: [], sent: 0, pending: [1] })
    await all(two, ['one'])
  })

  test('[Q2] write through the leader: promises, refusals and numbers are right in every tab', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    const edits = await Promise.all([
      first.client.create('todos', { id: 'a', title: 'a' }).confirmed,
      second.client.create('todos', { id: 'b', title: 'b' }).confirmed,
      second.client.create('todos', { id: 'c', title: 'c' }).confirmed,
      first.client.create('todos', { id: 'd', title: 'd' }).confirmed,
    ])
    expect(edits.map(({ status }) => status)).toEqual(Array(4).fill('applied'))
    await all([first, second], ['a', 'b', 'c', 'd'])
    const sent = server.received.flatMap(message => (message.type === 'mutate' ? message.mutations : []))
    expect(sent.map(({ n }) => n)).toEqual([1, 2, 3, 4])
    server.judge = () => ({ status: 'rejected', error: { code: 'VALIDATION_FAILED', message: 'no' } })
    const bad = second.client.update('todos', 'a', { title: 'bad' })
    await expect(bad.confirmed).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
    await vi.waitFor(() => expect(first.client.deadLetters()).toHaveLength(1))
    expect(second.client.deadLetters()).toHaveLength(1)
    await all([first, second], ['a', 'b', 'c', 'd'])
    server.judge = () => null
    await first.client.retry(bad.n).confirmed
    await all([first, second], ['b', 'bad', 'c', 'd'])
    await vi.waitFor(() => expect(second.client.deadLetters()).toEqual([]))
  })

  test('that join late, or missed a message, read what they lack from the disk', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    tabs.deaf.add(second.name)
    for (const id of ['a', 'b']) server.put('todos', id, { id, title: id })
    await all([first], ['a', 'b'])
    tabs.deaf.clear()
    server.put('todos', 'c', { id: 'c', title: 'c' })
    await all([first, second], ['a', 'b', 'c'])
    const [third] = (await crew(1)) as [Tab]
    await all([first, second, third], ['a', 'b', 'c'])
    expect(server.links).toHaveLength(1)
  })

  test('[R4] that join between two parts of a batch show all of it, or nothing', async () => {
    const [first] = (await crew(1)) as [Tab]
    server.put('todos', 'a', { id: 'a', title: 'a' })
    await all([first], ['a'])
    const from = server.cursor()
    const part = { type: 'batch', scopes: ['todos'], from } as const
    const [link] = server.links
    if (link === undefined) return expect.unreachable()
    server.send(link, { ...part, sets: [{ entity: 'todos', rows: [[2, 'b', 'b']] }] })
    const [second] = (await crew(1)) as [Tab]
    const to = server.cursor(from.seq + 2)
    server.send(link, { ...part, to, sets: [{ entity: 'todos', rows: [[3, 'c', 'c']] }] })
    await all([first], ['a', 'b', 'c'])
    await all([second], ['a', 'b', 'c'])
  })

  test('offline, a tab writes for itself, and all of it is sent by whoever leads', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    second.client.disconnect()
    await vi.waitFor(() => expect(first.client.status().state).toBe('idle'))
    for (const [i, { client }] of [first, second, first, second].entries())
      await client.create('todos', { id: `x${i}`, title: `x${i}` }).persisted
    await all([first, second], ['x0', 'x1', 'x2', 'x3'])
    expect(first.client.pending().map(({ n }) => n)).toEqual([1, 2, 3, 4])
    await first.client.close()
    await vi.waitFor(() => expect(leaders([second])).toEqual([second.name]))
    expect(second.client.status().state).toBe('idle')
    second.client.connect()
    await vi.waitFor(() => expect(second.client.status().pending).toBe(0))
    expect(server.rows('todos')).toHaveLength(4)
  })
})

describe('[T2] a leader that does not answer', () => {
  test('is asked by the tab that awaits something, and replaced after two seconds', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    tabs.freeze(first.name)
    const edit = second.client.create('todos', { id: 'a', title: 'one' })
    await edit.persisted
    await settle()
    await second.env.advance(1_999)
    expect(leaders([second])).toEqual([])
    await second.env.advance(1)
    await vi.waitFor(() => expect(leaders([second])).toEqual([second.name]))
    await edit.confirmed
    expect(server.rows('todos')).toEqual([{ id: 'a', title: 'one' }])
    // it wakes: its lock is gone, and it follows
    tabs.thaw(first.name)
    await all([first, second], ['one'])
    await vi.waitFor(() => expect(leaders([first, second])).toEqual([second.name]))
    await vi.waitFor(() => expect(first.client.status()).toMatchObject({ state: 'ready', pending: 0 }))
    expect(server.links).toHaveLength(1)
  })

  test('has two seconds from the question on, also when it was asked and answered shortly before', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    await second.client.create('todos', { id: 'a', title: 'one' }).confirmed
    await second.env.advance(1_900)
    tabs.freeze(first.name)
    const edit = second.client.update('todos', 'a', { title: 'two' })
    await edit.persisted
    await settle()
    await second.env.advance(1_999)
    tabs.thaw(first.name)
    await edit.confirmed
    await all([first, second], ['two'])
    expect(leaders([first, second])).toEqual([first.name])
  })

  test('is noticed within 32 s by a tab that is seen and awaits nothing, a frozen heir of the lock above all', async () => {
    const [first, second, third] = (await crew(3)) as [Tab, Tab, Tab]
    tabs.freeze(second.name)
    await first.client.close()
    server.put('todos', 'a', { id: 'a', title: 'one' })
    await third.env.advance(31_999)
    expect(leaders([third])).toEqual([])
    await third.env.advance(1)
    await all([third], ['one'])
    expect(leaders([third])).toEqual([third.name])
  })

  test('is left alone by a hidden tab, and by one that slept itself', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    tabs.freeze(first.name)
    tabs.hidden.add(second.name)
    await second.client.create('todos', { id: 'a', title: 'one' }).persisted
    await settle()
    await second.env.advance(60_000)
    expect(leaders([second])).toEqual([])
    tabs.hidden.clear()
    second.env.hint('visible')
    tabs.thaw(first.name)
    await second.env.sleep(5_000)
    await settle()
    await second.env.advance(5_000)
    expect(leaders([first, second])).toEqual([first.name])
  })

  test('[T4] [Q7] that was replaced stores and sends nothing any more, wherever it wakes', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    const stale = first.client.create('todos', { id: 'a', title: 'first' })
    tabs.freeze(first.name)
    await settle()
    const edit = second.client.create('todos', { id: 'b', title: 'second' })
    await edit.persisted
    await settle()
    await second.env.advance(2_000)
    await edit.confirmed
    tabs.thaw(first.name)
    await stale.confirmed
    await all([first, second], ['first', 'second'])
    await vi.waitFor(() =>
      expect([first, second].map(({ client }) => client.status().pending)).toEqual([0, 0]),
    )
    expect(server.rows('todos')).toHaveLength(2)
  })
})

describe('[K10] a page that is left', () => {
  test('hands on at once, holds nothing, and joins the others when it comes back', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    first.env.hint('suspend')
    await vi.waitFor(() => expect(leaders([first, second])).toEqual([second.name]))
    expect(tabs.held(first.name)).toBe(0)
    await second.client.create('todos', { id: 'a', title: 'a' }).confirmed
    first.env.hint('resume')
    await all([first, second], ['a'])
    await first.client.create('todos', { id: 'b', title: 'b' }).confirmed
    await all([first, second], ['a', 'b'])
    expect(leaders([first, second])).toEqual([second.name])
    expect(server.links).toHaveLength(1)
  })

  test('leads again if nobody else does; a follower that is left waits for no lock', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    second.env.hint('suspend')
    first.env.hint('suspend')
    await settle()
    expect(server.links).toHaveLength(0)
    expect([first, second].map(({ name }) => tabs.held(name))).toEqual([0, 0])
    server.put('todos', 'a', { id: 'a', title: 'a' })
    second.env.hint('resume')
    await all([second], ['a'])
    first.env.hint('resume')
    await all([first], ['a'])
    expect(leaders([first, second])).toEqual([second.name])
  })
})

describe('degraded', () => {
  test('[T5] without a channel one tab has the disk, for as long as it lives, and the others say that they have not', async () => {
    tabs.channels = false
    const [first, second] = [tab(), tab()]
    const reasons: string[] = []
    second.client.on('storage', ({ storage, reason }) => reasons.push(`${storage} ${reason}`))
    await vi.waitFor(() => expect(first.client.status().state).toBe('ready'))
    await first.env.advance(10_000)
    await second.env.advance(500)
    await vi.waitFor(() => expect(second.client.status().state).toBe('ready'))
    expect([first, second].map(({ client }) => client.status().storage)).toEqual(['indexeddb', 'memory'])
    expect(reasons).toEqual(['memory busy'])
    expect(leaders([first, second])).toEqual([first.name, second.name])
    await first.client.create('todos', { id: 'a', title: 'a' }).confirmed
    await second.client.create('todos', { id: 'b', title: 'b' }).confirmed
    await all([first, second], ['a', 'b'])
    // the disk is the next one's
    await first.client.close()
    const third = tab()
    await vi.waitFor(() =>
      expect(third.client.status()).toMatchObject({ state: 'ready', storage: 'indexeddb' }),
    )
  })

  test('[T5] without Web Locks the stored lead decides; the second of two that start together follows', async () => {
    tabs.locks = false
    const [first, second] = [tab(), tab()]
    for (const { env } of [first, second]) await vi.waitFor(() => expect(env.timers.size).toBeGreaterThan(1))
    await Promise.all([first, second].map(({ env }) => env.advance(2_000)))
    await vi.waitFor(() => expect(leaders([first, second])).toHaveLength(1))
    await first.client.create('todos', { id: 'a', title: 'a' }).confirmed
    await second.client.create('todos', { id: 'b', title: 'b' }).confirmed
    await all([first, second], ['a', 'b'])
    expect(server.links).toHaveLength(1)
  })

  test('[T3] [T5] who takes the lead over without Web Locks is heard by those of whom it knows nothing, at once', async () => {
    tabs.locks = false
    const [first, second] = [tab(), tab()]
    await vi.waitFor(() => expect(first.env.timers.size).toBeGreaterThan(1))
    await first.env.advance(2_000)
    await Promise.all([first.client.ready, second.client.ready])
    tabs.freeze(first.name)
    const third = tab()
    await vi.waitFor(() => expect(third.env.timers.size).toBeGreaterThan(1))
    await third.env.advance(2_000)
    await vi.waitFor(() => expect(leaders([third])).toEqual([third.name]))
    // the second awaits nothing, and no time passes for it
    await vi.waitFor(() => expect(second.client.status().state).toBe('ready'))
    server.put('todos', 'a', { id: 'a', title: 'one' })
    await all([second, third], ['one'])
    server.put('todos', 'b', { id: 'b', title: 'two' })
    await all([second, third], ['one', 'two'])
    tabs.thaw(first.name)
    await all([first, second, third], ['one', 'two'])
    expect(leaders([first, second, third])).toEqual([third.name])
  })

  test('clear in one tab empties all of them, once', async () => {
    const [first, second] = (await crew(2)) as [Tab, Tab]
    await second.client.create('todos', { id: 'a', title: 'a' }).confirmed
    second.client.disconnect()
    await vi.waitFor(() => expect(first.client.status().state).toBe('idle'))
    await second.client.update('todos', 'a', { title: 'b' }).persisted
    await second.client.clear()
    await vi.waitFor(() =>
      expect([first, second].map(({ client }) => client.status().pending)).toEqual([0, 0]),
    )
    expect([first, second].map(titles)).toEqual([[], []])
    first.client.connect()
    await all([first, second], ['a'])
    expect(new Set([first, second].map(({ client }) => client.status().client)).size).toBe(1)
  })
})
