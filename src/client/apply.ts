// Batches of confirmed rows: do they fit (rules R3, R13), are they whole (R4), and what do they change (R2, Q6).
// Neighbours on the line: the link's frames before it, `conclude` and the disk behind it.
import type { Batch, Cursor } from '../core/index.ts'
import { contiguity, patched, sameCursor } from '../core/index.ts'
import { ask, answered } from './ask.ts'
import { advance, dropRow, putRow, rowReader } from './rows.ts'
import type { Kept, Part, State } from './state.ts'
import type { StoredRow } from './store.ts'

export function receiveBatch(state: State, batch: Batch): void {
  state.head = Math.max(state.head, batch.to?.seq ?? 0)
  for (const name of batch.scopes) {
    const kept = state.entities.get(name)
    if (kept === undefined) continue
    const parts = partsOf(kept, batch)
    // nobody wants it; its parts are kept until here, as it may be wanted again before the last one (rule R4)
    if (batch.to && !kept.wanted && !kept.asked) kept.stage = null
    // a live batch of a scope under repair is left: what it brought will be a gap, and a gap asks
    // but for the snapshot that heals what was too large to compare
    else if (batch.repair !== true) {
      if (kept.heal === null || batch.from === null) receiveParts(state, kept, batch, parts)
    } else if (kept.heal !== null) state.desk?.healing.repair(state, kept, kept.heal, batch, parts)
  }
}

function partsOf({ name, heal, shape }: Kept, { sets }: Batch): Part[] {
  const read = rowReader(heal?.shape ?? shape)
  return sets
    .filter(set => set.entity === name)
    .map(({ rows, patches = [], gone = [], renamed = [] }) => ({ rows: read(rows), patches, gone, renamed }))
}

function receiveParts(state: State, kept: Kept, { from, to }: Batch, parts: readonly Part[]): void {
  const { heal } = kept
  const at = heal === null ? kept.cursor : null
  if (to === undefined) {
    if (!sameCursor(at, from)) return
    if (kept.stage === null || !sameCursor(kept.stage.from, from)) kept.stage = { from, parts: [] }
    kept.stage.parts.push(...parts)
    return
  }
  const fit = contiguity(at, from, to)
  if (fit === 'gap') ask(state, kept)
  if (fit === 'overtaken') answered(kept)
  if (fit !== 'apply') return
  const staged = kept.stage !== null && sameCursor(kept.stage.from, from) ? kept.stage.parts : []
  if (staged.length > 0) state.parted = true
  const read = [...staged, ...parts]
  answered(kept)
  // The cursor would be answered with the same patch, so everything is asked for, as if its shape had changed: what is
  // healed is whole (rule S7), and what is patched from there on is here. Until then nothing of this batch shows.
  if (lacksRow(kept, read, from?.seq ?? 0)) return ask(state, kept, true)
  if (heal !== null) {
    kept.shape = heal.shape
    kept.heal = null
    kept.marks = []
  }
  applyParts(state, kept, read, from === null, to)
}

/**
 * Whether it has a patch of a row that is neither held as of `from` nor in it. A row above that place is left of a heal:
 * newer maybe, or of a branch that is no more, which looks the same.
 */
function lacksRow(kept: Kept, parts: readonly Part[], from: number): boolean {
  const comes = (id: string): boolean => parts.some(({ rows }) => rows.some(row => row.id === id))
  return parts.some(({ patches }) =>
    patches.some(([id]) => (kept.rows.get(id)?.seq ?? Infinity) > from && !comes(id)),
  )
}

function applyParts(state: State, kept: Kept, parts: readonly Part[], replace: boolean, to: Cursor): void {
  if (kept.shape === null) return
  const net = new Map<string, StoredRow | null>()
  const here = replace ? new Set<string>() : null
  // the first snapshot: nothing was there that could have changed
  kept.fresh = replace && kept.rows.size + kept.queue.size === 0
  for (const { renamed, rows, patches, gone } of parts) {
    for (const [from, real] of renamed) state.desk?.rename(state, kept, from, real)
    for (const read of rows) {
      if (kept.fresh) {
        kept.rows.set(read.id, read)
        continue
      }
      here?.add(read.id)
      putRow(kept, read, false, net)
    }
    for (const [id, seq, values] of patches) {
      const held = kept.rows.get(id)
      if (held !== undefined) putRow(kept, { id, seq, row: patched(held.row, values) }, false, net)
    }
    for (const [id, seq] of gone) {
      const held = kept.rows.get(id)
      if (held === undefined || held.seq > seq) continue
      if (kept.fresh) {
        kept.rows.delete(id)
        continue
      }
      here?.delete(id)
      dropRow(kept, id, net)
    }
  }
  if (here !== null && !kept.fresh)
    for (const id of kept.rows.keys()) if (!here.has(id)) dropRow(kept, id, net)
  advance(state, kept, to, net, replace)
}
