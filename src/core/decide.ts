// Who wins when a write meets something its writer had not seen. The only place where strategies and stamps are judged;
// called by accept on the server and by the replica for display.
import type { Action } from './change.ts'
import type { Stamp } from './clock.ts'
import { settleStamp, clampStamp } from './clock.ts'
import type { FieldMergeStrategy, Grain } from './entity.ts'
import type { ErrorCode } from './errors.ts'
import type { Row } from './ids.ts'

/** Who wrote a cell last. */
export interface Cell {
  readonly seq: number
  readonly stamp: Stamp
  /** The client whose mutation put it there as it was sent (or as a side effect of it); null for everybody else. */
  readonly by: string | null
}

/** What the store knows of the row that a write names, all read in one snapshot. */
export interface Standing {
  readonly exists: boolean
  /** The newest whole-row entry (create); null: the row is at its baseline. */
  readonly whole: Cell | null
  /** Columns written since. */
  readonly cells: { readonly [column: string]: Cell }
  /** The newest delete, while it is remembered. */
  readonly gone: { readonly seq: number; readonly stamp: Stamp } | null
  /** The newest `seq` of the row, 0 at its baseline. A resolution made for another `seq` is stale. */
  readonly seq: number
}

export interface Attempt {
  readonly action: Action
  /** The columns written, in any order; empty for a delete. */
  readonly columns: readonly string[]
  readonly upsert: boolean
  /** The writer's `seq`; null: it named none. */
  readonly base: number | null
  readonly stamp: Stamp | null
  /** Null for writers without a client id: nothing counts as their own. */
  readonly client: string | null
  /** What the resolver made of this row as it stood at `seq`; only columns that differ from the stored row. */
  readonly resolution?: { readonly seq: number; readonly changes: Row } | undefined
}

export interface Rules {
  readonly grain: Grain
  readonly strategy: FieldMergeStrategy
  /** Of single columns, at field grain; null: a resolver of the column's own. */
  readonly fields?: { readonly [column: string]: FieldMergeStrategy | null }
  readonly resolver: boolean
}

export interface Surroundings {
  readonly nowMs: number
  readonly maxDriftMs: number
  /** The node that stamps what carries no stamp of its own. */
  readonly node: string
  /** Deletes at or below this `seq` may have been forgotten. */
  readonly horizon: number
}

export type Decision =
  | {
      readonly kind: 'insert'
      readonly columns: readonly string[]
      readonly stamp: Stamp
      readonly ifRefused: ErrorCode
    }
  | {
      readonly kind: 'update'
      readonly columns: readonly string[]
      /** Values that replace the written ones: a resolver's. */
      readonly resolved: Row | null
      readonly lost: readonly string[]
      readonly stamp: Stamp
      /** Of the written columns, those that met a cell which the writer had not seen; absent: none. */
      readonly met?: readonly string[]
    }
  /** `met`: columns, or all of the row, that the writer had not seen; absent: none. */
  | { readonly kind: 'delete'; readonly stamp: Stamp; readonly met?: readonly string[] | 'all' }
  /** Nothing to store and nothing wrong: a delete of what is not there. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'conflict'; readonly code: ErrorCode; readonly lost: readonly string[] }
  | { readonly kind: 'rejected'; readonly code: ErrorCode }
  /** Run the resolver on the row as it stands at `seq`, then decide again. */
  | { readonly kind: 'resolve'; readonly seq: number; readonly columns: readonly string[] }

export function decide(standing: Standing, attempt: Attempt, rules: Rules, around: Surroundings): Decision {
  switch (attempt.action) {
    case 'create':
      if (!standing.exists) return insert(standing, attempt, around, 'CONSTRAINT_FAILED')
      return attempt.upsert
        ? update(standing, attempt, rules, around)
        : { kind: 'rejected', code: 'ALREADY_EXISTS' }
    case 'update':
      if (standing.exists) return update(standing, attempt, rules, around)
      if (standing.gone !== null || mayBeForgotten(attempt, around)) {
        return { kind: 'conflict', code: 'ROW_DELETED', lost: attempt.columns }
      }
      return insert(standing, attempt, around, 'NOT_FOUND')
    case 'delete':
      return standing.exists ? remove(standing, attempt, rules, around) : { kind: 'settled' }
  }
}

/** Whether a display of `attempt` on top of the confirmed row would show what the server is bound to drop. */
export function hides(
  strategy: string | null | undefined,
  base: number | null,
  confirmedSeq: number,
): boolean {
  return strategy === 'server-wins' && base !== null && confirmedSeq > base
}

function mayBeForgotten(attempt: Attempt, around: Surroundings): boolean {
  return attempt.base !== null && attempt.base < around.horizon
}

function insert(standing: Standing, attempt: Attempt, around: Surroundings, ifRefused: ErrorCode): Decision {
  return {
    kind: 'insert',
    columns: attempt.columns,
    stamp: settle(attempt.stamp, standing.gone?.stamp ?? null, around),
    ifRefused,
  }
}

function remove(standing: Standing, attempt: Attempt, rules: Rules, around: Surroundings): Decision {
  const met = concurrent(everyCell(standing), attempt)
  const refused = rules.strategy === 'server-wins' || rules.strategy === 'keep-both'
  if (met.length > 0 && refused) return { kind: 'conflict', code: 'CONFLICT', lost: [] }
  const stamp = settle(attempt.stamp, greatest(everyCell(standing)), around)
  if (met.length === 0) return { kind: 'delete', stamp }
  return {
    kind: 'delete',
    stamp,
    met:
      concurrent([standing.whole], attempt).length > 0
        ? 'all'
        : metOf(Object.keys(standing.cells), standing, attempt),
  }
}

function update(standing: Standing, attempt: Attempt, rules: Rules, around: Surroundings): Decision {
  const whole = rules.grain === 'entity' ? everyCell(standing) : null
  const judged =
    whole !== null ? judgeRow(whole, attempt, rules, around) : judgeFields(standing, attempt, rules, around)
  if (judged.contested.length > 0) {
    const resolution = attempt.resolution
    if (resolution === undefined || resolution.seq !== standing.seq) {
      return { kind: 'resolve', seq: standing.seq, columns: judged.contested }
    }
    return {
      ...storeResolution(standing, judged, resolution.changes, around),
      ...metIn(judged, standing, attempt),
    }
  }
  if (judged.kept.length === 0 && judged.lost.length > 0)
    return { kind: 'conflict', code: 'CONFLICT', lost: judged.lost }
  const replaced = whole ?? judged.kept.map(column => cellOf(standing, column))
  const stamp = settle(attempt.stamp, greatest(replaced), around)
  return {
    kind: 'update',
    columns: judged.kept,
    resolved: null,
    lost: judged.lost,
    stamp,
    ...metIn(judged, standing, attempt),
  }
}

/** Nearly no write meets anything. */
function metIn(judged: Judgement, standing: Standing, attempt: Attempt): { met?: readonly string[] } {
  return judged.raced ? { met: metOf(attempt.columns, standing, attempt) } : {}
}

function metOf(columns: readonly string[], standing: Standing, attempt: Attempt): string[] {
  return columns.filter(column => concurrent([cellOf(standing, column)], attempt).length > 0)
}

function storeResolution(
  standing: Standing,
  judged: Judgement,
  changes: Row,
  around: Surroundings,
): Extract<Decision, { kind: 'update' }> {
  const columns = [...new Set([...judged.kept, ...Object.keys(changes)])]
  // a resolver's value was written by nobody's clock: it is stamped now, above all that it replaces
  return {
    kind: 'update',
    columns,
    resolved: changes,
    lost: judged.lost,
    stamp: settle(null, greatest(everyCell(standing)), around),
  }
}

interface Judgement {
  readonly kept: readonly string[]
  readonly lost: readonly string[]
  /** Columns that a resolver has to settle. */
  readonly contested: readonly string[]
  /** Something was met that the writer had not seen. */
  readonly raced: boolean
}

function judgeRow(
  cells: readonly (Cell | null)[],
  attempt: Attempt,
  rules: Rules,
  around: Surroundings,
): Judgement {
  const met = concurrent(cells, attempt)
  const raced = met.length > 0
  const outcome = raced ? settleRace(met, attempt, ruleOf(rules), around) : 'keep'
  return { ...sort(attempt.columns, outcome), raced }
}

function judgeFields(standing: Standing, attempt: Attempt, rules: Rules, around: Surroundings): Judgement {
  // reason: an empty literal has no element type
  const all = { kept: [] as string[], lost: [] as string[], contested: [] as string[], raced: false }
  for (const column of attempt.columns) {
    const met = concurrent([cellOf(standing, column)], attempt)
    const judged = sort(
      [column],
      met.length === 0 ? 'keep' : settleRace(met, attempt, ruleOf(rules, column), around),
    )
    all.raced ||= met.length > 0
    all.kept.push(...judged.kept)
    all.lost.push(...judged.lost)
    all.contested.push(...judged.contested)
  }
  return all
}

/** What settles a race for a column, or for the row; null: a resolver. */
export function ruleOf({ fields, resolver, strategy }: Rules, column?: string): FieldMergeStrategy | null {
  const own = column !== undefined && fields && Object.hasOwn(fields, column) ? fields[column] : undefined
  return own === undefined ? (resolver ? null : strategy) : own
}

type Outcome = 'keep' | 'lose' | 'contest'

function settleRace(
  met: readonly Cell[],
  attempt: Attempt,
  strategy: FieldMergeStrategy | null,
  around: Surroundings,
): Outcome {
  switch (strategy) {
    case null:
      return 'contest'
    case 'client-wins':
      return 'keep'
    case 'server-wins':
    case 'keep-both':
      return 'lose'
    case 'last-write-wins': {
      const mine = clampStamp(attempt.stamp, around.nowMs, around.node, around.maxDriftMs)
      return met.every(cell => mine > cell.stamp) ? 'keep' : 'lose'
    }
  }
}

function sort(columns: readonly string[], outcome: Outcome): Omit<Judgement, 'raced'> {
  return {
    kept: outcome === 'keep' ? columns : [],
    lost: outcome === 'lose' ? columns : [],
    contested: outcome === 'contest' ? columns : [],
  }
}

/** The cells that the writer had not seen. Its own earlier mutations count as seen, however far the log has moved. */
function concurrent(cells: readonly (Cell | null)[], attempt: Attempt): Cell[] {
  return cells.filter((cell): cell is Cell => {
    if (cell === null || (cell.by !== null && cell.by === attempt.client)) return false
    if (attempt.base !== null) return cell.seq > attempt.base
    return attempt.stamp !== null && cell.stamp > attempt.stamp
  })
}

/** Who wrote a column last; null: it is at its baseline. */
export function cellOf(standing: Standing, column: string): Cell | null {
  return Object.hasOwn(standing.cells, column) ? (standing.cells[column] ?? null) : standing.whole
}

function everyCell(standing: Standing): (Cell | null)[] {
  return [standing.whole, ...Object.values(standing.cells)]
}

function greatest(cells: readonly (Cell | null)[]): Stamp | null {
  let top: Stamp | null = null
  for (const cell of cells) if (cell !== null && (top === null || cell.stamp > top)) top = cell.stamp
  return top
}

function settle(written: Stamp | null, stored: Stamp | null, around: Surroundings): Stamp {
  return settleStamp(written, stored, around.nowMs, around.node, around.maxDriftMs)
}
