// What those who watch are told of temporary ids, whatever has become of their rows (rule Q6), and an edit whose place is of
// a branch that is no more (R2).
import { expect, test } from 'vitest'
import { at, synced } from './rig.test.ts'

const told = (r: ReturnType<typeof synced>): string[] =>
  r.changes.map(
    ({ action, ids, replaced = [] }) =>
      `${action} ${ids.join()}${replaced.map(({ from, to }) => ` ${from}>${to}`).join()}`,
  )

test('[Q6] of a row that is gone by the time it has its real id the end is told, under the one that they know', () => {
  const r = synced()
  const n = r.create('tmp_1', { title: 'new' })
  r.result(n, 'applied', 12, { ids: { tmp_1: 'c' } })
  expect(told(r)).toEqual(['create tmp_1'])
  r.changes.length = 0
  r.batch(at(10), at(12), [], { gone: [['c', 12]], renamed: [['tmp_1', 'c']] })
  expect(r.replica.rows('t').map(({ id }) => id)).toEqual(['a', 'b'])
  expect(told(r)).toEqual(['delete tmp_1'])
})

test('[Q6] a row that is there is told under its real id, and of the temporary one no end', () => {
  const r = synced()
  const n = r.create('tmp_1', { title: 'new' })
  r.result(n, 'applied', 12, { ids: { tmp_1: 'c' } })
  r.changes.length = 0
  r.batch(at(10), at(12), [[12, 'c', 'new', 'no']], { renamed: [['tmp_1', 'c']] })
  expect(told(r)).toEqual(['create c tmp_1>c'])
})

test('[Q6] what another tab wrote to a temporary id before it heard of the real one is of that row', () => {
  const r = synced()
  const n = r.create('tmp_1', { title: 'new' })
  r.result(n, 'applied', 12, { ids: { tmp_1: 'c' } })
  r.batch(at(10), at(12), [[12, 'c', 'new', 'no']], { renamed: [['tmp_1', 'c']] })
  const writes = [{ entity: 't', id: 'tmp_1', action: 'update', data: { title: 'late' } }] as const
  const mutation = { n: n + 1, base: { epoch: 'e', seq: 10 }, stamp: 's', writes }
  r.step({ type: 'durable', ns: [], others: [{ n: n + 1, timestamp: 0, tab: 'other', mutation }] })
  expect(r.replica.rows('t').map(({ id, title }) => [id, title])).toEqual([
    ['a', 'A'],
    ['b', 'B'],
    ['c', 'late'],
  ])
})

test('[R2] a place above the result is no proof that the row is here, while it may be of a lost branch', () => {
  const r = synced()
  r.step({ type: 'closed' })
  // a backup was put in place, and written on
  r.welcome({ head: 8 })
  const n = r.update('a', { title: 'mine' })
  r.result(n, 'applied', 9)
  expect(r.view('a')).toMatchObject({ title: 'mine' })
  r.frame({
    type: 'reset',
    entity: 't',
    state: 'off',
    common: at(4),
    shape: r.replica.state.shapes['t'] ?? expect.fail('no shape'),
  })
  expect(r.view('a')).toMatchObject({ title: 'mine' })
})
