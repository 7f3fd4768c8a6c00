// The client's half of healing a scope (rule S7): repairs are staged; after the batch that ends them come the hashes,
// after a mismatch the (id, seq) pairs, after the last batch everything shows at once. Pending edits are not touched.
import type { Batch, Cursor, Mismatch, Reset } from '../core/index.ts'
import { bucketOf, Summary } from '../core/index.ts'
import { answered, ask } from './ask.ts'
import { bytesIn } from './bytes.ts'
import { rename } from './rename.ts'
import { advance, dropRow, putRow } from './rows.ts'
import { dequeue, enqueue } from './queue.ts'
import { send } from './state.ts'
import type { Heal, Healing, Kept, Part, State } from './state.ts'
import type { StoredRow } from './store.ts'
import { lowered } from './write.ts'

function receiveReset(state: State, { entity, common, shape }: Reset): void {
  const kept = state.entities.get(entity)
  if (kept === undefined) return
  kept.stage = null
  kept.asked = true
  kept.current = kept.shifting = false
  kept.heal = {
    shape,
    common,
    staged: new Map(),
    evicted: new Set(),
    renamed: [],
    to: null,
    pairs: 0,
    owed: 0,
  }
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
  for (const { rows, gone, renamed } of parts) {
    heal.renamed.push(...renamed)
    for (const row of rows) heal.staged.set(row.id, row)
    for (const [id] of gone) heal.staged.set(id, null)
  }
  if (to === undefined) return
  heal.to = to
  if (heal.pairs === 0) return summarize(state, kept, heal, to)
  heal.owed -= 1
  if (heal.owed > 0) return
  finish(state, kept, heal)
  // the server takes the first answer for the last: what it sent from there on came while the others were under way
  if (heal.pairs > 1) ask(state, kept)
}

function summarize(state: State, kept: Kept, heal: Heal, cursor: Cursor): void {
  const summary = new Summary()
  for (const [id, seq] of places(kept, heal)) summary.toggle(id, seq)
  send(state, { type: 'reconcile', entity: kept.name, cursor, hashes: summary.values() })
}

function receiveMismatch(state: State, { entity, cursor, buckets }: Mismatch): void {
  const kept = state.entities.get(entity)
  const heal = kept?.heal
  if (kept === undefined || heal == null || heal.to === null) return
  if (buckets.length === 0) {
    finish(state, kept, heal)
    return
  }
  const held = new Map<number, Pair[]>(buckets.map(bucket => [bucket, []]))
  for (const pair of places(kept, heal)) held.get(bucketOf(pair[0]))?.push(pair)
  const chunks = chunked(held, state.maxPayload / 2)
  if (chunks === null) {
    // no frame can hold it: everything again, which pending edits survive like any snapshot
    send(state, { type: 'subscribe', scopes: [{ entity, cursor: null, marks: [], shape: null }] })
    return
  }
  heal.pairs = heal.owed = chunks.length
  for (const chunk of chunks) send(state, { type: 'reconcile', entity, cursor, ...chunk })
}

type Pair = readonly [id: string, seq: number]
interface Chunk {
  readonly held: Pair[]
  readonly buckets: number[]
}

/** Whole buckets, since what is not named of one counts as not held; null: one alone is larger than `max` bytes. */
function chunked(all: ReadonlyMap<number, readonly Pair[]>, max: number): Chunk[] | null {
  const chunks: Chunk[] = []
  let chunk: Chunk | null = null
  let room = 0
  for (const [bucket, pairs] of all) {
    const bytes = bytesIn(JSON.stringify(pairs))
    if (bytes > max) return null
    room -= bytes
    if (chunk === null || room < 0) {
      chunks.push((chunk = { held: [], buckets: [] }))
      room = max - bytes
    }
    for (const pair of pairs) chunk.held.push(pair)
    chunk.buckets.push(bucket)
  }
  return chunks
}

/** What would be held if the staged rows were applied. */
function* places(kept: Kept, heal: Heal): Generator<Pair> {
  for (const { id, seq } of kept.rows.values()) if (!heal.staged.has(id)) yield [id, seq]
  for (const row of heal.staged.values()) if (row !== null) yield [row.id, row.seq]
}

function finish(state: State, kept: Kept, heal: Heal): void {
  if (heal.to === null) return
  const net = new Map<string, StoredRow | null>()
  const reshaped = kept.shape?.hash !== heal.shape.hash
  const turn = kept.shape?.turn ?? 0
  kept.shape = heal.shape
  for (const [from, to] of heal.renamed) rename(state, kept, from, to)
  for (const [id, row] of heal.staged) {
    if (row === null) dropRow(kept, id, net, heal.evicted.has(id))
    else putRow(kept, row, true, net)
  }
  kept.shape = { ...heal.shape, turn: turn + Number(net.size > 0) }
  if (kept.cursor !== null && kept.cursor.epoch !== heal.to.epoch) kept.marks = []
  advance(state, kept, heal.to, net, false, reshaped)
  kept.heal = null
  answered(kept)
}

/** Rarely needed: a page may load it when the first reset comes. */
export const healing: Healing = { reset: receiveReset, repair: stageRepair, mismatch: receiveMismatch }
