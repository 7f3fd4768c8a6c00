import { describe, expect, test } from 'vitest'
import type { Cursor, Down, EntityShape, MutationResult, Row, WireRow, Write } from '../core/index.ts'
import { desk } from './desk.ts'
import { evict } from './prune.ts'
import { createReplica } from './replica.ts'
import { rig, synced } from './rig.test.ts'

const shape: EntityShape = {
  columns: [
    ['id', 'text'],
    ['title', 'text'],
  ],
  key: ['id'],
  hash: 'h',
  strategy: 'last-write-wins',
}
const at = (seq: number): Cursor => ({ epoch: 'e', seq, check: seq })

test('[R2] overlays of one row go in queue order: an older edit that waits for another entity never shows alone', () => {
  const replica = createReplica({
    wants: { lists: [''], items: [''] },
    identity: { client: 'c', n: 0, lead: 1, user: null, reading: 0 },
    node: 'n',
    desk,
  })
  const hear = (message: Down): void => void replica.step({ type: 'frame', message }, 1000)
  const titles = (): unknown => replica.rows('lists').map((row: Row) => row['title'])
  replica.step({ type: 'loaded', loaded: { identity: null, entities: new Map(), pending: [] } }, 1000)
  replica.step({ type: 'opened' }, 1000)
  hear({
    type: 'welcome',
    protocol: 1,
    user: 'u',
    epoch: 'e',
    head: 1,
    last: 0,
    server_time: 0,
    max_payload: 1e6,
    entities: { lists: shape, items: shape },
  })
  for (const scope of ['lists', 'items'])
    hear({ type: 'batch', scopes: [scope], from: null, to: at(1), sets: [] })

  const both = ['lists', 'items'].map(entity => ({
    entity,
    id: 'x',
    action: 'create' as const,
    data: { id: 'x', title: 'older' },
  }))
  const older = replica.step({ type: 'write', writes: both }, 1000).n
  const younger = replica.step(
    { type: 'write', writes: [{ entity: 'lists', id: 'x', action: 'update', data: { title: 'younger' } }] },
    1000,
  ).n
  const numbers = [
    [older, 1],
    [younger, 2],
  ] as const
  replica.step({ type: 'durable', ns: [1, 2], numbers }, 1000)
  hear({
    type: 'results',
    results: [
      { n: 1, status: 'applied', version: 2 },
      { n: 2, status: 'applied', version: 2 },
    ],
  })
  expect(titles()).toEqual(['younger'])

  // the scopes come one by one, as after a repair
  hear({
    type: 'batch',
    scopes: ['lists'],
    from: at(1),
    to: at(2),
    sets: [{ entity: 'lists', rows: [[2, 'x', 'younger']] }],
  })
  expect(titles()).toEqual(['younger'])
  hear({
    type: 'batch',
    scopes: ['items'],
    from: at(1),
    to: at(2),
    sets: [{ entity: 'items', rows: [[2, 'x', 'older']] }],
  })
  expect(titles()).toEqual(['younger'])
  expect(replica.state.entries.size).toBe(0)
})

/** The mutations that are sent after a backup was put in place. */
function sentAgain(result: Omit<MutationResult, 'n'>, head: number, last: number): number {
  const replica = createReplica({
    wants: { lists: [''] },
    identity: { client: 'c', n: 0, lead: 1, user: null, reading: 0 },
    node: 'n',
    desk,
  })
  const sent: string[] = []
  const hear = (message: Down): void => {
    for (const effect of replica.step({ type: 'frame', message }, 1000).effects)
      if (effect.do === 'send') sent.push(effect.text)
  }
  const welcome = {
    type: 'welcome',
    protocol: 1,
    user: 'u',
    epoch: 'e',
    server_time: 0,
    max_payload: 1e6,
    entities: { lists: shape },
  } as const
  replica.step({ type: 'loaded', loaded: { identity: null, entities: new Map(), pending: [] } }, 1000)
  replica.step({ type: 'opened' }, 1000)
  hear({ ...welcome, head: 17, last: 0 })
  hear({ type: 'batch', scopes: ['lists'], from: null, to: at(17), sets: [] })
  const { n } = replica.step(
    {
      type: 'write',
      writes: [{ entity: 'lists', id: 'x', action: 'create', data: { id: 'x', title: 't' } }],
    },
    1000,
  )
  replica.step({ type: 'durable', ns: [1], numbers: [[n, 1]] }, 1000)
  // settled, but the connection is lost before the batch comes; then a backup is put in place
  hear({ type: 'results', results: [{ n: 1, ...result }] })
  replica.step({ type: 'closed' }, 1000)
  replica.step({ type: 'opened' }, 1000)
  sent.length = 0
  hear({ ...welcome, head, last })
  if (head < 17) hear({ type: 'reset', entity: 'lists', state: 'off', common: null, shape })
  return sent.filter(text => text.includes('"mutate"')).length
}

test('[Q8] [Q3] a result of a branch that is no more is forgotten: the mutation goes again', () => {
  expect(sentAgain({ status: 'applied', version: 18 }, 7, 0)).toBe(1)
  // the backup remembers the mutation, and not the place that its result named
  expect(sentAgain({ status: 'duplicate', version: 24 }, 19, 1)).toBe(1)
})

test('[R2] what one of two entities is waited for stays on screen of both, whichever comes first', () => {
  for (const [first, second] of [
    ['t', 'u'],
    ['u', 't'],
  ] as const) {
    const r = rig({ entities: ['t', 'u'] })
    r.welcome({ head: 1 })
    for (const scope of ['t', 'u'])
      r.frame({ type: 'batch', scopes: [scope], from: null, to: at(1), sets: [] })
    const data = { title: 'mine' }
    const writes = ['t', 'u'].map(entity => ({ entity, id: 'x', action: 'create' as const, data }))
    r.durable(r.step({ type: 'write', writes }))
    r.result(1, 'applied', 2)
    const come = (entity: string): void => {
      const rows: WireRow[] = [[2, 'x', 'mine', null]]
      r.frame({ type: 'batch', scopes: [entity], from: at(1), to: at(2), sets: [{ entity, rows }] })
    }
    come(first)
    expect([r.replica.rows(second), r.replica.state.entries.size]).toEqual([[{ id: 'x', title: 'mine' }], 1])
    come(second)
    expect(r.replica.state.entries.size).toBe(0)
    expect(r.replica.rows(second)).toEqual([{ id: 'x', title: 'mine', done: null }])
  }
})

describe('[R2] [V10] two edits of a row that nothing holds any more: what the server made of the first lies below the second', () => {
  /** With an edit of its title under one of `done`, when the entity is let go. */
  const leftWith = (write: Partial<Write>) => {
    const r = synced()
    r.durable(r.step({ type: 'write', writes: [{ entity: 't', id: 'a', action: 'update', ...write }] }))
    r.durable(
      r.step({ type: 'write', writes: [{ entity: 't', id: 'a', action: 'create', data: { done: 'yes' } }] }),
    )
    r.step({
      type: 'part',
      step(state) {
        for (const kept of state.entities.values()) {
          kept.where = null
          evict(state, kept)
        }
      },
    })
    return r
  }

  test('as it was written where it was taken', () => {
    const r = leftWith({ data: { title: 'mine' } })
    r.result(1, 'applied', 11)
    expect(r.view('a')).toEqual({ id: 'a', title: 'mine', done: 'yes' })
    r.result(2, 'applied', 12)
    expect(r.view('a')).toBeUndefined()
  })

  test('nothing where it was deleted', () => {
    const r = leftWith({ action: 'delete' })
    r.result(1, 'applied', 11)
    expect(r.view('a')).toEqual({ id: 'a', done: 'yes' })
  })

  test('as it was before where it lost, or a part of it', () => {
    for (const [status, more] of [
      ['conflict', {}],
      ['duplicate', { error: { code: 'CONFLICT', message: 'then' } }],
      ['merged', { lost: [{ entity: 't', id: 'a', columns: ['title'] }] }],
    ] as const) {
      const r = leftWith({ data: { title: 'mine' } })
      r.result(1, status, 11, more)
      expect(r.view('a')).toEqual({ id: 'a', title: 'A', done: 'yes' })
      expect(r.changes.at(-1)).toMatchObject({ ids: ['a'], source: 'rollback' })
    }
  })
})
