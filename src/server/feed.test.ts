import { describe, expect, test } from 'vitest'
import { stampOf } from '../core/index.ts'
import { Feed } from './feed.ts'
import { Hub } from './hub.ts'
import { cursor, joined, Log } from './hub-rig.test.ts'
import type { Screen } from './hub-rig.test.ts'
import type { ServerStore } from './store.ts'

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

describe('[E5] the hubs of rows and of fields', () => {
  const cell = (seq: number): { seq: number; stamp: string; by: null } => ({
    seq,
    stamp: stampOf(seq, 'n'),
    by: null,
  })
  const fieldsIn = (screen: Screen): unknown[] =>
    screen.writes.flat().map(({ text, eventId }) => {
      const { change } = JSON.parse(text) as { change: { field: string; version: number } }
      return [change.field, change.version, eventId]
    })

  async function shared(): Promise<{
    log: Log
    rows: Hub
    fields: Hub
    write: (...columns: string[]) => Promise<void>
  }> {
    const log = new Log()
    const feed = new Feed(log.store, 'object', ['users'])
    const [rows, fields] = [new Hub(feed, 'plain'), new Hub(feed, 'field')]
    await feed.advance()
    const write = async (...columns: string[]): Promise<void> => {
      const seq = log.rows.length + 1
      const cells = Object.fromEntries(columns.map(column => [column, cell(seq)]))
      log.write('users', '1', { json: `{"a":${seq},"b":${seq}}`, cells })
      if (await feed.advance()) for (const hub of [rows, fields]) hub.flush()
    }
    return { log, rows, fields, write }
  }

  test('read the log once for both', async () => {
    const { log, rows, fields, write } = await shared()
    const [row, field] = [joined(rows, ['users']), joined(fields, ['users'])]
    await write('a')
    await write('a', 'b')
    expect(log.reads).toBe(2)
    expect(row.writes.length).toBe(2)
    expect(fieldsIn(field)).toEqual([
      ['a', 1, 1],
      ['a', 2, null],
      ['b', 2, 2],
    ])
  })

  test('one that was not ready gets each column once, by its last write', async () => {
    const { fields, write } = await shared()
    const field = joined(fields, ['users'])
    field.open = false
    for (const column of ['a', 'b', 'a']) await write(column)
    field.open = true
    fields.flushOne(field)
    expect(fieldsIn(field)).toEqual([
      ['b', 2, null],
      ['a', 3, 3],
    ])
  })

  test('what was read while nobody listened to fields is read anew for who needs it', async () => {
    const { rows, fields, write } = await shared()
    const row = joined(rows, ['users'])
    await write('a')
    const late = joined(fields, ['users'])
    expect(late.behind.map(({ through }) => through)).toEqual([0])
    const now = joined(fields, ['users'], 1)
    await write('b')
    expect(now.behind).toEqual([])
    expect(fieldsIn(now)).toEqual([['b', 2, 2]])
    // whoever leaves takes only their own away
    fields.leave(late)
    fields.leave(now)
    await write('a')
    expect(row.writes.length).toBe(3)
    expect(row.behind).toEqual([])
  })
})
