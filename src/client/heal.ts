// The client's half of healing a scope (rule S7): repairs are staged; after the batch that ends them come the hashes,
// after a mismatch the (id, seq) pairs, after the last batch everything shows at once. Pending edits are not touched.
import type { Batch, Mismatch, Reset } from '../core/index.ts'
import { bucketOf, Summary } from '../core/index.ts'
import { answered } from './ask.ts'
import { rename } from './rename.ts'
import { advance, dropRow, putRow, rowReader } from './rows.ts'
import { dequeue, enqueue, send } from './state.ts'
import type { Heal, Healing, Kept, Part, State } from './state.ts'
import type { StoredRow } from './store.ts'
import { lowered } from './write.ts'

function receiveReset(state: State, { entity, common, shape }: Reset): void {
  const kept = state.entities.get(entity)
  if (kept === undefined) return
  kept.stage = null
  kept.asked = true
  kept.current = false
  kept.heal = { shape, common, staged: new Map(), renamed: [], to: null, held: false }
  for (const entry of [...state.entries.values(), ...state.dead.values()]) {
    const { record } = entry
    const { base, writes } = record.mutation
    if (base === null || !writes.some(write => write.entity === entity)) continue
    const lower = lowered(state, base, common)
    if (lower.seq === base.seq && lower.epoch === base.epoch) continue
    const alive = state.entries.has(record.n)
    if (alive) dequeue(state, entry, null)
    entry.record = { ...record, mutation: { ...record.mutation, base: lower } }
    if (alive) enqueue(state, entry, null)
    state.puts.set(record.n, entry.record)
  }
}

function stageRepair(state: State, kept: Kept, heal: Heal, { to }: Batch, parts: readonly Part[]): void {
  const readRow = rowReader(heal.shape)
  for (const { rows, gone, renamed } of parts) {
    heal.renamed.push(...renamed)
    for (const wire of rows) {
      const row = readRow(wire)
      if (row !== null) heal.staged.set(row.id, row)
    }
    for (const [id] of gone) heal.staged.set(id, null)
  }
  if (to === undefined) return
  heal.to = to
  if (heal.held) finish(state, kept, heal)
  else send(state, { type: 'reconcile', entity: kept.name, cursor: to, hashes: summarize(kept, heal) })
}

function receiveMismatch(state: State, { entity, cursor, buckets }: Mismatch): void {
  const kept = state.entities.get(entity)
  const heal = kept?.heal
  if (kept === undefined || heal == null || heal.to === null) return
  if (buckets.length === 0) {
    finish(state, kept, heal)
    return
  }
  const unequal = new Set(buckets)
  const held: [string, number][] = []
  for (const [id, seq] of places(kept, heal)) if (unequal.has(bucketOf(id))) held.push([id, seq])
  heal.held = true
  send(state, { type: 'reconcile', entity, cursor, held, buckets })
}

/** What would be held if the staged rows were applied. */
function* places(kept: Kept, heal: Heal): Generator<readonly [string, number]> {
  for (const { id, seq } of kept.rows.values()) if (!heal.staged.has(id)) yield [id, seq]
  for (const row of heal.staged.values()) if (row !== null) yield [row.id, row.seq]
}

function summarize(kept: Kept, heal: Heal): number[] {
  const summary = new Summary()
  for (const [id, seq] of places(kept, heal)) summary.toggle(id, seq)
  return summary.values()
}

function finish(state: State, kept: Kept, heal: Heal): void {
  if (heal.to === null) return
  const net = new Map<string, StoredRow | null>()
  kept.shape = heal.shape
  for (const [from, to] of heal.renamed) rename(state, kept, from, to)
  for (const [id, row] of heal.staged) {
    if (row === null) dropRow(kept, id, net)
    else putRow(kept, row, true, net)
  }
  if (kept.cursor !== null && kept.cursor.epoch !== heal.to.epoch) kept.marks = []
  advance(state, kept, heal.to, net, false)
  kept.heal = null
  answered(kept)
}

/** Rarely needed: a page may load it when the first reset comes. */
export const healing: Healing = { reset: receiveReset, repair: stageRepair, mismatch: receiveMismatch }
