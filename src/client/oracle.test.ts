import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cursor, Row, WireRow } from '../core/index.ts'
import { textShape } from '../testing/fake-tables.ts'
import { desk } from './desk.ts'
import { createReplica } from './replica.ts'
import type { Replica } from './replica.ts'
import type { Held } from './store.ts'

const shape = textShape(['id', 'title', 'done'])
const at = (seq: number): Cursor => ({ epoch: 'e', seq, check: seq })
const identity = { client: 'c', n: 0, lead: 1, user: 'u', reading: 0 }

type Step =
  | {
      readonly kind: 'update' | 'create' | 'delete' | 'theirs' | 'gone'
      readonly id: string
      readonly value: string
    }
  | { readonly kind: 'result'; readonly status: number; readonly lag: number }
  | { readonly kind: 'flush' | 'reconnect' | 'part' }

const id = fc.constantFrom('a', 'b', 'c', 'd')
const value = fc.constantFrom('x', 'y', 'z')
const edit = fc.record({
  kind: fc.constantFrom(
    'update' as const,
    'create' as const,
    'delete' as const,
    'theirs' as const,
    'gone' as const,
  ),
  id,
  value,
})
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: edit },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('result' as const), status: fc.nat(3), lag: fc.nat(2) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('flush' as const, 'reconnect' as const, 'part' as const),
      }),
    },
  ),
  { maxLength: 60 },
)

/** The view made anew of what is confirmed and pending. */
function fromScratch(replica: Replica): Row[] {
  const kept = replica.state.entities.get('t')
  if (kept === undefined) return []
  const fresh = createReplica({ wants: { t: [''] }, identity, node: 'n', desk })
  const held: Held = {
    cursor: kept.cursor,
    marks: kept.marks,
    shape: kept.shape,
    rows: [...kept.rows.values()],
  }
  const pending = [...replica.state.entries.values()].map(({ record }) => record)
  fresh.step({ type: 'loaded', loaded: { identity, entities: new Map([['t', held]]), pending } }, 0)
  return byId(fresh.rows('t'))
}

const byId = (rows: readonly Row[]): Row[] =>
  [...rows].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

test('[R1] the incremental view equals the view from scratch, and references change only with values', () => {
  fc.assert(
    fc.property(steps, script => {
      const world = new World()
      for (const step of script) {
        const before = new Map(['a', 'b', 'c', 'd'].map(key => [key, world.replica.view('t', key)]))
        world.play(step)
        expect(byId(world.replica.rows('t'))).toEqual(fromScratch(world.replica))
        for (const [key, old] of before) {
          const now = world.replica.view('t', key)
          if (now !== old) expect(now).not.toEqual(old)
        }
      }
    }),
    { numRuns: 400, seed: 20_261 },
  )
})

class World {
  readonly replica = createReplica({ wants: { t: [''] }, identity, node: 'n', desk })
  readonly rows = new Map<string, Row>()
  seq = 1
  /** The replica's place. */
  sent = 0
  changed = new Map<string, number>()

  constructor() {
    this.connect()
  }

  connect(): void {
    this.replica.step({ type: 'opened' }, 0)
    this.replica.step(
      {
        type: 'frame',
        message: {
          type: 'welcome',
          protocol: 1,
          user: 'u',
          epoch: 'e',
          head: this.seq,
          last: 0,
          server_time: 0,
          max_payload: 1e6,
          entities: { t: shape },
        },
      },
      0,
    )
    this.flush()
  }

  put(key: string, row: Row | null): void {
    this.seq += 1
    this.changed.set(key, this.seq)
    if (row === null) this.rows.delete(key)
    else this.rows.set(key, row)
  }

  flush(whole = true): void {
    const kept = this.replica.state.entities.get('t')
    const from = kept?.cursor ?? null
    const rows: WireRow[] = []
    const gone: [string, number][] = []
    for (const [key, seq] of this.changed) {
      if (seq <= (from?.seq ?? 0)) continue
      const row = this.rows.get(key)
      if (row === undefined) gone.push([key, seq])
      else rows.push([seq, key, row['title'] ?? null, row['done'] ?? null])
    }
    const to = whole ? { to: at(this.seq) } : {}
    this.replica.step(
      {
        type: 'frame',
        message: { type: 'batch', scopes: ['t'], from, ...to, sets: [{ entity: 't', rows, gone }] },
      },
      0,
    )
  }

  play(step: Step): void {
    switch (step.kind) {
      case 'theirs':
        return this.put(step.id, { id: step.id, title: step.value, done: 'theirs' })
      case 'gone':
        return this.put(step.id, null)
      case 'flush':
        return this.flush()
      case 'part':
        return this.flush(false)
      case 'reconnect':
        this.replica.step({ type: 'closed' }, 0)
        return this.connect()
      case 'result':
        return this.settle(step.status, step.lag)
      default: {
        const exists = this.replica.view('t', step.id) !== undefined
        if (step.kind === 'create' ? exists : !exists) return
        const data = step.kind === 'delete' ? {} : { data: { title: step.value } }
        const { n } = this.replica.step(
          { type: 'write', writes: [{ entity: 't', id: step.id, action: step.kind, ...data }] },
          0,
        )
        if (n === 0) return
        const next = this.replica.state.identity.n + 1
        this.replica.step({ type: 'durable', ns: [next], numbers: [[n, next]] }, 0)
      }
    }
  }

  settle(outcome: number, lag: number): void {
    const [entry] = [...this.replica.state.entries.values()].filter(
      ({ sent, result }) => sent && result === null,
    )
    if (entry === undefined) return
    const { n, mutation } = entry.record
    const status = (['applied', 'conflict', 'rejected', 'duplicate'] as const)[outcome] ?? 'applied'
    for (const write of status === 'applied' ? mutation.writes : []) {
      const base =
        write.action === 'create' ? { id: write.id, title: null, done: null } : this.rows.get(write.id)
      this.put(write.id, write.action === 'delete' || base === undefined ? null : { ...base, ...write.data })
    }
    if (lag === 0) this.flush()
    const error = status === 'rejected' ? { error: { code: 'FORBIDDEN', message: '' } as const } : {}
    this.replica.step(
      { type: 'frame', message: { type: 'results', results: [{ n, status, version: this.seq, ...error }] } },
      0,
    )
    if (lag === 1) this.flush()
  }
}
