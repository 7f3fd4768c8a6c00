import { describe, expect, test } from 'vitest'
import type { EntityInfo } from './store.ts'
import type { Views } from './views.ts'
import { cursor, joined, Screen, world } from './hub-rig.test.ts'

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

describe('[S5] what is seen of a change is looked at once in a flush', () => {
  async function watching(
    windows: boolean,
  ): Promise<{ asked: number[]; behind: number[]; written: number[] }> {
    const { log, hub, flush } = await world()
    let asked = 0
    const info: unknown = { name: 'users', shape: { columns: [['id', 'any']] }, routing: [] }
    log.entities.set('users', info as EntityInfo) // reason: neither feed nor hub asks for more
    const view: unknown = {
      entity: 'users',
      info,
      shape: { columns: [['id', 'any']] },
      columns: null,
      where: [],
      matches: () => (asked += 1) > 0,
      parts: windows ? {} : null,
    }
    const views: unknown = { of: () => view, keyOf: () => 'some', hasWindows: () => windows }
    const screens = Array.from({ length: 20 }, () => new Screen(views as Views)) // reason: as above
    for (const screen of screens) {
      hub.join(screen, ['users'], cursor(0))
      hub.flushOne(screen)
    }
    const counts: number[] = []
    for (let i = 0; i < 3; i++) {
      for (let row = 0; row < 4; row++) log.write('users', `${row}`)
      await flush()
      counts.push(asked)
      if (windows) for (const screen of screens) hub.join(screen, ['users'], cursor(log.rows.length))
    }
    return {
      asked: counts,
      behind: screens.map(screen => screen.behind.length),
      written: screens.map(screen => screen.batches.length),
    }
  }

  test.each([true, false])('also where the first rows are wanted: %s', async windows => {
    const { asked, behind, written } = await watching(windows)
    expect(asked).toEqual([4, 8, 12])
    expect(new Set(behind)).toEqual(new Set([windows ? 3 : 0]))
    expect(new Set(written)).toEqual(new Set([windows ? 0 : 3]))
  })
})
