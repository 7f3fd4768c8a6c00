// What can be said of pushed mutations before any row is read: columns, ids, and which of them have to be prepared one
// after the other. Neighbours: accept, which prepares and stores them.
import { idOfRow, isForbiddenName, isTemporaryId, nativeId, rowName, SyncError } from '../core/index.ts'
import type { ErrorBody, Json, Mutation, Row, StandardIssue, Write } from '../core/index.ts'
import type { Logger } from './env.ts'
import type { EntityInfo, LookedUp } from './store.ts'

export interface Plan {
  readonly mutation: Mutation
  readonly writes: readonly PlannedWrite[]
  readonly rejected?: ErrorBody | undefined
  /** A schema or an access rule has to be asked. */
  readonly judged: boolean
  /** One of the writes takes its row as it is before. */
  readonly needsRow: boolean
}

export interface PlannedWrite {
  readonly info: EntityInfo
  readonly write: Write
  /** Canonical as far as can be said without the store: its own key, or a temporary id. */
  readonly id: string
  /** What the store is told; a temporary id even where `key` says the row's own, so that it is remembered. */
  readonly sent: string
  /** Key columns for the store, where a create carries a temporary id and its own key. */
  readonly key: Row | null
  readonly values: Row
  /** Cutting, validating or allowing it takes the row as it is before this write. */
  readonly needsRow: boolean
}

/** Never throws: what cannot be stored is rejected. */
export function plan(entities: ReadonlyMap<string, EntityInfo>, mutation: Mutation): Plan {
  try {
    const writes: PlannedWrite[] = []
    for (const write of mutation.writes) {
      const planned = planWrite(entities, mutation, write)
      // a row that this mutation creates under both a temporary id and its own is one row
      const same = writes.find(
        other => other.info === planned.info && other.sent === planned.id && other.id !== planned.id,
      )
      writes.push(same === undefined ? planned : { ...planned, id: same.id })
    }
    const judged = writes.some(
      ({ info: { definition } }) => definition.schema !== undefined || definition.access !== undefined,
    )
    return { mutation, writes, judged, needsRow: writes.some(planned => planned.needsRow) }
  } catch (error) {
    if (error instanceof SyncError && !error.retryable)
      return { mutation, writes: [], rejected: error.toJSON(), judged: false, needsRow: false }
    throw error
  }
}

function planWrite(
  entities: ReadonlyMap<string, EntityInfo>,
  mutation: Mutation,
  write: Write,
): PlannedWrite {
  const info = entities.get(write.entity)
  if (info === undefined)
    throw new SyncError('UNKNOWN_ENTITY', `no entity '${write.entity.slice(0, 80)}' is synced here`)
  const values = takeColumns(info, write)
  const id = idOfWrite(info, write)
  const named = isTemporaryId(write.id) && id !== write.id
  const data = write.data ?? {}
  const key = named
    ? Object.fromEntries(info.shape.key.map((column): [string, Json] => [column, data[column] ?? null]))
    : null
  // an upsert matters where a later write of the same mutation builds on the row
  const builds = write.action === 'create' && write.upsert === true && mutation.writes.length > 1
  const { schema, access } = info.definition
  const needsRow =
    access !== undefined ||
    ((write.action === 'update' || builds) && (schema !== undefined || mutation.base === null))
  return { info, write, id, sent: named ? write.id : id, key, values, needsRow }
}

/** How many of them can be prepared together: none but the first needs a row that one before it writes. */
export function independent(plans: readonly Plan[]): number {
  if (!plans.some(({ needsRow }) => needsRow)) return plans.length
  const named = new Set<string>()
  for (const [i, { writes }] of plans.entries()) {
    if (i > 0 && writes.some(planned => planned.needsRow && mayBeNamed(named, planned))) return i
    for (const { info, write, id, sent } of writes) {
      named.add(looseName(info, id)).add(looseName(info, sent))
      // a known temporary id and a real one may mean the same row; that of a create is new
      if (!isTemporaryId(sent)) named.add(`${info.name} real`)
      else if (write.action !== 'create') named.add(`${info.name} temporary`)
    }
  }
  return plans.length
}

function mayBeNamed(named: ReadonlySet<string>, { info, id }: PlannedWrite): boolean {
  const other = isTemporaryId(id) ? 'real' : 'temporary'
  return named.has(looseName(info, id)) || named.has(`${info.name} ${other}`)
}

/** The same for all spellings of a composite id, which only the store knows to tell apart. */
function looseName(info: EntityInfo, id: string): string {
  return info.shape.key.length > 1
    ? rowName(info.name, id.replaceAll(/[\s"\\]/g, ''))
    : rowName(info.name, id)
}

/** The rows of one mutation, as its writes so far leave them: it is stored whole or not at all. */
export class Draft {
  readonly #found: ReadonlyMap<string, LookedUp>
  readonly #rows = new Map<string, Row | null>()

  constructor(found: ReadonlyMap<string, LookedUp>) {
    this.#found = found
  }

  /** With the real id, where it is known. */
  get({ info, id: asked }: PlannedWrite): { id: string; row: Row | null } {
    const found = this.#found.get(rowName(info.name, asked))
    const id = found?.id ?? asked
    const drafted = this.#rows.get(rowName(info.name, id))
    return { id, row: drafted === undefined ? (found?.row ?? null) : drafted }
  }

  /** The newest place of the stored row, where one was looked for. */
  seqOf({ info, id }: PlannedWrite): number | undefined {
    return this.#found.get(rowName(info.name, id))?.standing.seq
  }

  note(planned: PlannedWrite): void {
    const { info, write } = planned
    const { id, row } = this.get(planned)
    const name = rowName(info.name, id)
    if (write.action === 'delete') this.#rows.set(name, null)
    else if (write.action === 'create' || row !== null) this.#rows.set(name, rowWith(planned, id, row))
  }
}

/** The row as a create or update of it leaves it, as far as can be said without the database. */
export function rowWith({ info, write, values }: PlannedWrite, id: string, row: Row | null): Row {
  if (write.action === 'update' && row !== null) return { ...row, ...values }
  const before = write.upsert === true ? row : null
  return { ...before, ...keyColumns(info, write.data ?? {}, id), ...values }
}

/** The written columns without the key, checked against the table; unknown ones are refused or dropped as configured. */
function takeColumns(info: EntityInfo, { data = {} }: Write): Row {
  const { definition, shape, generated } = info
  const columns = columnsOf(info)
  const written = Object.keys(data)
  const kept = written.filter(name => {
    if (shape.key.includes(name)) return false
    if (!columns.has(name) || isForbiddenName(name)) {
      if (definition.unknownFields === 'ignore') return false
      throw new SyncError('UNKNOWN_FIELD', `'${info.name}' has no column '${name.slice(0, 80)}'`, {
        details: { field: name.slice(0, 80) },
      })
    }
    if (generated.has(name)) return false
    if (definition.serverOwned.includes(name)) {
      throw new SyncError('INVALID_VALUE', `'${name}' of '${info.name}' is written by the server only`, {
        details: { field: name },
      })
    }
    return true
  })
  if (kept.length === written.length) return data
  return Object.fromEntries(kept.map((name): [string, Json] => [name, data[name] ?? null]))
}

const columnSets = new WeakMap<EntityInfo, ReadonlySet<string>>()

function columnsOf(info: EntityInfo): ReadonlySet<string> {
  let columns = columnSets.get(info)
  if (columns === undefined)
    columnSets.set(info, (columns = new Set(info.shape.columns.map(([name]) => name))))
  return columns
}

/** The canonical id; key columns in the data must agree with it, and win over a temporary id that a create carries. */
function idOfWrite(info: EntityInfo, write: Write): string {
  const fromData = write.data === undefined ? null : idOfRow(write.data, info.shape.key)
  if (isTemporaryId(write.id))
    return write.action === 'create' && fromData !== null && !isTemporaryId(fromData)
      ? checkId(info, fromData)
      : write.id
  const id = checkId(info, write.id)
  if (fromData !== null && !isTemporaryId(fromData) && checkId(info, fromData) !== id) {
    throw new SyncError(
      'INVALID_ID',
      `the key in the data (${fromData.slice(0, 80)}) is not the id (${id.slice(0, 80)}); a key cannot be changed by an update`,
    )
  }
  return id
}

function checkId(info: EntityInfo, id: string): string {
  // nearly every integer is short and in its one spelling
  if (!info.integerKey || /^[1-9]\d{0,14}$/.test(id)) return id
  if (!/^-?\d{1,19}$/.test(id))
    throw new SyncError(
      'INVALID_ID',
      `'${id.slice(0, 80)}' is no id of '${info.name}': its key is an integer`,
    )
  const value = BigInt(id)
  if (value < -(2n ** 63n) || value >= 2n ** 63n)
    throw new SyncError('INVALID_ID', `${id} does not fit a 64-bit integer key`)
  return String(value)
}

/** Whole rows are judged by the schema; of an update, only what it says about the written columns counts. */
export async function validate(
  { info, write, values }: PlannedWrite,
  id: string,
  stored: Row | null,
  log: Logger,
): Promise<void> {
  const schema = info.definition.schema
  if (schema === undefined || write.action === 'delete') return
  const before = write.action === 'update' ? stored : null
  const row = { ...before, ...keyColumns(info, write.data ?? {}, id), ...values }
  const issues = await issuesOf(info, row, log)
  const concerning = issues.filter(issue => {
    const column = issue.path[0]
    if (column !== undefined && info.shape.key.includes(column)) return false
    return write.action === 'create' || column === undefined || Object.hasOwn(values, column)
  })
  if (concerning.length === 0) return
  const text = concerning.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; ')
  throw new SyncError('VALIDATION_FAILED', `'${info.name}' was refused by its schema: ${text}`, {
    details: { issues: concerning },
  })
}

async function issuesOf(
  info: EntityInfo,
  row: Row,
  log: Logger,
): Promise<{ message: string; path: string[] }[]> {
  try {
    const result = await info.definition.schema?.['~standard'].validate(row)
    return (result?.issues ?? []).map(issue => ({ message: issue.message, path: pathOf(issue) }))
  } catch (error) {
    // sent again it would fail again, and everything behind it would wait for ever
    log.error({ err: error, entity: info.name }, 'syncline: a schema threw; the mutation was rejected')
    throw new SyncError(
      'VALIDATION_FAILED',
      `the schema of '${info.name}' failed; the server's log says why`,
      {
        cause: error,
      },
    )
  }
}

function keyColumns(info: EntityInfo, data: Row, id: string): Row {
  const column = info.shape.key[0]
  if (info.shape.key.length > 1 || column === undefined) return data
  return { [column]: nativeId(id, info.integerKey) }
}

function pathOf(issue: StandardIssue): string[] {
  return (issue.path ?? []).map(part => String(typeof part === 'object' ? part.key : part))
}
