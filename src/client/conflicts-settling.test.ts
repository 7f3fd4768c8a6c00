// What settling a conflict writes, against a client that only notes it.
import { expect, test } from 'vitest'
import { conflictsName } from '../core/index.ts'
import type { ConflictRow, Row, Write } from '../core/index.ts'
import type { BareClient, DeadLetter, Transaction } from './api.ts'
import { conflictsOf } from './conflicts.ts'

const record: ConflictRow = {
  id: 'c1',
  entity: 'notes',
  row_id: 'n',
  field: 'title',
  base: 'was',
  mine: 'mine',
  theirs: 'theirs',
  mine_at: 1,
  theirs_at: 2,
  writer: 'u',
  other: 'you',
  outcome: 'server-wins',
  status: 'open',
  at: 5,
  resolved_at: null,
  resolved_by: null,
}
const settledRecord = (id: string): unknown[] => ['update', conflictsName, id, { status: 'resolved' }]

/** `done`: what was asked of it, in order. */
function fake(rows: readonly Row[], letters: readonly DeadLetter[] = []) {
  const state = { records: [] as readonly ConflictRow[], letters } // reason: an empty literal has no element type
  const done: unknown[][] = []
  const listeners: (() => void)[] = []
  const tx: Transaction<Record<string, Row>> = {
    create: (...write) => String(done.push(['create', ...write])),
    update: (...write) => void done.push(['update', ...write]),
    delete: (...write) => void done.push(['delete', ...write]),
  }
  const client: Partial<BareClient> = {
    getAll: () => state.records as never, // reason: they are what the entity holds
    deadLetters: () => [...state.letters],
    get: (entity, id) => {
      const held: readonly Row[] = entity === conflictsName ? state.records.map(one => ({ ...one })) : rows
      return held.find(row => row['id'] === id)
    },
    shape: () => null,
    status: () => ({ user: 'u' }) as never, // reason: nothing else of it is read
    transaction: run => run(tx) as never, // reason: what became of it is nobody's question here
    discard: n => void done.push(['discard', n]),
    retry: (...again) => void done.push(['retry', ...again]) as never, // reason: as above
    subscribe: (_entity, listener) => {
      listeners.push(listener)
      return () => {}
    },
    on: (_event, listener) => {
      listeners.push(listener as () => void) // reason: it takes nothing
      return () => {}
    },
  }
  return { state, done, listeners, conflicts: conflictsOf(client as BareClient) } // reason: the rest is not used
}

test('[I4] a value that is written once more is sent also where it seems to be there, and settles its record', () => {
  const world = fake([{ id: 'n', title: 'theirs' }])
  world.state.records = [record]
  world.conflicts.keepMine('c1')
  expect(world.done).toEqual([['update', 'notes', 'n', { title: 'mine' }], settledRecord('c1')])
  // the write that was lost is still shown
  const early = fake([{ id: 'n', title: 'mine' }])
  early.state.records = [record]
  early.conflicts.keepMine('c1')
  expect(early.done).toEqual([
    ['update', 'notes', 'n', { title: 'theirs' }],
    ['update', 'notes', 'n', { title: 'mine' }],
    settledRecord('c1'),
  ])
})

test('[I4] what is settled is not settled again, also by who holds it still', () => {
  const world = fake([{ id: 'n', title: 'theirs' }])
  world.state.records = [record]
  const held = world.conflicts.list()[0]
  world.state.records = [{ ...record, status: 'resolved' }]
  for (const again of [
    () => held?.keepMine(),
    () => held?.keepTheirs(),
    () => held?.resolve('x'),
    () => world.conflicts.keepMine('c1'),
  ])
    expect(again).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  expect(world.done).toEqual([])
  expect(world.conflicts.list()).toEqual([])
})

test('[I4] a row that is gone is made anew of what was lost of it, and of nothing else', () => {
  const world = fake([])
  world.state.records = [
    record,
    { ...record, id: 'c2', field: 'body', mine: 'text' },
    { ...record, id: 'c3', row_id: 'other', field: 'body', mine: 'not this' },
    { ...record, id: 'c4', entity: 'tasks', field: 'body', mine: 'nor this' },
    { ...record, id: 'c5', field: 'list', mine: 'settled', status: 'resolved' },
    { ...record, id: 'c6', field: null, mine: null },
  ]
  world.conflicts.resolve('c1', 'chosen')
  expect(world.done).toEqual([
    ['create', 'notes', { title: 'chosen', body: 'text', id: 'n' }],
    settledRecord('c2'),
    settledRecord('c1'),
  ])
})

test('[I2] what was refused is sent again as it was but for the value that is chosen, and once', () => {
  const writes: Write[] = [
    { entity: 'notes', id: 'a', action: 'create', data: { id: 'a', title: 'x', body: 'y' }, upsert: true },
    { entity: 'notes', id: 'b', action: 'update', data: { title: 'x' } },
    { entity: 'notes', id: 'd', action: 'delete' },
  ]
  const world = fake([], [{ n: 7, writes, error: { code: 'FORBIDDEN', message: 'no' }, at: 3 }])
  // which row it is, is not asked
  expect(world.conflicts.list().map(({ rowId, field }) => [rowId, field])).toEqual([
    ['a', 'title'],
    ['a', 'body'],
    ['b', 'title'],
    ['d', null],
  ])
  const [own] = world.conflicts.list().filter(({ rowId, field }) => rowId === 'a' && field === 'title')
  own?.resolve('chosen')
  const [first, ...others] = writes
  const chosen = { ...first, data: { id: 'a', title: 'chosen', body: 'y' } }
  expect(world.done).toEqual([['retry', 7, [chosen, ...others]]])
})

test('[I2] the list is the same while nothing changed, and another where a letter came or went, newest first', () => {
  const letter: DeadLetter = {
    n: 7,
    writes: [{ entity: 'notes', id: 'd', action: 'delete' }],
    error: { code: 'FORBIDDEN', message: 'no' },
    at: 9,
  }
  const world = fake([])
  world.state.records = [record]
  let heard = 0
  world.conflicts.subscribe(() => (heard += 1))
  const first = world.conflicts.list()
  expect(world.conflicts.list()).toBe(first)
  world.state.letters = [letter]
  for (const tell of world.listeners) tell()
  expect(heard).toBe(1)
  expect(world.conflicts.list().map(({ outcome }) => outcome)).toEqual(['rejected', 'server-wins'])
  world.state.letters = []
  expect(world.conflicts.list().map(({ id }) => id)).toEqual(['c1'])
})
