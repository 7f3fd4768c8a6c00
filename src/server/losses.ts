// What of a write did not survive, read off what `decide` said of it (rule I1): the values of the writer that were not
// stored, and those of others that it took the place of without having seen them. Pure; the store asks inside its
// transaction and stores the records there.
import { cellOf, msOfReading, readingOf, ruleOf, sameJson, temporaryPrefix } from '../core/index.ts'
import type { ConflictOutcome, Decision, ErrorCode, Json, Row, Stamp, Standing } from '../core/index.ts'
import { hashOf } from './hash.ts'
import { rulesOf } from './rules.ts'
import type { EntityInfo, PreparedWrite, Sender } from './store.ts'

/** Somebody's value, and what took its place. */
export interface Loss {
  readonly entity: string
  readonly id: string
  readonly field: string | null
  readonly base: Json
  readonly mine: Json
  readonly theirs: Json
  /** When they were written; null: not known, or never. */
  readonly mineAt: Stamp | null
  readonly theirsAt: Stamp | null
  /** The client that wrote it: the sender, or the one that the cell names. */
  readonly client: string | null
  /** The client whose value it is that stands, where it is not the sender's. */
  readonly against: string | null
  /** The log's place at which `mine` was stored; of what never was, the one at which it was lost. */
  readonly place: number
  readonly stored: boolean
  /** The place of what stood there: whoever wrote it saw the row then. */
  readonly since: number
  readonly outcome: ConflictOutcome
}

/** A row of the table of records, and whether the value that it tells of was stored once. */
export interface ConflictRecord {
  readonly row: Row
  readonly stored: boolean
}

/** A write, and the row as it stands before it; null: there is none. */
export interface Judged {
  readonly info: EntityInfo
  readonly id: string
  readonly write: PreparedWrite
  readonly standing: Standing
  readonly row: Row | null
  readonly client: string | null
  /** The log's place when it was judged; what the same transaction stored of the row before is at or below it. */
  readonly head: number
}

/** Whether `lossesOf` may find anything: nearly never. */
export function mayLose(decision: Decision): boolean {
  if (decision.kind === 'update') return decision.lost.length > 0 || decision.met !== undefined
  return decision.kind === 'delete' && decision.met !== undefined
}

/** Of a write that is stored. */
export function lossesOf(judged: Judged, decision: Decision): Loss[] {
  if (decision.kind === 'delete') return deleted(judged, decision.met ?? [])
  if (decision.kind !== 'update') return []
  const { write, row } = judged
  const { columns, lost, met = [], resolved } = decision
  return [...new Set([...lost, ...met])].flatMap(column => {
    const mine = write.values[column] ?? null
    const before = row?.[column] ?? null
    const made = resolved !== null && Object.hasOwn(resolved, column) ? (resolved[column] ?? null) : mine
    const after = columns.includes(column) ? made : before
    const outcome = outcomeOf(judged, column)
    // where a resolver made something of both, both live on in it
    if (sameJson(mine, before)) return []
    if (sameJson(after, before)) return [lostBy(judged, column, before, outcome)]
    return sameJson(after, mine) ? replaced(judged, column, after, outcome) : []
  })
}

/** Of a mutation of which nothing is stored, because this or another of its writes met something. */
export function refusedLosses(judged: Judged, code: ErrorCode, alone: boolean): Loss[] {
  const { write, row } = judged
  const why = (column: string): ConflictOutcome => {
    if (code === 'ROW_DELETED' && row === null) return 'deleted'
    return alone ? outcomeOf(judged, column) : 'transaction'
  }
  if (write.attempt.action === 'delete')
    return row === null ? [] : [{ ...lostBy(judged, '', null, why('')), field: null, mine: null, base: null }]
  return write.attempt.columns
    .filter(column => row === null || !sameJson(write.values[column] ?? null, row[column] ?? null))
    .map(column => lostBy(judged, column, row?.[column] ?? null, why(column)))
}

/** What decided: as `decide` has it, which judges a delete by the row's strategy. */
function outcomeOf({ info, write }: Judged, column: string): ConflictOutcome {
  const rules = rulesOf(info.definition)
  return write.attempt.action === 'delete' ? rules.strategy : (ruleOf(rules, column) ?? 'resolver')
}

function lostBy(
  { info, id, write, client, row, standing, head }: Judged,
  field: string,
  theirs: Json,
  outcome: ConflictOutcome,
): Loss {
  const base = write.was?.[field] ?? null
  const mine = write.values[field] ?? null
  const written = { base, mine, mineAt: write.attempt.stamp, client, place: head, stored: false }
  const cell = row === null ? null : cellOf(standing, field)
  const theirsAt = (row === null ? standing.gone?.stamp : cell?.stamp) ?? null
  const stood = { theirs, theirsAt, against: cell?.by ?? null, since: cell?.seq ?? 0 }
  return { entity: info.name, id, field, ...stood, outcome, ...written }
}

/** What stood there, where a client had written it. */
function replaced(judged: Judged, field: string, theirs: Json, outcome: ConflictOutcome): Loss[] {
  const { info, id, standing, row, client, write } = judged
  const cell = cellOf(standing, field)
  if (cell === null || cell.by === null || cell.by === client) return []
  // who made a row without a value there wrote none
  if (row?.[field] == null && !Object.hasOwn(standing.cells, field)) return []
  const { by, seq: place, stamp: mineAt } = cell
  const written = { base: null, mine: row?.[field] ?? null, mineAt, client: by, place, stored: true }
  const now = { theirs, theirsAt: write.attempt.stamp, against: null, since: place }
  return [{ entity: info.name, id, field, ...now, outcome, ...written }]
}

/**
 * Whoever wrote there before may see the row no more (rule V1): where it moved since, they are not told what somebody else
 * wrote. `now`: as it stands with all that the transaction stored, its triggers too.
 */
export function withinSight(loss: Loss, { definition, routing }: EntityInfo, now: () => Standing): Loss {
  if (definition.access?.read === undefined || (loss.against === null && !loss.stored)) return loss
  const standing = now()
  const moved = !standing.exists || routing.some(column => (cellOf(standing, column)?.seq ?? 0) > loss.since)
  if (!moved) return loss
  return loss.stored ? { ...loss, theirs: null, theirsAt: null } : { ...loss, against: null }
}

function deleted(judged: Judged, met: readonly string[] | 'all'): Loss[] {
  const { info, row } = judged
  const all = info.shape.columns.map(([name]) => name).filter(name => !info.shape.key.includes(name))
  return (met === 'all' ? all : met)
    .filter(column => row?.[column] != null)
    .flatMap(column => replaced(judged, column, null, 'deleted'))
}

/** The record's id: one of a writer, a row and a field. */
function conflictId(user: string, { client, entity, id, field }: Loss): string {
  return hashOf(JSON.stringify([user, client, entity, id, field]))
}

/**
 * As they are stored: the columns of a record by its id, the newest written of each. `userOf` knows whose client wrote a cell;
 * a value of nobody's that is known makes no record, nor one of a row without any name. A row that was never made has the
 * temporary id that its writer gave it.
 */
export function recordsOf(
  losses: readonly Loss[],
  { user, client }: Sender,
  userOf: (client: string) => string | null,
  nowMs: number,
): Map<string, ConflictRecord> {
  const records = new Map<string, ConflictRecord>()
  for (const loss of losses) {
    const own = loss.client === client
    const writer = own ? user : loss.client === null ? null : userOf(loss.client)
    if (writer === null || loss.id === temporaryPrefix) continue
    const { entity, id: row_id, field, base, mine, theirs, outcome } = loss
    const ms = (stamp: Stamp | null): number | null => (stamp === null ? null : msOfReading(readingOf(stamp)))
    const id = conflictId(writer, loss)
    const other = own ? (loss.against === null ? null : userOf(loss.against)) : user
    // as if written anew, also where the last one was resolved
    const fresh = { status: 'open', at: nowMs, resolved_at: null, resolved_by: null }
    const row: Row = {
      id,
      entity,
      row_id,
      field,
      base,
      mine,
      theirs,
      mine_at: ms(loss.mineAt),
      theirs_at: ms(loss.theirsAt),
      writer,
      other,
      outcome,
      client: loss.client,
      place: loss.place,
      ...fresh,
    }
    const before = records.get(id)?.row
    const next = recordOver(before ?? null, { row, stored: loss.stored })
    if (next !== null) records.set(id, { row: { ...before, ...next }, stored: loss.stored })
  }
  return records
}

/** What is stored of a record where there is one already; null: nothing, what its writer lost there is newer than this. */
export function recordOver(known: Row | null, { row, stored }: ConflictRecord): Row | null {
  if (known === null) return row
  // what never was stored came after all that its client has there
  if (stored && Number(known['place']) >= Number(row['place'])) return null
  if (known['status'] !== 'open') return row
  // what was seen before the first of them
  const { base: _, ...again } = row
  return again
}
