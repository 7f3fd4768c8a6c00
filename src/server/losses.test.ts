import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, defineEntity } from '../core/index.ts'
import type { Attempt, Cell, FieldMergeStrategy, Grain, Row, Standing } from '../core/index.ts'
import { lossesOf, mayLose, recordOver, recordsOf, refusedLosses, withinSight } from './losses.ts'
import type { Judged, Loss } from './losses.ts'
import type { EntityInfo } from './store.ts'

const columns = ['id', 'a', 'b', 'c']

function infoOf(strategy: FieldMergeStrategy, grain: Grain): EntityInfo {
  const definition = defineEntity({ name: 'notes', strategy, grain })
  const shape = { columns: columns.map(name => [name, 'text'] as const), key: ['id'], hash: '', strategy }
  return {
    name: 'notes',
    table: 'notes',
    shape,
    definition,
    integerKey: false,
    assignsKey: false,
    generated: new Set(),
    routing: [],
  }
}

const stampAt = (reading: number): string => `${String(reading).padStart(16, '0')}.n`
const cellFrom = (min: number, max: number) =>
  fc.record({
    seq: fc.integer({ min, max }),
    stamp: fc.integer({ min: 1, max: 9 }).map(stampAt),
    by: fc.constantFrom(null, 'me', 'you'),
  })
const fields = ['a', 'b', 'c'] as const
const texts = fc.record({ a: fc.constantFrom('x', 'y'), b: fc.constantFrom('x', 'y'), c: fc.constant('x') })

const races = fc.record({
  strategy: fc.constantFrom<FieldMergeStrategy>('last-write-wins', 'client-wins', 'server-wins', 'keep-both'),
  grain: fc.constantFrom<Grain>('entity', 'field'),
  // whatever was written of a row came after all of it
  whole: fc.option(cellFrom(1, 3)),
  cells: fc.record({ a: cellFrom(4, 9), b: cellFrom(4, 9), c: cellFrom(4, 9) }, { requiredKeys: [] }),
  row: texts,
  written: texts,
  named: fc.subarray([...fields], { minLength: 1 }),
  base: fc.integer({ min: 0, max: 9 }),
  stamp: fc.integer({ min: 1, max: 9 }).map(stampAt),
  action: fc.constantFrom<Attempt['action']>('update', 'delete'),
})

type Race = typeof races extends fc.Arbitrary<infer T> ? T : never

function judgedOf(race: Race): { judged: Judged; standing: Standing; attempt: Attempt } {
  const { strategy, grain, whole, row, written, named, base, stamp, action } = race
  const cells = race.cells as Record<string, Cell> // reason: absent ones are absent, not undefined
  const seq = Math.max(0, whole?.seq ?? 0, ...Object.values(cells).map(one => one.seq))
  const standing = { exists: true, whole, cells, gone: null, seq }
  const values: Row = action === 'delete' ? {} : Object.fromEntries(named.map(name => [name, written[name]]))
  const attempt = { action, columns: Object.keys(values), upsert: false, base, stamp, client: 'me' }
  const write = { entity: 'notes', id: 'n', values, attempt }
  const judged = {
    info: infoOf(strategy, grain),
    id: 'n',
    write,
    standing,
    row: { id: 'n', ...row },
    client: 'me',
    head: 9,
  }
  return { judged, standing, attempt }
}

const said = (losses: readonly Loss[]): string[] =>
  losses.map(({ client, field, mine }) => JSON.stringify([client, field, mine])).sort()

test('[I1] whatever is not there afterwards is named, once, with the client that wrote it; and nothing else is', () => {
  fc.assert(
    fc.property(races, race => {
      const { judged, standing, attempt } = judgedOf(race)
      const { strategy, grain } = race
      const rules = { grain, strategy, resolver: false }
      const around = { nowMs: 1, maxDriftMs: 60_000, node: 'server', horizon: 0 }
      const decision = decide(standing, attempt, rules, around)
      const stored: Record<string, unknown> = { ...race.row }
      if (decision.kind === 'update')
        for (const name of decision.columns) stored[name] = judged.write.values[name]
      if (decision.kind === 'delete') for (const name of fields) stored[name] = undefined
      const expected: string[] = []
      for (const name of fields) {
        const before = race.row[name]
        const mine = judged.write.values[name]
        if (mine !== undefined && stored[name] !== mine) expected.push(JSON.stringify(['me', name, mine]))
        const holder = race.cells[name] ?? race.whole
        const unseen = holder !== null && holder.seq > race.base && holder.by === 'you'
        if (unseen && stored[name] !== before) expected.push(JSON.stringify(['you', name, before]))
      }
      const refused =
        decision.kind === 'conflict'
          ? refusedLosses(judged, decision.code, true).filter(one => one.field)
          : []
      const found = decision.kind === 'conflict' ? refused : lossesOf(judged, decision)
      expect(said(found)).toEqual(expected.sort())
      if (found.length > 0 && decision.kind !== 'conflict') expect(mayLose(decision)).toBe(true)
    }),
    { numRuns: 3000 },
  )
})

test('[I1] what decided is named as it is decided: by row, by field, by a resolver, for a delete', () => {
  const resolver = (): Row => ({})
  const fields = {
    a: { strategy: 'client-wins', resolver: () => 'x' },
    b: { strategy: 'keep-both' },
  } as const
  const outcome = (more: object, write: Partial<Attempt>): unknown[] => {
    const definition = defineEntity({ name: 'notes', strategy: 'server-wins', ...more })
    const attempt = {
      action: 'update',
      columns: ['a', 'b'],
      upsert: false,
      base: 0,
      stamp: null,
      client: 'me',
      ...write,
    }
    const cells = { a: { seq: 5, stamp: stampAt(5), by: 'you' } }
    const standing = { exists: true, whole: null, cells, gone: null, seq: 5 }
    const judged = {
      info: { ...infoOf('server-wins', 'field'), definition },
      id: 'n',
      write: { entity: 'notes', id: 'n', values: { a: 'mine', b: 'mine' }, attempt: attempt as Attempt },
      standing,
      row: { id: 'n', a: 'x', b: 'x' },
      client: 'me',
      head: 9,
    }
    return refusedLosses(judged, 'CONFLICT', true).map(one => one.outcome)
  }
  expect(outcome({}, {})).toEqual(['server-wins', 'server-wins'])
  expect(outcome({ fields }, {})).toEqual(['resolver', 'keep-both'])
  expect(outcome({ resolver }, {})).toEqual(['resolver', 'resolver'])
  // a delete is never asked about
  expect(outcome({ resolver }, { action: 'delete', columns: [] })).toEqual(['server-wins'])
})

test('[I1] who made a row without a value there lost none; who emptied it did', () => {
  const you = { seq: 5, stamp: stampAt(5), by: 'you' }
  const losses = (cells: Standing['cells']): string[] => {
    const attempt: Attempt = {
      action: 'update',
      columns: ['a', 'b'],
      upsert: false,
      base: 0,
      stamp: stampAt(9),
      client: 'me',
    }
    const standing = { exists: true, whole: { ...you, seq: 3 }, cells, gone: null, seq: 5 }
    const judged = {
      info: infoOf('client-wins', 'field'),
      id: 'n',
      row: { id: 'n', a: null, b: 'theirs' },
      client: 'me',
      head: 9,
      standing,
      write: { entity: 'notes', id: 'n', values: { a: 'mine', b: 'mine' }, attempt },
    }
    const rules = { grain: 'field', strategy: 'client-wins', resolver: false } as const
    const around = { nowMs: 1, maxDriftMs: 60_000, node: 'server', horizon: 0 }
    return said(lossesOf(judged, decide(standing, attempt, rules, around)))
  }
  const theirs = JSON.stringify(['you', 'b', 'theirs'])
  expect(losses({})).toEqual([theirs])
  expect(losses({ a: you })).toEqual([JSON.stringify(['you', 'a', null]), theirs])
})

describe('[I1] records', () => {
  const loss: Loss = {
    entity: 'notes',
    id: 'n',
    field: 'a',
    base: 'was',
    mine: 'mine',
    theirs: 'theirs',
    mineAt: stampAt(3_000),
    theirsAt: null,
    client: 'me',
    against: null,
    since: 0,
    place: 7,
    stored: false,
    outcome: 'server-wins',
  }
  const sender = { user: 'ada', client: 'me', lead: 1 }
  const userOf = (client: string): string | null => (client === 'you' ? 'bob' : null)
  const only = (losses: readonly Loss[]): Row | undefined =>
    [...recordsOf(losses, sender, userOf, 5).values()][0]?.row

  test('of the sender, of another known client; of nobody, none', () => {
    expect(only([loss])).toMatchObject({
      writer: 'ada',
      other: null,
      at: 5,
      place: 7,
      mine_at: 3,
      theirs_at: null,
    })
    expect(only([{ ...loss, client: 'you', place: 3, stored: true }])).toMatchObject({
      writer: 'bob',
      other: 'ada',
      place: 3,
    })
    expect(only([{ ...loss, against: 'you' }])).toMatchObject({ writer: 'ada', other: 'bob' })
    expect(only([{ ...loss, against: 'stranger' }])).toMatchObject({ writer: 'ada', other: null })
    expect(only([{ ...loss, client: 'stranger' }])).toBeUndefined()
    expect(only([{ ...loss, id: 'tmp_' }])).toBeUndefined()
    expect(only([{ ...loss, id: 'tmp_1' }])).toMatchObject({ row_id: 'tmp_1' })
  })

  test('what was written later takes the place of what was written before, not the other way round', () => {
    const first = only([loss]) ?? {}
    const later = only([{ ...loss, base: 'mine', mine: 'again' }]) ?? {}
    const lost = { row: later, stored: false }
    expect(recordOver(null, lost)).toBe(later)
    const { base: _, ...again } = later
    expect(recordOver(first, lost)).toEqual(again)
    expect(recordOver({ ...first, status: 'resolved' }, lost)).toBe(later)
    // what was stored at that place or before is older than what was lost there
    for (const place of [3, 7]) {
      const older = { ...loss, place, stored: true, mine: 'older' }
      expect(recordOver(first, { row: only([older]) ?? {}, stored: true })).toBeNull()
      expect(only([loss, older])).toMatchObject({ mine: 'mine' })
    }
    const newer = { ...loss, place: 8, stored: true, mine: 'newer' }
    expect(only([loss, newer])).toMatchObject({ mine: 'newer', base: 'was' })
  })
})

describe('[I3] of a row that has moved since, who wrote there before is not told what others wrote', () => {
  const seen = { seq: 5, stamp: stampAt(5), by: 'me' }
  const standing = (more: Partial<Standing> = {}): Standing => ({
    exists: true,
    whole: { seq: 1, stamp: stampAt(1), by: null },
    cells: { a: seen },
    gone: null,
    seq: 9,
    ...more,
  })
  const written: Loss = {
    entity: 'notes',
    id: 'n',
    field: 'a',
    base: null,
    mine: 'mine',
    theirs: 'theirs',
    mineAt: stampAt(5),
    theirsAt: stampAt(9),
    client: 'me',
    against: null,
    place: 5,
    stored: true,
    since: 5,
    outcome: 'last-write-wins',
  }
  const refused: Loss = { ...written, place: 9, stored: false, against: 'you', outcome: 'server-wins' }
  const ruled = (read?: () => boolean): EntityInfo => ({
    ...infoOf('last-write-wins', 'field'),
    definition: defineEntity({ name: 'notes', ...(read && { access: { read } }) }),
    routing: ['b'],
  })
  const info = ruled(() => true)
  const moved: { readonly [how: string]: Standing } = {
    'by what rules go by': standing({ cells: { a: seen, b: { seq: 6, stamp: stampAt(6), by: null } } }),
    'made anew': standing({ whole: { seq: 7, stamp: stampAt(7), by: null }, cells: {} }),
    'out of the table': standing({ exists: false, whole: null, cells: {} }),
  }

  test.each(Object.entries(moved))('%s', (_how, now) => {
    expect(withinSight(written, info, () => now)).toEqual({ ...written, theirs: null, theirsAt: null })
    expect(withinSight(refused, info, () => now)).toEqual({ ...refused, against: null })
    // what is nobody's is hidden from nobody, and where no rule is, all is seen
    const nobodys = { ...refused, against: null }
    expect(withinSight(nobodys, info, () => now)).toEqual(nobodys)
    expect(withinSight(written, ruled(), () => now)).toEqual(written)
  })

  test('one that has not is told whole', () => {
    const stays: Standing[] = [
      standing(),
      // what no rule goes by
      standing({ cells: { a: { ...seen, seq: 8 }, c: { ...seen, seq: 9 } } }),
      // as it was when its writer wrote
      standing({ cells: { a: seen, b: { ...seen, seq: 5 } } }),
    ]
    for (const now of stays)
      for (const loss of [written, refused]) expect(withinSight(loss, info, () => now)).toEqual(loss)
  })
})
