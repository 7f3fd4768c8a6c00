import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stampOf } from '../core/index.ts'
import { settleRow } from './settle.ts'
import type { Line, Settled, TailEntry } from './settle.ts'

function entry(seq: number, op: TailEntry['op'], parts: Partial<TailEntry> = {}): TailEntry {
  return {
    seq,
    entity: 'notes',
    id: 'a',
    op,
    columns: op === 'u' ? ['title'] : [],
    reading: seq * 10,
    stamp: null,
    client: null,
    mutation: null,
    own: false,
    temporary: null,
    ...parts,
  }
}

const settled = (line: Line | null, entries: readonly TailEntry[], exists = true): Settled | null =>
  settleRow(line, entries, exists, 'log')

test('[C7] a create is the whole row; updates are their columns; the newest entry names the place', () => {
  const made = settled(null, [
    entry(3, 'c', { temporary: 'tmp_1', client: 'me', mutation: 7, own: true }),
    entry(5, 'u'),
  ])
  expect(made?.line).toEqual({
    seq: 5,
    reading: 50,
    whole: { seq: 3, stamp: stampOf(30, 'log'), by: 'me' },
    cells: { title: { seq: 5, stamp: stampOf(50, 'log'), by: null } },
    temporary: 'tmp_1',
    client: null,
    mutation: null,
  })
})

test("[D2] a cell is its client's own only where the entry says so", () => {
  const stamp = stampOf(99, 'me')
  const cells = settled(null, [
    entry(1, 'u', { columns: ['sent'], client: 'me', own: true, stamp }),
    entry(2, 'u', { columns: ['resolved'], client: 'me', own: false, stamp }),
    entry(3, 'u', { columns: ['raw'] }),
  ])?.line?.cells
  expect([cells?.['sent']?.by, cells?.['resolved']?.by, cells?.['raw']?.by]).toEqual(['me', null, null])
  expect([cells?.['sent']?.stamp, cells?.['raw']?.stamp]).toEqual([stamp, stampOf(30, 'log')])
})

test('[C7] the table decides whether the row is there, whatever the entries say', () => {
  for (const op of ['c', 'u', 'd', '?'] as const) {
    expect(settled(null, [entry(4, op)], false)).toEqual({
      entity: 'notes',
      id: 'a',
      line: null,
      gone: { seq: 4, reading: 40, stamp: stampOf(40, 'log') },
    })
  }
  const back = settled(null, [entry(4, 'd')], true)
  expect(back?.line?.whole?.seq).toBe(4)
})

test('[C4] a row that was only suspected and is still there is not changed', () => {
  const line = settled(null, [entry(2, 'c')])?.line ?? null
  expect(settled(null, [entry(4, '?')])).toBe(null)
  expect(settled(line, [entry(4, '?')])).toBe(null)
  expect(settled(line, [entry(4, '?'), entry(5, 'u')])?.line?.seq).toBe(5)
  expect(settled(line, [entry(5, 'u'), entry(6, '?')])?.line?.seq).toBe(5)
})

test('[C9] an update of a baseline row leaves its other columns without a place', () => {
  const line = settled(null, [entry(4, 'u', { columns: ['a', 'b'] })])?.line
  expect(line?.whole).toBe(null)
  expect(Object.keys(line?.cells ?? {})).toEqual(['a', 'b'])
})

test('a create after updates forgets their cells, and the temporary id of an earlier life', () => {
  const line = settled(null, [
    entry(1, 'c', { temporary: 'tmp_1' }),
    entry(2, 'u'),
    entry(3, 'd'),
    entry(4, 'c'),
  ])?.line
  expect(line).toMatchObject({ seq: 4, cells: {}, temporary: null, whole: { seq: 4 } })
})

const ops = fc.array(
  fc.record({
    op: fc.constantFrom('c', 'u', 'd', '?'),
    columns: fc.subarray(['x', 'y', 'z'], { minLength: 1 }),
    step: fc.integer({ min: 1, max: 3 }),
    own: fc.boolean(),
  }),
  { minLength: 1, maxLength: 10 },
)

test('[L2] settling in any batches, again and again, is settling at once', () => {
  fc.assert(
    fc.property(ops, fc.array(fc.nat(9), { maxLength: 4 }), (list, cuts) => {
      let seq = 0
      const entries = list.map(({ op, columns, step, own }) =>
        entry((seq += step), op, { columns: op === 'u' ? columns : [], client: 'c', own }),
      )
      const whole = settled(null, entries)
      let line: Line | null = null
      for (const end of [...cuts.sort((a, b) => a - b), entries.length]) {
        const upTo = entries.slice(0, end)
        if (upTo.length === 0) continue
        // repeated entries are skipped by seq
        line = settled(line, upTo)?.line ?? line
      }
      expect(line).toEqual(whole?.line ?? null)
      if (line !== null)
        expect(
          settled(
            line,
            entries.filter(item => item.seq <= (line?.seq ?? 0)),
          ),
        ).toBe(null)
    }),
    { seed: 21, numRuns: 500 },
  )
})

test('[L2] repeating what was settled changes nothing', () => {
  const line = settled(null, [entry(3, 'c'), entry(5, 'u')])?.line ?? null
  expect(settled(line, [entry(3, 'c'), entry(5, 'u')])).toBe(null)
  expect(settled(line, [entry(3, 'c'), entry(5, 'u')], false)).toBe(null)
})

test('entries of one seq belong to one transaction and count together', () => {
  const line = settled(null, [entry(7, 'c'), entry(7, 'u', { columns: ['title'], reading: 71 })])?.line
  expect(line).toMatchObject({ seq: 7, reading: 71, whole: { seq: 7 } })
  expect(line?.cells['title']?.stamp).toBe(stampOf(71, 'log'))
})
