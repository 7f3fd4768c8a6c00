import { describe, expect, test } from 'vitest'
import { readingOfMs, stampOf } from './clock.ts'
import { decide, hides } from './decide.ts'
import type { Attempt, Cell, Decision, Rules, Standing, Surroundings } from './decide.ts'
import type { FieldMergeStrategy, Grain } from './entity.ts'

const nowMs = 1_800_000_000_000
const around: Surroundings = { nowMs, maxDriftMs: 60_000, node: 'server', horizon: 0 }

const at = (ms: number, node = 'n'): string => stampOf(readingOfMs(nowMs + ms), node)
const cell = (seq: number, ms: number, by: string | null = null): Cell => ({ seq, stamp: at(ms), by })

const empty: Standing = { exists: false, whole: null, cells: {}, gone: null, seq: 0 }
const baseline: Standing = { ...empty, exists: true }
function row(cells: Record<string, Cell>, whole: Cell | null = null): Standing {
  const seqs = [whole?.seq ?? 0, ...Object.values(cells).map(c => c.seq)]
  return { exists: true, whole, cells, gone: null, seq: Math.max(...seqs) }
}

function attempt(parts: Partial<Attempt> = {}): Attempt {
  return {
    action: 'update',
    columns: ['a'],
    upsert: false,
    base: 0,
    stamp: at(-1000),
    client: 'me',
    ...parts,
  }
}

function rules(
  strategy: FieldMergeStrategy = 'last-write-wins',
  grain: Grain = 'entity',
  resolver = false,
): Rules {
  return { strategy, grain, resolver }
}

const strategies: FieldMergeStrategy[] = ['last-write-wins', 'client-wins', 'server-wins', 'keep-both']
const grains: Grain[] = ['entity', 'field']

const kept = (decision: Decision): readonly string[] | string =>
  decision.kind === 'update' ? decision.columns : decision.kind

describe('seen', () => {
  for (const strategy of strategies) {
    for (const grain of grains) {
      test(`[D1] a cell at or below base is overwritten whatever the clocks say: ${strategy}, ${grain}`, () => {
        const standing = row({ a: cell(5, 50_000) }, cell(4, 40_000))
        expect(
          kept(
            decide(standing, attempt({ base: 5, stamp: at(-86_400_000) }), rules(strategy, grain), around),
          ),
        ).toEqual(['a'])
      })
      test(`[D2] the client's own cells are seen, those of others are not: ${strategy}, ${grain}`, () => {
        expect(
          kept(decide(row({ a: cell(9, 50_000, 'me') }), attempt(), rules(strategy, grain), around)),
        ).toEqual(['a'])
        const met = decide(row({ a: cell(9, 50_000, 'you') }), attempt(), rules(strategy, grain), around)
        expect(kept(met)).toEqual(strategy === 'client-wins' ? ['a'] : 'conflict')
      })
    }
  }

  test('[D2] a writer without a client has no own cells, not even those of nobody', () => {
    const met = decide(
      row({ a: cell(9, 50_000, null) }),
      attempt({ client: null }),
      rules('server-wins'),
      around,
    )
    expect(met.kind).toBe('conflict')
  })

  test('[D3] without a base, a stamp makes later cells concurrent and earlier ones seen', () => {
    const later = decide(row({ a: cell(9, 0) }), attempt({ base: null }), rules('server-wins'), around)
    const earlier = decide(row({ a: cell(9, -2000) }), attempt({ base: null }), rules('server-wins'), around)
    expect([kept(later), kept(earlier)]).toEqual(['conflict', ['a']])
  })

  test('[D3] without base and stamp the write is informed', () => {
    expect(
      kept(
        decide(
          row({ a: cell(9, 50_000) }),
          attempt({ base: null, stamp: null }),
          rules('server-wins'),
          around,
        ),
      ),
    ).toEqual(['a'])
  })
})

describe('update', () => {
  test('[D4] last-write-wins: the greater stamp, nodes break ties, equal is not greater', () => {
    const standing = row({ a: { seq: 9, stamp: at(0, 'm'), by: null } })
    const outcomes = [at(1, 'a'), at(-1, 'z'), at(0, 'n'), at(0, 'l'), at(0, 'm')].map(stamp =>
      kept(decide(standing, attempt({ stamp }), rules(), around)),
    )
    expect(outcomes).toEqual([['a'], 'conflict', ['a'], 'conflict', 'conflict'])
  })

  test('[D5] client-wins keeps and restamps above all; the others drop whatever the stamps', () => {
    const standing = row({ a: cell(9, 5000) })
    const won = decide(standing, attempt({ stamp: at(-99_000) }), rules('client-wins'), around)
    expect(won.kind === 'update' && won.stamp > at(5000)).toBe(true)
    for (const strategy of ['server-wins', 'keep-both'] as const) {
      const lost = decide(standing, attempt({ stamp: at(50_000) }), rules(strategy), around)
      expect(lost).toEqual({ kind: 'conflict', code: 'CONFLICT', lost: ['a'] })
    }
  })

  test('[D7] entity grain judges the row by its newest unseen cell, field grain each by itself', () => {
    const standing = row({ a: cell(3, -5000), b: cell(9, 0) })
    const both = attempt({ columns: ['a', 'b', 'c'], base: 4 })
    expect(decide(standing, both, rules(), around)).toEqual({
      kind: 'conflict',
      code: 'CONFLICT',
      lost: ['a', 'b', 'c'],
    })
    const fields = decide(standing, both, rules('last-write-wins', 'field'), around)
    expect(fields.kind === 'update' && [fields.columns, fields.lost]).toEqual([['a', 'c'], ['b']])
  })

  test('[D7] entity grain: every unseen cell of the row has to be beaten, also those of columns that are not written', () => {
    const standing = row({ a: cell(8, -2000), b: cell(9, 500) })
    for (const columns of [['a'], ['c'], ['a', 'b']]) {
      expect(kept(decide(standing, attempt({ columns, stamp: at(0) }), rules(), around))).toBe('conflict')
      expect(kept(decide(standing, attempt({ columns, stamp: at(501) }), rules(), around))).toEqual(columns)
    }
    expect(
      kept(
        decide(
          standing,
          attempt({ columns: ['c'], stamp: at(0) }),
          rules('last-write-wins', 'field'),
          around,
        ),
      ),
    ).toEqual(['c'])
  })

  test('[D7] a column without a cell of its own is as old as the row', () => {
    const standing = row({}, cell(9, 0))
    expect(kept(decide(standing, attempt(), rules('server-wins', 'field'), around))).toBe('conflict')
    expect(kept(decide(standing, attempt({ base: 9 }), rules('server-wins', 'field'), around))).toEqual(['a'])
    expect(kept(decide(baseline, attempt(), rules('server-wins', 'field'), around))).toEqual(['a'])
  })

  test('[D7] a field may have a strategy of its own; a column named like Object.prototype has none', () => {
    const own: Rules = { ...rules('server-wins', 'field'), fields: { a: 'client-wins' } }
    const standing = row({ a: cell(9, 0), b: cell(9, 0), toString: cell(9, 0) })
    const judged = decide(standing, attempt({ columns: ['a', 'b', 'toString'] }), own, around)
    expect(judged.kind === 'update' && [judged.columns, judged.lost]).toEqual([['a'], ['b', 'toString']])
    expect(kept(decide(baseline, attempt({ columns: ['constructor'] }), own, around))).toEqual([
      'constructor',
    ])
  })

  test('[D6] a contested row asks for its resolver, takes a fresh resolution, and refuses a stale one', () => {
    const standing = row({ a: cell(9, 0) })
    const asked = decide(standing, attempt(), rules('last-write-wins', 'entity', true), around)
    expect(asked).toEqual({ kind: 'resolve', seq: 9, columns: ['a'] })
    const answered = attempt({ resolution: { seq: 9, changes: { a: 'merged', b: 2 } } })
    const stored = decide(standing, answered, rules('last-write-wins', 'entity', true), around)
    expect(stored.kind === 'update' && [stored.columns, stored.resolved]).toEqual([
      ['a', 'b'],
      { a: 'merged', b: 2 },
    ])
    expect(stored.kind === 'update' && stored.stamp > at(0) && stored.stamp.endsWith('.server')).toBe(true)
    expect(
      decide({ ...standing, seq: 10 }, answered, rules('last-write-wins', 'entity', true), around).kind,
    ).toBe('resolve')
  })

  test('[D6] what is seen needs no resolver; at field grain only the contested columns do', () => {
    const standing = row({ a: cell(9, 0), b: cell(2, 0) })
    expect(
      kept(decide(standing, attempt({ base: 9 }), rules('last-write-wins', 'entity', true), around)),
    ).toEqual(['a'])
    const asked = decide(
      standing,
      attempt({ base: 5, columns: ['a', 'b'] }),
      rules('last-write-wins', 'field', true),
      around,
    )
    expect(asked).toEqual({ kind: 'resolve', seq: 9, columns: ['a'] })
    const resolution = { seq: 9, changes: { a: 'm' } }
    const stored = decide(
      standing,
      attempt({ base: 5, columns: ['a', 'b'], resolution }),
      rules('last-write-wins', 'field', true),
      around,
    )
    expect(stored.kind === 'update' && [stored.columns, stored.resolved]).toEqual([['b', 'a'], { a: 'm' }])
  })
})

describe('existence', () => {
  const deleted: Standing = { ...empty, gone: { seq: 9, stamp: at(5000) }, seq: 9 }

  test('[D8] an update of a deleted row is a conflict and loses all its columns, whatever the base', () => {
    for (const base of [0, 8, 9, 99, null]) {
      expect(decide(deleted, attempt({ base }), rules('client-wins'), around)).toEqual({
        kind: 'conflict',
        code: 'ROW_DELETED',
        lost: ['a'],
      })
    }
  })

  test('[D8] below the horizon a missing row may have been deleted; above it never was', () => {
    const horizon = { ...around, horizon: 50 }
    expect(decide(empty, attempt({ base: 49 }), rules(), horizon)).toMatchObject({
      kind: 'conflict',
      code: 'ROW_DELETED',
    })
    expect(decide(empty, attempt({ base: 50 }), rules(), horizon)).toMatchObject({
      kind: 'insert',
      ifRefused: 'NOT_FOUND',
    })
  })

  test('[D8] a create revives, stamped above the delete', () => {
    const revived = decide(deleted, attempt({ action: 'create', stamp: at(0) }), rules(), around)
    expect(revived).toMatchObject({ kind: 'insert', columns: ['a'], ifRefused: 'CONSTRAINT_FAILED' })
    expect(revived.kind === 'insert' && revived.stamp > at(5000)).toBe(true)
  })

  for (const strategy of strategies) {
    for (const grain of grains) {
      test(`[D9] a delete of an edited row: ${strategy}, ${grain}`, () => {
        const gone = attempt({ action: 'delete', columns: [], base: 5 })
        const refused = strategy === 'server-wins' || strategy === 'keep-both'
        expect(decide(row({ a: cell(9, 0) }), gone, rules(strategy, grain), around).kind).toBe(
          refused ? 'conflict' : 'delete',
        )
        expect(decide(row({ a: cell(5, 0) }), gone, rules(strategy, grain), around).kind).toBe('delete')
        expect(decide(row({ a: cell(9, 0, 'me') }), gone, rules(strategy, grain), around).kind).toBe('delete')
        expect(decide(empty, gone, rules(strategy, grain), around).kind).toBe('settled')
      })
      test(`[D10] a create on an existing id: ${strategy}, ${grain}`, () => {
        const made = attempt({ action: 'create', base: 99 })
        expect(decide(baseline, made, rules(strategy, grain), around)).toEqual({
          kind: 'rejected',
          code: 'ALREADY_EXISTS',
        })
        expect(
          kept(decide(row({ a: cell(9, 0) }), { ...made, upsert: true }, rules(strategy, grain), around)),
        ).toEqual(['a'])
      })
    }
  }

  test('[D9] a delete is stamped above every cell of the row', () => {
    const gone = decide(
      row({ a: cell(3, 0), b: cell(2, 9000) }),
      attempt({ action: 'delete', columns: [], stamp: at(-5) }),
      rules(),
      around,
    )
    expect(gone.kind === 'delete' && gone.stamp > at(9000)).toBe(true)
  })

  test('[D11] an update of a row that never was tries to insert it', () => {
    expect(decide(empty, attempt(), rules(), around)).toMatchObject({
      kind: 'insert',
      columns: ['a'],
      ifRefused: 'NOT_FOUND',
    })
    expect(decide(empty, attempt({ base: null }), rules(), { ...around, horizon: 9 })).toMatchObject({
      kind: 'insert',
    })
  })

  test('[D12] a stamp ahead of the server competes and is stored as the drift allows', () => {
    const standing = row({ a: cell(9, 60_001) })
    expect(decide(standing, attempt({ stamp: at(86_400_000, 'z') }), rules(), around).kind).toBe('conflict')
    const stored = decide(baseline, attempt({ stamp: at(86_400_000, 'z') }), rules(), around)
    expect(stored.kind === 'update' && stored.stamp).toBe(at(60_000, 'z'))
  })
})

test('[R1] only server-wins hides an overlay, and only where somebody wrote above its base', () => {
  expect([
    hides('server-wins', 3, 4),
    hides('server-wins', 4, 4),
    hides('server-wins', null, 4),
    hides('last-write-wins', 3, 4),
  ]).toEqual([true, false, false, false])
})
