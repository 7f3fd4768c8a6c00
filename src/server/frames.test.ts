import { expect, test } from 'vitest'
import { cutParts, frameChars, frameRows, printBatch, printBatchParts } from './frames.ts'
import type { SentRow } from './patches.ts'

const row = (seq: number, more: Partial<SentRow> = {}): SentRow => ({
  entity: 'users',
  id: `${seq}`,
  seq,
  json: `${seq},"n${seq}"`,
  idJson: `${seq}`,
  created: false,
  reading: 1_700_000_000_000_000,
  temporary: null,
  ...more,
})
const from = { epoch: 'e', seq: 1, check: 5 }
const to = { epoch: 'e', seq: 9, check: 6 }

test('a batch is rows, deletes and renames by entity, between two cursors', () => {
  const rows = [row(2), row(3, { entity: 'posts', json: null }), row(4, { temporary: 'tmp_"x' }), row(5)]
  const text = printBatch({ scopes: ['users', 'posts'], from, to }, rows).text
  expect(JSON.parse(text)).toEqual({
    type: 'batch',
    scopes: ['users', 'posts'],
    from,
    to,
    sets: [
      {
        entity: 'users',
        rows: [
          [2, 2, 'n2'],
          [4, 4, 'n4'],
          [5, 5, 'n5'],
        ],
        renamed: [['tmp_"x', '4']],
      },
      { entity: 'posts', rows: [], gone: [['3', 3]] },
    ],
  })
})

test('[S13] what changed of a row stands in the place of the row, beside the whole ones and its rename', () => {
  const rows = [
    row(2, { patch: '{"n":1.50}', temporary: 'tmp_x' }),
    row(3),
    row(4, { id: '"4', patch: '{}' }),
    row(5, { json: null }),
  ]
  const { text } = printBatch({ scopes: ['users'], from, to }, rows)
  expect(text).toContain(
    '"rows":[[3,3,"n3"]],"patches":[["2",2,{"n":1.50}],["\\"4",4,{}]],"gone":[["5",5]],"renamed":[["tmp_x","2"]]}',
  )
  const many = Array.from({ length: 5 }, (_, i) => row(i, { json: 'x'.repeat(frameChars), patch: '{}' }))
  expect(cutParts(many)).toHaveLength(1)
})

test('a staged part has no `to`, a snapshot no `from`, a repair says so', () => {
  expect(JSON.parse(printBatch({ scopes: ['users'], from: null, to: null, repair: true }, []).text)).toEqual({
    type: 'batch',
    scopes: ['users'],
    from: null,
    repair: true,
    sets: [],
  })
})

test('parts hold at most so many rows and characters, never none, and lose nothing', () => {
  expect(cutParts([])).toEqual([[]])
  const many = Array.from({ length: frameRows * 2 + 1 }, (_, i) => row(i))
  expect(cutParts(many).map(part => part.length)).toEqual([frameRows, frameRows, 1])
  const large = Array.from({ length: 5 }, (_, i) => row(i, { json: 'x'.repeat(frameChars * 0.6) }))
  expect(cutParts(large).map(part => part.length)).toEqual([1, 1, 1, 1, 1])
  expect(cutParts([row(1), row(2, { json: 'x'.repeat(frameChars * 3) }), row(3)]).flat()).toHaveLength(3)
})

test('[R4] only the last part of a batch carries the place reached', () => {
  const rows = Array.from({ length: frameRows + 1 }, (_, i) => row(i))
  const frames = printBatchParts({ scopes: ['users'], from, to }, rows).map(
    frame => JSON.parse(frame.text) as { to?: unknown },
  )
  expect(frames.map(frame => frame.to)).toEqual([undefined, to])
})
