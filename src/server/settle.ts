// The one reading of tail entries: what they say about each row, given what the table says. Used by the fold, which
// writes the answer down, and by live reading, which sends it; so they agree about every row's seq.
// The log names rows, the table says what they are (rule C7): an entry's op is only a hint.
import type { Cell } from '../core/index.ts'
import { stampOf } from '../core/index.ts'

export interface TailEntry {
  readonly seq: number
  readonly entity: string
  readonly id: string
  /** c: created. u: `columns` changed. d: deleted. ?: may have been evicted, look. */
  readonly op: 'c' | 'u' | 'd' | '?'
  readonly columns: readonly string[]
  readonly reading: number
  /** Set on entries of client writes; others are stamped by the log's own clock. */
  readonly stamp: string | null
  /** The client whose mutation wrote the entry. */
  readonly client: string | null
  readonly mutation: number | string | null
  /** The client knows the value: it is what it sent, or a side effect of it (rule D2). */
  readonly own: boolean
  readonly temporary: string | null
}

/** What is written down of a living row that changed since install. */
export interface Line {
  readonly seq: number
  readonly reading: number
  readonly whole: Cell | null
  readonly cells: { readonly [column: string]: Cell }
  readonly temporary: string | null
  readonly client: string | null
  readonly mutation: number | string | null
}

export interface Gone {
  readonly seq: number
  readonly reading: number
  readonly stamp: string
}

export interface Settled {
  readonly entity: string
  readonly id: string
  /** Exactly one of the two. */
  readonly line: Line | null
  readonly gone: Gone | null
}

const baseline: Line = {
  seq: 0,
  reading: 0,
  whole: null,
  cells: {},
  temporary: null,
  client: null,
  mutation: null,
}

/** The columns written above `after`; undefined where the row was made anew above it: then all of them are new. */
export function cellsAbove(
  { whole, cells }: Pick<Line, 'whole' | 'cells'>,
  after: number,
): Line['cells'] | undefined {
  if ((whole?.seq ?? 0) > after) return undefined
  return Object.fromEntries(Object.entries(cells).filter(([, { seq }]) => seq > after))
}

/**
 * `entries`: of one row, in seq order, at least one. `exists`: the table has the row now. Null: nothing happened to it
 * (it was only suspected). Idempotent: entries at or below `line.seq` are skipped.
 */
export function settleRow(
  line: Line | null,
  entries: readonly TailEntry[],
  exists: boolean,
  node: string,
): Settled | null {
  const known = line?.seq ?? 0
  const fresh = (entries[0]?.seq ?? 0) > known ? entries : entries.filter(entry => entry.seq > known)
  const last = fresh.at(-1)
  if (last === undefined) return null
  const { entity, id } = last
  if (!exists) {
    return {
      entity,
      id,
      line: null,
      gone: { seq: last.seq, reading: last.reading, stamp: last.stamp ?? stampOf(last.reading, node) },
    }
  }
  let next = line ?? baseline
  for (const entry of fresh) next = applyEntry(next, entry, node)
  return next === (line ?? baseline) ? null : { entity, id, line: next, gone: null }
}

function applyEntry(line: Line, entry: TailEntry, node: string): Line {
  if (entry.op === '?') return line
  const cell: Cell = {
    seq: entry.seq,
    stamp: entry.stamp ?? stampOf(entry.reading, node),
    by: entry.own ? entry.client : null,
  }
  const origin = { seq: entry.seq, reading: entry.reading, client: entry.client, mutation: entry.mutation }
  switch (entry.op) {
    case 'c':
      return { ...origin, whole: cell, cells: {}, temporary: entry.temporary }
    case 'u': {
      const cells: Record<string, Cell> = { ...line.cells }
      for (const column of entry.columns) cells[column] = cell
      return { ...line, ...origin, cells }
    }
    case 'd':
      // the row is there all the same: a trigger put it back, and its own entry may have come first
      return { ...line, ...origin, whole: cell, cells: {} }
  }
}
