// What another tab stored meanwhile (rule T3): confirmed rows of entities whose stored place is ahead of ours, and which
// mutations are left. What is not there any more was settled: its rows show what became of it.
import type { Cursor, Write } from '../core/index.ts'
import { sameCursor, sameJson } from '../core/index.ts'
import { answered } from './ask.ts'
import { rename } from './rename.ts'
import { bury, settledElsewhere } from './settle.ts'
import { touch, unheard } from './state.ts'
import type { Kept, State } from './state.ts'
import type { Told } from './tabs.ts'
import { standsAs } from './store.ts'
import type { Held, Loaded, StoredRow } from './store.ts'
import { know, place } from './write.ts'

/** For so long a leader may not have heard yet what a tab was told that has just come. */
const behindMs = 10_000

export function receiveReload(
  state: State,
  { entities, pending, identity }: Loaded,
  told: Told | null,
): void {
  // who leads knows as much by now; or would, if the log had not gone back
  const isLate = Math.abs(state.now - state.toldAt) > behindMs
  if (isLate || (told !== null && told.head !== unheard && told.head >= state.told)) state.told = 0
  for (const kept of state.entities.values()) {
    for (const [from, to] of told?.renamed ?? []) if (kept.queue.has(from)) rename(state, kept, from, to)
    const held = entities.get(kept.name)
    if (held !== undefined && isBetter(state, kept, held, told)) replace(kept, held)
    else if (!state.follows) overwrite(state, kept, held?.cursor ?? null)
    // whoever leads has let it go, and will bring it again: until then nothing that comes can be put on what is here
    else if (told !== null && kept.where !== null && (held?.cursor ?? null) === null) kept.cursor = null
    // else who leads waits for it too; where this tab has a connection already, the server will answer
    if (told === null ? state.head === unheard : Object.hasOwn(told.places, kept.name)) answered(kept)
  }
  const left = new Set(pending.map(({ n }) => n))
  const { n: known } = state.identity
  place(state, [], pending)
  if (!state.behind && identity !== null) know(state, identity.n)
  bury(state, pending)
  for (const record of pending) {
    const entry = state.entries.get(record.n)
    const dead = state.dead.get(record.n)
    if (state.follows) continue
    // the tab that heard of the result is gone, and could not store it
    if (dead !== undefined && record.dead === undefined) state.puts.set(record.n, dead.record)
    else if (dead === undefined && entry === undefined && record.n <= known) state.removes.push(record.n)
  }
  // what was put after this was read is not in it
  const isGone = (n: number): boolean => n <= (identity?.n ?? 0) && !left.has(n)
  // what became of edits comes with the rows
  const isLost = ({ entity }: Write): boolean => {
    const kept = state.entities.get(entity)
    return state.follows && kept !== undefined && kept.cursor === null && kept.rows.size > 0
  }
  for (const entry of state.entries.values())
    if (entry.durable && isGone(entry.record.n) && !entry.record.mutation.writes.some(isLost))
      settledElsewhere(state, entry)
  for (const n of state.dead.keys()) if (isGone(n)) state.dead.delete(n)
}

/** The disk is behind what this tab has shown: the new leader brings it there, and no screen goes back. */
function overwrite(state: State, kept: Kept, from: Cursor | null): void {
  const { name: entity, rows, cursor, marks, shape } = kept
  if (cursor === null || sameCursor(cursor, from)) return
  const puts = [...rows.values()]
  state.commits.push({ entity, replace: true, puts, deletes: [], from, cursor, marks, shape })
}

/**
 * What is ahead of us, always. What is behind, only where a backup was put in the place of the log that we stand on: else
 * the leader has not heard yet what the one before it had forwarded. A new leader takes what is ahead: where that is
 * wrong, the server says so.
 */
function isBetter(state: State, kept: Kept, held: Held, told: Told | null): boolean {
  const { name, cursor } = kept
  const { cursor: stored } = held
  // nobody wants it, and who leads has let it go
  if (stored === null) return kept.where === null && cursor !== null
  if (standsAs(kept, held)) return false
  if (cursor === null || stored.epoch !== cursor.epoch || stored.seq > cursor.seq) return true
  if (sameCursor(stored, cursor)) return true
  const place = told?.places[name] ?? null
  if (told === null || place === null || sameCursor(place, cursor)) return false
  return cursor.seq > Math.max(told.head, state.told) || place.seq >= cursor.seq
}

export function replace(kept: Kept, { cursor, marks, shape, rows }: Held): void {
  const before = kept.rows
  const after = new Map<string, StoredRow>()
  kept.fresh = before.size + kept.queue.size === 0
  for (const row of rows) {
    const old = before.get(row.id)
    const same = old !== undefined && sameJson(old.row, row.row)
    if (!same && !kept.fresh) touch(kept, row.id, 'server')
    after.set(row.id, same ? { ...row, row: old.row } : row)
  }
  for (const id of before.keys()) if (!after.has(id)) touch(kept, id, 'server')
  Object.assign(kept, { cursor, marks, shape: shape ?? kept.shape, rows: after, stage: null, heal: null })
}
