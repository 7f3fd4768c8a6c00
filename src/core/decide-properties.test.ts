// What has to hold of decide over random histories of one row.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readingOf, readingOfMs, stampOf } from './clock.ts'
import { decide } from './decide.ts'
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

// ---- properties over random histories of one row

interface Move {
  readonly client: string
  readonly columns: readonly string[]
  readonly skewMs: number
  readonly lag: number
  readonly action: Attempt['action']
}

const move: fc.Arbitrary<Move> = fc.record({
  client: fc.constantFrom('x', 'y', 'z'),
  columns: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
  skewMs: fc.integer({ min: -200_000, max: 200_000 }),
  lag: fc.nat(6),
  action: fc.constantFrom('update', 'update', 'update', 'create', 'delete'),
})

/** Carries out a decision as a store does. */
function store(standing: Standing, decision: Decision, seq: number, by: string | null): Standing {
  switch (decision.kind) {
    case 'insert':
      return { exists: true, whole: { seq, stamp: decision.stamp, by }, cells: {}, gone: null, seq }
    case 'update': {
      const cells = { ...standing.cells }
      for (const column of decision.columns) cells[column] = { seq, stamp: decision.stamp, by }
      return { ...standing, cells, seq }
    }
    case 'delete':
      return { ...empty, gone: { seq, stamp: decision.stamp }, seq }
    default:
      return standing
  }
}

function stampsOf(standing: Standing): Record<string, string> {
  const whole = standing.whole?.stamp ?? standing.gone?.stamp ?? ''
  return Object.fromEntries(['a', 'b', 'c'].map(column => [column, standing.cells[column]?.stamp ?? whole]))
}

const settings = fc.record({ strategy: fc.constantFrom(...strategies), grain: fc.constantFrom(...grains) })

test('[L3] along each cell stamps rise with seq in every history', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 12 }), settings, (moves, { strategy, grain }) => {
      let standing: Standing = baseline
      for (const [i, { client, columns, skewMs, lag, action }] of moves.entries()) {
        const seq = i + 1
        const tried = attempt({
          action,
          columns: action === 'delete' ? [] : columns,
          base: Math.max(0, seq - 1 - lag),
          stamp: at(skewMs, client),
          client,
        })
        const decision = decide(standing, tried, rules(strategy, grain), { ...around, nowMs: nowMs + i })
        const before = stampsOf(standing)
        const next = store(standing, decision, seq, client)
        const after = stampsOf(next)
        for (const column of ['a', 'b', 'c']) {
          if (after[column] === before[column]) continue
          expect((after[column] ?? '') > (before[column] ?? '')).toBe(true)
          expect(readingOf(after[column] ?? '')).toBeGreaterThan(readingOf(before[column] || stampOf(0, 'n')))
        }
        standing = next
      }
    }),
    { seed: 20_261_121, numRuns: 400 },
  )
})

test('[D4] last-write-wins names the same winner in both orders of arrival', () => {
  const write = fc.record({
    skewMs: fc.integer({ min: -50_000, max: 50_000 }),
    node: fc.constantFrom('p', 'q', 'r'),
  })
  fc.assert(
    fc.property(write, write, fc.constantFrom(...grains), (one, other, grain) => {
      fc.pre(at(one.skewMs, one.node) !== at(other.skewMs, other.node))
      const winner = (first: typeof one, second: typeof one): string => {
        let standing: Standing = baseline
        let value = ''
        for (const [i, { skewMs, node }] of [first, second].entries()) {
          const decision = decide(
            standing,
            attempt({ base: 0, stamp: at(skewMs, node), client: `${node}${skewMs}` }),
            rules('last-write-wins', grain),
            around,
          )
          if (decision.kind === 'update') value = at(skewMs, node)
          standing = store(standing, decision, i + 1, null)
        }
        return value
      }
      expect(winner(one, other)).toBe(winner(other, one))
    }),
    { seed: 7, numRuns: 500 },
  )
})

test('[D2] a client alone never conflicts with itself, whatever its clock and base do', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 12 }), settings, (moves, { strategy, grain }) => {
      let standing: Standing = baseline
      for (const [i, { columns, skewMs }] of moves.entries()) {
        const tried = attempt({ columns, base: 0, stamp: at(skewMs, 'own') })
        const decision = decide(standing, tried, rules(strategy, grain), around)
        expect(kept(decision)).toEqual(columns)
        standing = store(standing, decision, i + 1, 'me')
      }
    }),
    { seed: 8, numRuns: 200 },
  )
})

test('[D14] every written column is stored or lost, never both', () => {
  const stored = fc.record({
    seq: fc.nat(20),
    ms: fc.integer({ min: -9, max: 9 }),
    by: fc.constantFrom(null, 'me', 'you'),
  })
  fc.assert(
    fc.property(
      fc.record({ a: stored, b: stored, c: stored }),
      move,
      settings,
      (cells, { columns, skewMs, lag }, { strategy, grain }) => {
        const standing = row(
          Object.fromEntries(
            Object.entries(cells).map(([name, { seq, ms, by }]) => [name, cell(seq, ms, by)]),
          ),
        )
        const decision = decide(
          standing,
          attempt({ columns, base: lag * 3, stamp: at(skewMs % 10) }),
          rules(strategy, grain),
          around,
        )
        const [won, lost] =
          decision.kind === 'update'
            ? [decision.columns, decision.lost]
            : decision.kind === 'conflict'
              ? [[], decision.lost]
              : [[], []]
        expect([...won, ...lost].sort()).toEqual([...columns].sort())
      },
    ),
    { seed: 9, numRuns: 500 },
  )
})
