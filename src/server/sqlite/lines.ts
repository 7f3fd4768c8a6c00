// What is written down of rows: lines of living ones, records of gone ones. Found by id together with the row itself.
import type { Cell, Standing } from '../../core/index.ts'
import type { RowForm } from '../store.ts'
import { settleRow } from '../settle.ts'
import type { Gone, Line, Settled, TailEntry } from '../settle.ts'
import { integer, text, textOrNull } from './driver.ts'
import type { Connection, SqlValue } from './driver.ts'
import type { Entity } from './entity.ts'
import { logNode, mutationOf } from './tail.ts'

/** Everything that is known of one row in one view. */
export interface RowState {
  readonly exists: boolean
  readonly json: string | null
  readonly line: Line | null
  readonly gone: Gone | null
  readonly goneOrigin: Origin | undefined
}

export interface Origin {
  readonly client: string
  readonly mutation: number | string
}

export const nothing: RowState = { exists: false, json: null, line: null, gone: null, goneOrigin: undefined }

/** By canonical id; every asked id has an answer. Ids must have passed `check`. */
export function lookup(
  db: Connection,
  entity: Entity,
  ids: readonly string[],
  form: RowForm | 'none',
): Map<string, RowState> {
  const found = new Map<string, RowState>()
  if (ids.length === 0) return found
  for (const row of db.all(entity.sql.lookup[form], JSON.stringify(ids)))
    found.set(ids[integer(row[0])] ?? '', stateOf(row))
  return found
}

function stateOf(row: readonly SqlValue[]): RowState {
  return {
    exists: row[1] === 1,
    json: textOrNull(row[2]),
    line: row[3] === null ? null : lineOf(row, 3),
    gone:
      row[10] === null ? null : { seq: integer(row[10]), reading: integer(row[11]), stamp: text(row[12]) },
    goneOrigin: originOf(textOrNull(row[13]), mutationOf(row[14])),
  }
}

export function originOf(client: string | null, mutation: number | string | null): Origin | undefined {
  return client === null || mutation === null ? undefined : { client, mutation }
}

function lineOf(row: readonly SqlValue[], from: number): Line {
  const whole = textOrNull(row[from + 2])
  const cells = textOrNull(row[from + 3])
  return {
    seq: integer(row[from]),
    reading: integer(row[from + 1]),
    whole: whole === null ? null : cellOf(JSON.parse(whole)),
    cells: cellsOf(cells),
    temporary: textOrNull(row[from + 4]),
    client: textOrNull(row[from + 5]),
    mutation: mutationOf(row[from + 6]),
  }
}

type PackedCell = readonly [seq: number, stamp: string, by: string | null]

function cellOf(packed: unknown): Cell {
  const [seq, stamp, by] = packed as PackedCell // reason: packCell wrote it, into a table that is ours alone
  return { seq, stamp, by }
}

/**
 * Columns that were written together share one cell, and are written down together: `[[cell, column, ...], ...]`. Those
 * above a place, or all.
 */
export function cellsOf(json: string | null, above = -1): Record<string, Cell> {
  const cells: Record<string, Cell> = {}
  if (json === null) return cells
  const groups: unknown = JSON.parse(json)
  // reason: packCells wrote it, into a table that is ours alone
  for (const [packed, ...columns] of groups as [PackedCell, ...string[]][]) {
    const cell = cellOf(packed)
    if (cell.seq > above) for (const column of columns) cells[column] = cell
  }
  return cells
}

function packCell({ seq, stamp, by }: Cell): PackedCell {
  return [seq, stamp, by]
}

function packCells(cells: Line['cells']): string | null {
  const groups = new Map<Cell, [PackedCell, ...string[]]>()
  for (const [column, cell] of Object.entries(cells)) {
    const group = groups.get(cell)
    if (group === undefined) groups.set(cell, [packCell(cell), column])
    else group.push(column)
  }
  return groups.size === 0 ? null : JSON.stringify([...groups.values()])
}

/** Writes down what became of a row; `old` and the newest entry go with a record of a gone one. */
export function save(
  db: Connection,
  entity: Entity,
  settled: Settled,
  before: RowState,
  last: TailEntry | undefined,
  old: string | null,
): void {
  const { id, line, gone } = settled
  if (line !== null) {
    const whole = line.whole === null ? null : JSON.stringify(packCell(line.whole))
    const created = line.whole?.seq ?? 0
    db.run(
      entity.sql.saveLine,
      id,
      line.seq,
      line.reading,
      whole,
      created,
      packCells(line.cells),
      line.temporary,
      line.client,
      line.mutation,
    )
    // a row that came back; `before` names no gone record of a row that is there
    if (line.whole !== (before.line?.whole ?? null) || before.gone !== null) db.run(entity.sql.dropGone, id)
  } else if (gone !== null) {
    db.run(
      entity.sql.saveGone,
      id,
      gone.seq,
      gone.reading,
      gone.stamp,
      old,
      last?.client ?? null,
      last?.mutation ?? null,
    )
    if (before.line !== null) db.run(entity.sql.dropLine, id)
  }
}

/** The state of a row with its unfolded entries on top. */
export function settle(state: RowState, entries: readonly TailEntry[]): RowState {
  const settled = settleRow(state.line, entries, state.exists, logNode)
  if (settled === null) return state
  if (settled.line !== null) return { ...state, line: settled.line, gone: null, goneOrigin: undefined }
  const last = entries.at(-1)
  return {
    ...state,
    line: null,
    gone: settled.gone,
    goneOrigin: originOf(last?.client ?? null, last?.mutation ?? null),
  }
}

/** As `decide` wants it. */
export function standingOf({ exists, line, gone }: RowState): Standing {
  if (exists)
    return { exists, whole: line?.whole ?? null, cells: line?.cells ?? {}, gone: null, seq: line?.seq ?? 0 }
  const record = gone === null ? null : { seq: gone.seq, stamp: gone.stamp }
  return { exists, whole: null, cells: {}, gone: record, seq: gone?.seq ?? 0 }
}
