import { describe, expect, test } from 'vitest'
import { Feed } from './feed.ts'
import { cursor, joined, Log, Screen, world } from './hub-rig.test.ts'
import type { ServerStore } from './store.ts'

describe('the hub', () => {
  test('[S3, S5] brings everybody to the head, in one write, with shared frames', async () => {
    const { log, hub, flush } = await world()
    const screens = [1, 2, 3].map(() => joined(hub, ['users']))
    for (let i = 0; i < 5; i++) log.write('users', `${i}`)
    await flush()
    expect(screens.map(screen => screen.writes.length)).toEqual([1, 1, 1])
    expect(new Set(screens.map(screen => screen.writes[0]?.[0])).size).toBe(1)
    expect(screens[0]?.batches).toMatchObject([{ from: { seq: 0 }, to: { seq: 5 }, scopes: ['users'] }])
    expect(log.reads).toBe(1)
  })

  test('what changed twice is sent once, as it is now, and still counts as created', async () => {
    const { log, hub, flush, feed } = await world('plain')
    const screen = joined(hub, ['users'])
    screen.open = false
    log.write('users', '1', { created: true })
    await feed.advance()
    log.write('users', '1')
    await feed.advance()
    log.write('users', '2')
    await flush()
    screen.open = true
    hub.flushOne(screen)
    const changes = screen.writes
      .flat()
      .map(
        frame =>
          (JSON.parse(frame.text) as { change: { entity_id: string; action: string; version: number } })
            .change,
      )
    expect(changes.map(change => [change.entity_id, change.action, change.version])).toEqual([
      ['1', 'create', 2],
      ['2', 'update', 3],
    ])
  })

  test('what does not concern a lane moves nothing on its wire, and the next change spans it', async () => {
    const { log, hub, flush } = await world()
    const screen = joined(hub, ['users'])
    log.write('posts', '1')
    await flush()
    expect(screen.writes).toEqual([])
    log.write('users', '2')
    await flush()
    expect(screen.batches).toMatchObject([{ from: { seq: 0 }, to: { seq: 2 } }])
  })

  test('[R2] a result owed moves the cursor although nothing else changed', async () => {
    const { log, hub, flush } = await world()
    const screen = joined(hub, ['users'])
    log.write('posts', '1')
    for (const lane of screen.lanes) lane.owed = 1
    await flush()
    expect(screen.batches).toMatchObject([{ from: { seq: 0 }, to: { seq: 1 }, sets: [] }])
    hub.flushOne(screen)
    expect(screen.writes).toHaveLength(1)
  })

  test('[S4] a slow one gets nothing until it has drained, then all of it', async () => {
    const { log, hub, flush } = await world()
    const screen = joined(hub, ['users'])
    screen.open = false
    for (let i = 0; i < 3; i++) {
      log.write('users', `${i}`)
      await flush()
    }
    expect(screen.writes).toEqual([])
    screen.open = true
    hub.flushOne(screen)
    expect(screen.batches).toMatchObject([{ from: { seq: 0 }, to: { seq: 3 } }])
  })

  test('[S4] a place that the window does not reach back to is caught up from the store', async () => {
    const { log, hub, feed } = await world()
    for (let i = 0; i < 4; i++) log.write('users', `${i}`)
    feed.reset()
    await feed.advance()
    const screen = joined(hub, ['users'], 2)
    expect(screen.behind.map(lane => lane.at.seq)).toEqual([2])
    expect(screen.lanes).toEqual([])
    hub.join(screen, ['users'], cursor(4))
    hub.flushOne(screen)
    expect(screen.writes).toEqual([])
  })

  test('[S3] lanes that meet become one, so that a transaction over both comes whole', async () => {
    const { log, hub, flush } = await world()
    log.write('users', '1')
    await flush()
    const screen = joined(hub, ['users'], 0)
    hub.join(screen, ['posts'], cursor(1))
    hub.flushOne(screen)
    expect(screen.lanes.map(lane => lane.scopes.key)).toEqual(['posts,users'])
    log.write('users', '2')
    log.write('posts', '2')
    await flush()
    expect(screen.batches.at(-1)).toMatchObject({
      scopes: ['posts', 'users'],
      from: { seq: 1 },
      to: { seq: 3 },
    })
  })

  test('[R2] a lane that joins after the result still brings the cursor to its version', async () => {
    const { log, hub, flush } = await world()
    const other = joined(hub, ['posts'])
    log.write('posts', '1')
    await flush()
    expect(other.writes).toHaveLength(1)
    const screen = new Screen()
    hub.join(screen, ['users'], cursor(0), 1)
    hub.flushOne(screen)
    expect(screen.batches).toMatchObject([{ from: { seq: 0 }, to: { seq: 1 }, sets: [] }])
  })

  test('[S3] of lanes at different places only the last event has an id, the place of all', async () => {
    const { log, hub, flush } = await world('plain')
    for (const entity of ['users', 'posts', 'users']) log.write(entity, `${log.rows.length}`)
    await flush()
    const screen = new Screen()
    hub.join(screen, ['users'], cursor(0))
    hub.join(screen, ['posts'], cursor(1))
    hub.flushOne(screen)
    expect(screen.writes.flat().map(frame => frame.eventId)).toEqual([null, null, 3])
    log.write('users', 'live')
    await flush()
    expect(screen.writes.at(-1)?.map(frame => frame.eventId)).toEqual([4])
  })

  test('an entity is in one lane only, and leaves it', async () => {
    const { log, hub, flush } = await world()
    const screen = joined(hub, ['users', 'posts'])
    hub.join(screen, ['users'], cursor(0))
    expect(screen.lanes).toHaveLength(1)
    hub.leave(screen, ['users'])
    log.write('users', '1')
    log.write('posts', '1')
    await flush()
    expect(screen.batches.map(batch => batch.sets.map(set => set.entity))).toEqual([['posts']])
    hub.leave(screen)
    expect(hub.size).toBe(0)
  })
})

describe('the feed', () => {
  test('begins at the head and reads only what is new, however many ask at once', async () => {
    const log = new Log()
    log.write('users', 'old')
    const feed = new Feed(log.store, 'values', ['users'])
    expect(await feed.advance()).toBe(true)
    expect(feed.head).toEqual(cursor(1))
    expect(feed.holds(0)).toBe(false)
    log.write('users', 'new')
    expect(await Promise.all([feed.advance(), feed.advance(), feed.advance()])).toEqual([true, true, true])
    expect(feed.after(1, new Set(['users'])).map(row => row.id)).toEqual(['new'])
    expect(await feed.advance()).toBe(false)
  })

  test('X19 each change names the one before it of its entity', async () => {
    const log = new Log()
    const feed = new Feed(log.store, 'object', ['users', 'posts'])
    await feed.advance()
    for (const entity of ['users', 'posts', 'users']) log.write(entity, `${log.rows.length}`)
    await feed.advance()
    log.write('posts', 'x')
    await feed.advance()
    const rows = feed.after(0, new Set(['users', 'posts']))
    expect(rows.map(row => [row.entity, row.seq, row.previous])).toEqual([
      ['users', 1, 0],
      ['posts', 2, 0],
      ['users', 3, 1],
      ['posts', 4, 2],
    ])
  })

  test('the window is bounded: who is further behind than it reaches reads the store', async () => {
    const log = new Log()
    const feed = new Feed(log.store, 'values', ['users'])
    await feed.advance()
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 2000; i++) log.write('users', `${round}-${i}`)
      await feed.advance()
    }
    expect(feed.holds(0)).toBe(false)
    expect(feed.holds(11_000)).toBe(true)
    expect(feed.after(11_999, new Set(['users']))).toHaveLength(1)
  })

  test('[L5] a cleanup that overtook any page of a reading makes everybody read for themselves', async () => {
    const log = new Log()
    const feed = new Feed(log.store, 'values', ['users'])
    await feed.advance()
    log.write('users', 'gone', { json: null })
    log.write('users', 'a')
    log.horizon = 1
    await feed.advance()
    expect(feed.holds(0)).toBe(false)
    const paged = new Log()
    const inner = paged.store
    const changes: ServerStore['changes'] = async query => {
      const page = await inner.changes(query)
      // two pages of which the second brings nothing: the reading began at 0 all the same
      return { ...page, more: query.after === 0 }
    }
    const second = new Feed({ ...inner, changes }, 'values', ['users'])
    await second.advance()
    paged.write('users', 'a')
    paged.horizon = 1
    await second.advance()
    expect(second.head?.seq).toBe(1)
    expect(second.holds(0)).toBe(false)
  })

  test('the window is bounded in characters too', async () => {
    const log = new Log()
    const feed = new Feed(log.store, 'values', ['users'])
    await feed.advance()
    const json = 'x'.repeat(2 ** 20)
    for (let i = 0; i < 40; i++) {
      log.write('users', `${i}`, { json })
      await feed.advance()
    }
    expect(feed.after(0, new Set(['users'])).length).toBeLessThanOrEqual(16)
    expect(feed.holds(20)).toBe(false)
    expect(feed.holds(39)).toBe(true)
    log.write('users', 'small')
    await feed.advance()
    expect(feed.after(40, new Set(['users'])).map(row => row.id)).toEqual(['small'])
  })
})
