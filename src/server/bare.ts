// The two bare dialects at the server's end: changed rows, told one by one as rows or as fields. Row values arrive as JSON
// text in `object` form and are cut, never parsed. Neighbours on the line: hub, reader and pull before it, the peers behind.
import {
  printChangeFrame,
  printChangesFrame,
  printFieldChange,
  printPlainChange,
  readingOf,
} from '../core/index.ts'
import type { ChangePage, FieldChange } from '../core/index.ts'
import { Frame, plainChange } from './frames.ts'
import { membersOf } from './slices.ts'
import type { ChangedRow } from './store.ts'

export type BareDialect = 'plain' | 'field'

/** With the version of the change of its entity before it. */
export type PlacedChange = ChangedRow & { readonly previous: number }

/** A change as it is told. */
interface Told {
  readonly text: string
  readonly version: number
}

interface Spelling {
  /** It is told which columns were written. */
  readonly cells: boolean
  readonly one: 'change' | 'field_change'
  readonly many: 'changes' | 'field_changes'
  /** `after`: what is at or below it is known. */
  tell(rows: readonly PlacedChange[], after: number): Told[]
}

const spellings: Readonly<Record<BareDialect, Spelling>> = {
  plain: {
    cells: false,
    one: 'change',
    many: 'changes',
    tell: rows =>
      rows.map(row => ({ text: printPlainChange(plainChange(row, row.previous)), version: row.seq })),
  },
  field: {
    cells: true,
    one: 'field_change',
    many: 'field_changes',
    tell: (rows, after) =>
      rows
        .flatMap(row => fieldsOf(row, after))
        .sort((a, b) => a.version - b.version)
        .map(change => ({ text: printFieldChange(change), version: change.version })),
  },
}

export function needsCells(dialect: BareDialect): boolean {
  return spellings[dialect].cells
}

/** The rows of one page that begins after `since`. */
export function placed(rows: readonly ChangedRow[], since: number): PlacedChange[] {
  return rows.map((row, i) => ({ ...row, previous: rows[i - 1]?.seq ?? since }))
}

export function bareTexts(dialect: BareDialect, rows: readonly PlacedChange[], after: number): string[] {
  return spellings[dialect].tell(rows, after).map(({ text }) => text)
}

/**
 * Frames of one change each. Numbered ones are all that changed since `after`, and the ids of events say that all before
 * them has come (rule E5). A row by itself is whole; of fields only the last says it, because those of a row that was
 * made at one place and written at another are told in two places.
 */
export function bareFrames(
  dialect: BareDialect,
  rows: readonly PlacedChange[],
  after: number,
  numbered: boolean,
): Frame[] {
  const { one, cells } = spellings[dialect]
  const told = spellings[dialect].tell(rows, after)
  return told.map(({ text, version }, i) => {
    const next = told[i + 1]
    const whole = cells ? next === undefined : next?.version !== version
    return new Frame(
      printChangeFrame(one, text, numbered && cells && !whole),
      numbered && whole ? version : null,
    )
  })
}

/** One frame of many changes. */
export function bareFrame(
  dialect: BareDialect,
  page: ChangePage,
  rows: readonly PlacedChange[],
  after: number,
): Frame {
  const { many } = spellings[dialect]
  return new Frame(printChangesFrame(many, page, bareTexts(dialect, rows, after)))
}

/** Rule E1. Columns that a view leaves out are not in the row's text, so what was written to them is told to nobody. */
function fieldsOf(row: ChangedRow, after: number): FieldChange[] {
  const { entity, id, idJson, json, created, cells, seq, reading, origin } = row
  const name = typeof origin?.mutation === 'string' ? origin.mutation : undefined
  const common = { entity, id, idJson, version: seq, reading, mutation: name }
  if (json === null) return [{ ...common, field: null, value: 'null', action: 'delete' }]
  if (created || cells === undefined)
    return membersOf(json).map(([field, value]) => ({ ...common, field, value, action: 'create' }))
  return membersOf(json).flatMap(([field, value]): FieldChange[] => {
    const cell = Object.hasOwn(cells, field) ? cells[field] : undefined
    if (cell === undefined || cell.seq <= after) return []
    // of the write that was the row's last the name is known
    const mutation = cell.seq === seq ? name : undefined
    const time = { version: cell.seq, reading: readingOf(cell.stamp), mutation }
    return [{ ...common, ...time, field, value, action: 'update' }]
  })
}
