// Rows of which only what changed was sent: over what is held, and never over what is not (rule R13).
import { describe, expect, test } from 'vitest'
import type { Json } from '../core/index.ts'
import { all, crew, server, tab } from './crew-rig.test.ts'
import type { Tab } from './crew-rig.test.ts'
import { at, shape, synced } from './rig.test.ts'

type Patch = readonly [id: string, seq: number, { readonly [column: string]: Json }]
const patches = (...all: Patch[]): { patches: Patch[] } => ({ patches: all })
const whole = { type: 'subscribe', scopes: [{ entity: 't', cursor: at(10), marks: [], shape: null }] }

describe('[R13] a patch', () => {
  test('changes the confirmed row, under what is pending, and the disk gets it whole', () => {
    const r = synced()
    r.update('a', { title: 'mine' })
    r.batch(at(10), at(11), [], patches(['a', 11, { title: 'theirs' }], ['b', 11, { done: 'yes' }]))
    expect(r.view('a')).toEqual({ id: 'a', title: 'mine', done: 'no' })
    expect(r.view('b')).toEqual({ id: 'b', title: 'B', done: 'yes' })
    expect(r.saves.at(-1)?.commits).toMatchObject([
      {
        from: at(10),
        cursor: at(11),
        puts: [
          { id: 'a', seq: 11, row: { id: 'a', title: 'theirs', done: 'no' } },
          { id: 'b', seq: 11, row: { id: 'b', title: 'B', done: 'yes' } },
        ],
      },
    ])
    r.batch(at(11), at(12), [], patches(['a', 12, { done: 'yes' }]))
    r.result(1, 'conflict', 12)
    expect(r.view('a')).toEqual({ id: 'a', title: 'theirs', done: 'yes' })
    expect(r.sent.filter(({ type }) => type === 'subscribe')).toEqual([])
  })

  test('that changes nothing that is shown moves the place of its row, and no reference (rule R6)', () => {
    const r = synced()
    const before = r.view('a')
    r.batch(at(10), at(12), [], patches(['a', 11, {}], ['b', 12, { title: 'B' }]))
    expect(r.view('a')).toBe(before)
    expect(r.changes).toEqual([])
    const kept = r.replica.state.entities.get('t')
    expect(['a', 'b'].map(id => kept?.rows.get(id)?.seq)).toEqual([11, 12])
  })

  test('is staged with its part, and follows what an earlier part brought (rule R4)', () => {
    const r = synced()
    r.batch(at(10), null, [[11, 'c', 'C', 'no']], patches(['a', 11, { title: 'A2' }]))
    r.batch(at(10), null, [], patches(['a', 12, { title: 'A3' }], ['c', 12, { done: 'yes' }]))
    expect(r.view('a')?.['title']).toBe('A')
    r.batch(at(10), at(13), [], patches(['c', 13, { title: 'C2' }]))
    expect(r.view('a')).toEqual({ id: 'a', title: 'A3', done: 'no' })
    expect(r.view('c')).toEqual({ id: 'c', title: 'C2', done: 'yes' })
    expect(r.changes.map(({ ids, action }) => [ids, action])).toEqual([
      [['c'], 'create'],
      [['a'], 'update'],
    ])
  })

  test('of a batch that was overtaken, or is of a gap, is left like its rows (rule R3)', () => {
    const r = synced()
    r.batch(at(9), at(10), [], patches(['a', 10, { title: 'old' }], ['z', 10, {}]))
    expect(r.sent).toEqual([])
    r.batch(at(11), at(12), [], patches(['a', 12, { title: 'later' }]))
    expect(r.view('a')?.['title']).toBe('A')
    expect(r.sent).toMatchObject([{ scopes: [{ cursor: at(10), shape: shape.hash }] }])
  })
})

describe('[R13] a patch of a row that is not here', () => {
  const lacking = () => {
    const r = synced()
    r.batch(
      at(10),
      at(11),
      [[11, 'c', 'C', 'no']],
      patches(['a', 11, { title: 'A2' }], ['z', 11, { done: 'yes' }]),
    )
    return r
  }

  test('shows nothing of its batch, and everything is asked for, once', () => {
    const r = lacking()
    expect(r.replica.rows('t').map(row => row['title'])).toEqual(['A', 'B'])
    expect(r.saves).toEqual([])
    expect(r.sent).toEqual([whole])
    r.batch(at(11), at(12), [], patches(['z', 12, { done: 'no' }]))
    expect(r.sent).toHaveLength(1)
  })

  test('is healed (rule S7), and what comes after it is applied: there is no loop', () => {
    const r = lacking()
    r.frame({ type: 'reset', entity: 't', state: 'shape', common: at(10), shape })
    r.batch(
      null,
      at(12),
      [
        [11, 'a', 'A2', 'no'],
        [4, 'b', 'B', 'no'],
        [11, 'c', 'C', 'no'],
        [12, 'z', 'Z', 'yes'],
      ],
      { repair: true },
    )
    r.frame({ type: 'mismatch', entity: 't', cursor: at(12), buckets: [] })
    expect(r.replica.rows('t').map(row => row['title'])).toEqual(['A2', 'B', 'C', 'Z'])
    r.batch(at(12), at(13), [], patches(['z', 13, { done: 'no' }]))
    expect(r.view('z')).toEqual({ id: 'z', title: 'Z', done: 'no' })
    expect(r.sent.map(({ type }) => type)).toEqual(['subscribe', 'reconcile'])
  })

  test('is asked about anew on another connection by the cursor, whose answer may be whole', () => {
    const r = lacking()
    r.step({ type: 'closed' })
    r.welcome({ head: 12 })
    expect(r.sent.at(-1)).toMatchObject({ scopes: [{ cursor: at(10), shape: shape.hash }] })
    // it is no answer to what has been asked for: it is asked for once more
    r.batch(at(10), at(12), [], patches(['z', 12, { done: 'no' }]))
    expect(r.sent.at(-1)).toEqual(whole)
  })

  test('a row above the place that the patch begins at is as good as none: it is left of a heal', () => {
    const r = synced()
    r.frame({ type: 'reset', entity: 't', state: 'off', common: at(5), shape })
    r.batch(null, at(10, 'f'), [[11, 'a', 'A of another branch', 'no']], { repair: true })
    r.frame({ type: 'mismatch', entity: 't', cursor: at(10, 'f'), buckets: [] })
    r.sent.length = 0
    r.batch(at(10, 'f'), at(12, 'f'), [], patches(['a', 11, { done: 'yes' }]))
    expect(r.view('a')?.['done']).toBe('no')
    expect(r.sent).toMatchObject([{ scopes: [{ cursor: at(10, 'f'), shape: null }] }])
  })

  test('one that another tab leads reads it from the disk', () => {
    const r = synced()
    r.step({ type: 'role', follows: true, lead: 2 })
    r.batch(at(10), at(11), [], patches(['z', 11, { done: 'yes' }]))
    expect(r.log.map(effect => effect.do)).toEqual(['reload'])
    expect(r.sent).toEqual([])
  })
})

test('[R13] [T3] tabs that are led take patches as they come, and one that opens later finds whole rows', async () => {
  for (const id of ['a', 'b']) server.put('todos', id, { id, title: id })
  const [first, second] = (await crew(2)) as [Tab, Tab]
  await all([first, second], ['a', 'b'])
  const [link] = server.links
  const from = server.cursor()
  if (link === undefined) return expect.unreachable()
  const set = { entity: 'todos', rows: [], patches: [['a', from.seq + 1, { title: 'a2' }] as const] }
  server.send(link, { type: 'batch', scopes: ['todos'], from, to: server.cursor(from.seq + 1), sets: [set] })
  await all([first, second], ['a2', 'b'])
  expect(second.changes.at(-1)).toBe('server update a')
  for (const { client } of [first, second]) await client.close()
  server.refusing = 1006
  await all([tab()], ['a2', 'b'])
})
