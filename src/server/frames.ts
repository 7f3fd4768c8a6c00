// Printing the frames of data, in both spellings. Row values arrive as JSON text and are spliced, never parsed.
// Neighbours on the line: feed before it, the peers behind it, which turn a Frame into bytes once for all sockets.
import type { Cursor, Mutation, MutationResult, PlainChange } from '../core/index.ts'
import { plainResult, printPushAck, printSyncAck } from '../core/index.ts'
import type { SentRow } from './patches.ts'
import type { ChangedRow, EntityInfo } from './store.ts'

/** A text frame that many connections share; each kind of connection keeps its encoded bytes here. */
export class Frame {
  readonly text: string
  /** `id:` line of an event stream: the version of a plain change. */
  readonly eventId: number | null
  websocket: Buffer | undefined
  deflated: Buffer | undefined
  eventStream: Buffer | undefined

  constructor(text: string, eventId: number | null = null) {
    this.text = text
    this.eventId = eventId
  }
}

export function withoutId(frame: Frame): Frame {
  return frame.eventId === null ? frame : new Frame(frame.text)
}

/** Rows of one frame at the most, and its size in characters, roughly. */
export const frameRows = 1000
export const frameChars = 256 * 1024

export interface BatchOptions {
  readonly scopes: readonly string[]
  readonly from: Cursor | null
  /** Null: more parts follow. */
  readonly to: Cursor | null
  readonly repair?: boolean
}

/** `rows` in `values` form. One frame; the caller cuts parts with `cutParts`. */
export function printBatch(options: BatchOptions, rows: readonly SentRow[]): Frame {
  const to = options.to === null ? '' : `,"to":${printCursor(options.to)}`
  const repair = options.repair === true ? ',"repair":true' : ''
  return new Frame(
    `{"type":"batch","scopes":${JSON.stringify(options.scopes)},"from":${printCursor(options.from)}${to}${repair},"sets":[${printSets(rows)}]}`,
  )
}

function printCursor(cursor: Cursor | null): string {
  return cursor === null
    ? 'null'
    : `{"epoch":${JSON.stringify(cursor.epoch)},"seq":${cursor.seq},"check":${cursor.check}}`
}

interface SetParts {
  readonly rows: string[]
  readonly patches: string[]
  readonly gone: string[]
  readonly renamed: string[]
}

function printSets(rows: readonly SentRow[]): string {
  const sets = new Map<string, SetParts>()
  for (const row of rows) {
    let set = sets.get(row.entity)
    if (set === undefined) sets.set(row.entity, (set = { rows: [], patches: [], gone: [], renamed: [] }))
    if (row.json === null) set.gone.push(`[${JSON.stringify(row.id)},${row.seq}]`)
    else if (row.patch === undefined) set.rows.push(`[${row.seq},${row.json}]`)
    else set.patches.push(`[${JSON.stringify(row.id)},${row.seq},${row.patch}]`)
    if (row.temporary !== null)
      set.renamed.push(`[${JSON.stringify(row.temporary)},${JSON.stringify(row.id)}]`)
  }
  return Array.from(sets, ([entity, set]) => {
    const patches = set.patches.length === 0 ? '' : `,"patches":[${set.patches.join(',')}]`
    const gone = set.gone.length === 0 ? '' : `,"gone":[${set.gone.join(',')}]`
    const renamed = set.renamed.length === 0 ? '' : `,"renamed":[${set.renamed.join(',')}]`
    return `{"entity":${JSON.stringify(entity)},"rows":[${set.rows.join(',')}]${patches}${gone}${renamed}}`
  }).join(',')
}

/** Cuts rows into parts that fit a frame; always at least one part, maybe empty. */
export function cutParts<T extends Pick<SentRow, 'json' | 'patch'>>(rows: readonly T[]): (readonly T[])[] {
  if (rows.length <= 1) return [rows]
  const parts: T[][] = []
  let part: T[] = []
  let chars = 0
  for (const row of rows) {
    const size = ((row.patch ?? row.json)?.length ?? 0) + 40
    if (part.length > 0 && (part.length >= frameRows || chars + size > frameChars)) {
      parts.push(part)
      part = []
      chars = 0
    }
    part.push(row)
    chars += size
  }
  parts.push(part)
  return parts
}

/** The frames of one whole batch: staged parts, then the one that carries `to`. */
export function printBatchParts(options: BatchOptions, rows: readonly SentRow[]): Frame[] {
  const parts = cutParts(rows)
  return parts.map((part, i) => printBatch(i === parts.length - 1 ? options : { ...options, to: null }, part))
}

/** A row of the log as the rhtmx dialect prints it; `json` must be in `object` form. */
export function plainChange(row: ChangedRow, previous: number): PlainChange {
  const action = row.json === null ? 'delete' : row.created ? 'create' : 'update'
  return { ...row, action, data: row.json, version: row.seq, previous }
}

/** The `push_ack` or `sync:ack` of a bare push; nothing for a mutation that names no row. */
export function printAcks(
  mutation: Mutation | undefined,
  result: MutationResult,
  type: 'acks' | 'sync:ack',
  entities: ReadonlyMap<string, EntityInfo>,
): Frame[] {
  const entity = mutation?.writes[0]?.entity
  if (mutation === undefined || entity === undefined) return []
  if (type === 'sync:ack') return [new Frame(printSyncAck(mutation, result))]
  const numeric = entities.get(entity)?.integerKey === true
  return [new Frame(printPushAck(entity, plainResult(mutation, result, numeric)))]
}
