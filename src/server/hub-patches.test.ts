// What changed of a long row, in the place of the row: whom the hub sends what.
import { describe, expect, test } from 'vitest'
import { joined, world } from './hub-rig.test.ts'
import type { ChangedRow, EntityInfo } from './store.ts'

describe('[S13] of a long row', () => {
  const body = 'x'.repeat(300)
  const cells = (...columns: string[]): ChangedRow['cells'] =>
    Object.fromEntries(columns.map(column => [column, { seq: 1, stamp: '', by: null }]))
  const change = (title: number, done: boolean, ...columns: string[]): Partial<ChangedRow> => ({
    json: `"1",${title},${done},"${body}"`,
    cells: columns.length === 0 ? undefined : cells(...columns),
  })

  async function wide(): Promise<Awaited<ReturnType<typeof world>>> {
    const made = await world()
    const columns = ['id', 'title', 'done', 'body'].map(name => [name, 'any'] as const)
    const info: unknown = { name: 'users', shape: { columns, key: ['id'], hash: 'h' }, routing: [] }
    made.log.entities.set('users', info as EntityInfo) // reason: a feed asks for no more
    return made
  }

  test('what changed is sent, in frames that equal lanes share; a lane further back gets what changed since its place', async () => {
    const { log, hub, flush } = await wide()
    const [near, twin, far] = [joined(hub, ['users']), joined(hub, ['users']), joined(hub, ['users'])]
    far.open = false
    log.write('users', '1', change(1, false, 'title'))
    await flush()
    log.write('users', '1', change(1, true, 'done'))
    await flush()
    expect(near.batches.map(({ sets }) => sets)).toEqual([
      [{ entity: 'users', rows: [], patches: [['1', 1, { title: 1 }]] }],
      [{ entity: 'users', rows: [], patches: [['1', 2, { done: true }]] }],
    ])
    expect(near.writes.flat().map((frame, i) => frame === twin.writes.flat()[i])).toEqual([true, true])
    far.open = true
    hub.flushOne(far)
    expect(far.batches).toMatchObject([
      {
        from: { seq: 0 },
        to: { seq: 2 },
        sets: [{ rows: [], patches: [['1', 2, { title: 1, done: true }]] }],
      },
    ])
  })

  test('it is whole for who comes from before it was made, and from there on no more', async () => {
    const { log, hub, flush } = await wide()
    const [near, far] = [joined(hub, ['users']), joined(hub, ['users'])]
    far.open = false
    log.write('users', '1', change(1, false))
    await flush()
    log.write('users', '1', change(2, false, 'title'))
    await flush()
    far.open = true
    hub.flushOne(far)
    expect(near.batches.map(({ sets }) => sets[0]?.patches?.length)).toEqual([undefined, 1])
    expect(far.batches).toMatchObject([{ sets: [{ rows: [[2, '1', 2, false, body]] }] }])
    log.write('users', '1', { json: null })
    await flush()
    log.write('users', '1', change(3, false))
    await flush()
    expect(near.batches.at(-1)).toMatchObject({ sets: [{ rows: [[4, '1', 3, false, body]] }] })
  })

  test('what changed in most of it, or of a shape that is not known, is whole', async () => {
    const { log, hub, flush } = await wide()
    const screen = joined(hub, ['users', 'posts'])
    log.write('users', '1', change(1, false, 'body'))
    log.write('posts', '1', change(1, false, 'title'))
    await flush()
    expect(screen.batches[0]?.sets.map(({ rows, patches }) => [rows.length, patches])).toEqual([
      [1, undefined],
      [1, undefined],
    ])
  })
})
