// Rules C: what the application's writes leave in the log.
import { changesAfter, pause, rowOf, sequenced, snapshotOf } from './server-store-kit.ts'
import type { ContractTests, Kit } from './server-store-kit.ts'
import type { Row } from '../../core/index.ts'

/** What changed in `entities` after a place, as id → row (null: gone). */
async function seen(kit: Kit, entities: readonly string[], after = 0): Promise<Record<string, Row | null>> {
  await sequenced(kit.store)
  const rows = await changesAfter(kit.store, entities, after)
  return Object.fromEntries(rows.map(row => [row.id, rowOf(row) ?? null]))
}

async function place(kit: Kit): Promise<number> {
  return (await sequenced(kit.store)).seq
}

async function fails(run: () => Promise<void>): Promise<boolean> {
  try {
    await run()
    return false
  } catch {
    return true
  }
}

export const captureTests: ContractTests = {
  '[C1] inserts, updates and deletes of the application are in the log': async kit => {
    const { app, expect } = kit
    await app.insert('notes', { id: 'a', title: 'one' })
    await app.insert('notes', { id: 'b', title: 'two' })
    await app.update('notes', 'a', { body: 'text' })
    await app.remove('notes', 'b')
    const rows = await seen(kit, ['notes'])
    expect(Object.keys(rows).sort()).toEqual(['a', 'b'])
    expect([rows['a']?.['title'], rows['a']?.['body'], rows['b']]).toEqual(['one', 'text', null])
  },

  '[C2] what is rolled back is never seen': async kit => {
    const { app, expect } = kit
    const at = await place(kit)
    const open = await app.begin()
    await open.insert('notes', { id: 'ghost', title: 'boo' })
    expect((await changesAfter(kit.store, ['notes'], at)).length).toBe(0)
    expect((await snapshotOf(kit.store, 'notes')).length).toBe(0)
    await open.rollback()
    expect(await seen(kit, ['notes'], at)).toEqual({})
    expect(await snapshotOf(kit.store, 'notes')).toEqual([])
  },

  '[C2] a rolled-back savepoint leaves nothing, the rest of its transaction stays': async kit => {
    const { app, expect } = kit
    const open = await app.begin()
    await open.insert('notes', { id: 'stays', title: '1' })
    const back = await open.savepoint()
    await open.insert('notes', { id: 'goes', title: '2' })
    await open.update('notes', 'stays', { title: 'changed' })
    await back()
    await open.commit()
    const rows = await seen(kit, ['notes'])
    expect(Object.keys(rows)).toEqual(['stays'])
    expect(rows['stays']?.['title']).toBe('1')
  },

  '[C2] a statement that breaks a constraint changes nothing': async kit => {
    const { app, expect } = kit
    await app.insert('tasks', { id: 1, slug: 's' })
    const at = await place(kit)
    expect(await fails(() => app.insert('tasks', { id: 2, slug: 's' }))).toBe(true)
    expect(await fails(() => app.update('tasks', '1', { title: null }))).toBe(true)
    expect(await seen(kit, ['tasks'], at)).toEqual({})
  },

  '[C3] every value that the table accepts passes': async kit => {
    const { app, expect } = kit
    await app.insert('notes', {
      id: 'v',
      title: 'it\'s "quoted" \\ \u2028 \u0007',
      data: { deep: [1, { '': null }] },
      picture: { $blob: 'AP8QgA==' },
    })
    await app.update('notes', 'v', { big: 12, picture: { $blob: '' }, body: 'x'.repeat(10_000) })
    const row = (await seen(kit, ['notes']))['v']
    expect(row?.['title']).toBe('it\'s "quoted" \\ \u2028 \u0007')
    expect(row?.['data']).toEqual({ deep: [1, { '': null }] })
    expect(row?.['picture']).toEqual({ $blob: '' })
  },

  '[C4] rows that REPLACE evicts through any unique key are seen as deleted': async kit => {
    const { app, expect } = kit
    await app.insert('tasks', { id: 1, slug: 'one' })
    await app.insert('tasks', { id: 2, slug: 'two' })
    await app.insert('tasks', { id: 3, slug: 'three' })
    const at = await place(kit)
    await app.replace('tasks', { id: 1, slug: 'two', title: 'new' })
    const rows = await seen(kit, ['tasks'], at)
    expect(Object.keys(rows).sort()).toEqual(['1', '2'])
    expect([rows['1']?.['title'], rows['2']]).toEqual(['new', null])
  },

  '[C5] a primary-key update is a delete of the old id and a create of the new one': async kit => {
    const { app, expect } = kit
    await app.insert('notes', { id: 'old', title: 't' })
    await app.insert('pairs', { a: 'x', b: 1, v: 'v' })
    const at = await place(kit)
    await app.move('notes', 'old', 'new')
    await app.move('pairs', '["x",1]', '["x",2]')
    const rows = await seen(kit, ['notes'], at)
    expect(rows['old']).toBe(null)
    expect(rows['new']?.['title']).toBe('t')
    const pairs = await seen(kit, ['pairs'], at)
    expect(pairs['["x",1]']).toBe(null)
    expect(pairs['["x",2]']?.['v']).toBe('v')
    const created = (await changesAfter(kit.store, ['notes'], at)).find(row => row.id === 'new')
    expect(created?.created).toBe(true)
  },

  '[C6] an update that changes no value leaves nothing; a change of letter case is a change': async kit => {
    const { app, expect } = kit
    await app.insert('notes', { id: 'a', title: 'Bob', body: 'x' })
    const at = await place(kit)
    await app.update('notes', 'a', { title: 'Bob', body: 'x' })
    await app.update('notes', 'missing', { title: 'nobody' })
    await app.remove('notes', 'missing')
    expect(await seen(kit, ['notes'], at)).toEqual({})
    await app.update('notes', 'a', { title: 'bob' })
    expect((await seen(kit, ['notes'], at))['a']?.['title']).toBe('bob')
    const later = await place(kit)
    await app.update('notes', 'a', { title: 'bob ' })
    expect((await seen(kit, ['notes'], later))['a']?.['title']).toBe('bob ')
  },

  '[C7] the log names rows, the table says what they are: nested triggers and rows put back': async kit => {
    const { app, expect } = kit
    await app.insert('notes', { id: 'a', title: '1' })
    await app.update('notes', 'a', { title: '2' })
    expect((await seen(kit, ['notes']))['a']?.['revision']).toBe(1)
    const at = await place(kit)
    const open = await app.begin()
    await open.remove('notes', 'a')
    await open.insert('notes', { id: 'a', title: 'back' })
    await open.insert('notes', { id: 'brief' })
    await open.remove('notes', 'brief')
    await open.commit()
    const rows = await seen(kit, ['notes'], at)
    expect(rows['a']?.['title']).toBe('back')
    expect(rows['brief'] ?? null).toBe(null)
  },

  '[C7] rows that a cascade deletes are named too': async kit => {
    const { app, expect } = kit
    await app.insert('lists', { id: 1, name: 'l' })
    await app.insert('tasks', { id: 10, list_id: 1 })
    const at = await place(kit)
    await app.remove('lists', '1')
    expect(await seen(kit, ['lists', 'tasks'], at)).toEqual({ 1: null, 10: null })
  },

  '[C9] rows that were there before have no line: installing copies nothing': async kit => {
    const { app, expect } = kit
    const rows = await snapshotOf(kit.store, 'lists')
    expect(rows.map(({ id, seq }) => [id, seq])).toEqual([['900', 0]])
    expect(await changesAfter(kit.store, ['lists'])).toEqual([])
    const [looked] = await kit.store.look('lists', ['900'])
    expect(looked?.standing).toEqual({ exists: true, whole: null, cells: {}, gone: null, seq: 0 })
    await app.update('lists', '900', { name: 'touched' })
    const after = await seen(kit, ['lists'])
    expect(after).toEqual({ 900: { id: 900, name: 'touched' } })
    expect((await changesAfter(kit.store, ['lists']))[0]?.created).toBe(false)
  },

  '[S9] whoever watches is woken by a write, also by one of another store': async kit => {
    const wakes: number[] = []
    const other = await kit.another()
    const stop = other.watch({
      wake: () => wakes.push(Date.now()),
      schemaChanged: () => {},
      failed: () => {},
    })
    await pause(5)
    const before = wakes.length
    await kit.app.insert('notes', { id: 'w' })
    for (let round = 0; round < 300; round++) {
      if (wakes.length > before) break
      await pause(10)
    }
    kit.expect(wakes.length).toBeGreaterThan(before)
    stop()
  },
}
