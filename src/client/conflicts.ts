// The inbox: values that somebody wrote and that did not survive, and one call that settles each (rules I2, I4). Records
// are rows like any other, of an entity of the server's; what the server refused outright is a dead letter of this device,
// and reads the same. Neighbours: the client's writes and views behind it, faces before it.
import type { ConflictOutcome, ConflictRow, Json, Row } from '../core/index.ts'
import { conflictsName, isTemporaryId, keyOfId, sameJson, SyncError } from '../core/index.ts'
import type { BareClient as Client, DeadLetter, Transaction, WriteHandle } from './api.ts'
import { encodeRow } from './encode.ts'
import type { Encodable } from './encode.ts'

export interface Conflict {
  readonly id: string
  readonly entity: string
  /** The row's canonical id. */
  readonly rowId: string
  /** Null: the row as a whole was to be deleted. */
  readonly field: string | null
  /** What the writer saw before; null also where that is not known. */
  readonly base: Json
  /** The value that did not survive. */
  readonly mine: Json
  /**
   * What took its place then; null where the row was deleted. Of what was refused, and where that was hidden from its writer
   * then: what stands now.
   */
  readonly theirs: Json
  /** When the two were written; null where that is not known. Milliseconds since 1970. */
  readonly mineAt: number | null
  readonly theirsAt: number | null
  /** The user whose value `mine` is. */
  readonly writer: string | null
  /** The user whose value it is that stands, where that is known. */
  readonly other: string | null
  /** Why: the strategy that decided, `deleted`, `transaction`, `resolver`; `rejected`: see `error`. */
  readonly outcome: ConflictOutcome | 'rejected'
  readonly status: 'open' | 'resolved'
  /** When it was lost. */
  readonly at: number
  /** With `rejected`: why, as the server said. */
  readonly error?: DeadLetter['error']
  /** Writes `mine` once more, over what stands now. Throws NOT_FOUND where it is settled. */
  keepMine(): WriteHandle
  /** Leaves what stands. */
  keepTheirs(): WriteHandle
  /** Writes another value. */
  resolve(value: Encodable): WriteHandle
}

export interface Conflicts {
  /** The open ones, newest first; the same list while nothing in it changed. */
  list(): readonly Conflict[]
  get(id: string): Conflict | undefined
  /** Called when the list changed. */
  subscribe(listener: () => void): () => void
  keepMine(id: string): WriteHandle
  keepTheirs(id: string): WriteHandle
  resolve(id: string, value: Encodable): WriteHandle
}

/** What settles a dead letter: sending it again, or letting it go. */
const refusedPrefix = 'rejected'

/** `begin`: called when somebody asks for the first time, to ask the server for the records. */
export function conflictsOf(client: Client, begin = (): void => {}): Conflicts {
  let asked = (): void => {
    asked = (): void => {}
    begin()
  }
  let known: { rows: readonly Row[]; now: string; list: readonly Conflict[] } | null = null
  const list = (): readonly Conflict[] => {
    asked()
    // reason: the entity is the engine's own, and its rows are as it makes them
    const rows = client.getAll(conflictsName) as readonly (Row & ConflictRow)[]
    const letters = client.deadLetters().flatMap(letter => refused(client, letter))
    const open = rows.filter(({ status }) => status === 'open')
    // what else may change of it than the records
    const now = JSON.stringify([letters, open.filter(isUntold).map(row => theirsOf(client, row))])
    if (known?.rows === rows && known.now === now) return known.list
    const all = [...open.map(row => recorded(client, row)), ...letters].sort((a, b) => b.at - a.at)
    known = { rows, now, list: all }
    return all
  }
  const get = (id: string): Conflict | undefined => list().find(conflict => conflict.id === id)
  const find = (id: string): Conflict => {
    const found = get(id)
    if (found === undefined) throw new SyncError('NOT_FOUND', `no open conflict '${id}'`)
    return found
  }
  return {
    list,
    get,
    subscribe(listener) {
      asked()
      let before = list()
      const check = (): void => {
        const now = list()
        if (now === before) return
        before = now
        listener()
      }
      const stops = [client.subscribe(conflictsName, check), client.on('changed', check)]
      return () => stops.forEach(stop => stop())
    },
    keepMine: id => find(id).keepMine(),
    keepTheirs: id => find(id).keepTheirs(),
    resolve: (id, value) => find(id).resolve(value),
  }
}

function recorded(client: Client, record: ConflictRow): Conflict {
  const { id, entity, row_id: rowId, field, mine_at: mineAt, theirs_at: theirsAt, ...rest } = record
  const settled = (tx: Transaction<Record<string, Row>>): void =>
    tx.update(conflictsName, id, { status: 'resolved' })
  const settle = (value: Encodable): WriteHandle => {
    open(client, id)
    return client.transaction(tx => {
      if (field === null) tx.delete(entity, rowId)
      else if (client.get(entity, rowId) === undefined) revive(client, tx, entity, rowId, { [field]: value })
      else {
        // while the write that was lost is still shown here, it would seem to be there
        if (sameJson(client.get(entity, rowId)?.[field], encodeRow({ [field]: value })[field]))
          tx.update(entity, rowId, { [field]: record.theirs })
        tx.update(entity, rowId, { [field]: value })
      }
      settled(tx)
    })
  }
  return {
    ...rest,
    mineAt,
    theirsAt,
    id,
    entity,
    rowId,
    field,
    theirs: theirsOf(client, record),
    keepMine: () => settle(record.mine),
    keepTheirs() {
      open(client, id)
      return client.transaction(settled)
    },
    resolve: settle,
  }
}

/** Neither the value that stands nor when it was written: whoever lost could not see it then. */
function isUntold({ theirs, theirs_at: at }: ConflictRow): boolean {
  return (theirs ?? at) === null
}

function theirsOf(client: Client, record: ConflictRow): Json {
  return isUntold(record) ? valueIn(client.get(record.entity, record.row_id), record.field) : record.theirs
}

function valueIn(row: Row | undefined, field: string | null): Json {
  return field === null ? null : (row?.[field] ?? null)
}

/** The row is gone: it is made anew of what is known, which is all that did not survive of it. */
function revive(
  client: Client,
  tx: Transaction<Record<string, Row>>,
  entity: string,
  rowId: string,
  values: { readonly [column: string]: Encodable },
): void {
  const key = isTemporaryId(rowId) ? {} : keyOfId(rowId, client.shape(entity))
  // reason: as in `list`
  const rows = client.getAll(conflictsName) as readonly (Row & ConflictRow)[]
  const others = rows.filter(
    row => row.entity === entity && row.row_id === rowId && row.status === 'open' && row.field !== null,
  )
  const lost = Object.fromEntries(others.map(({ field, mine }) => [String(field), mine]))
  tx.create(entity, { ...lost, ...values, ...key })
  for (const { id, field } of others)
    if (!Object.hasOwn(values, String(field))) tx.update(conflictsName, id, { status: 'resolved' })
}

function open(client: Client, id: string): void {
  if (client.get(conflictsName, id)?.['status'] !== 'open')
    throw new SyncError('NOT_FOUND', `conflict '${id}' is settled`)
}

/** One for each value that was refused. */
function refused(client: Client, { n, writes, error, at }: DeadLetter): Conflict[] {
  const user = client.status().user
  return writes.flatMap((write, i) => {
    const { entity, id: rowId, action, data = {}, was = {} } = write
    const key = client.shape(entity)?.key ?? ['id']
    // which row it is, is not to be settled: another key would be another row
    const fields = action === 'delete' ? [] : Object.keys(data).filter(name => !key.includes(name))
    return (fields.length > 0 ? fields : [null]).map(field => ({
      id: `${refusedPrefix} ${n} ${i} ${field ?? ''}`,
      entity,
      rowId,
      field,
      base: valueIn(was, field),
      mine: valueIn(data, field),
      theirs: valueIn(client.get(entity, rowId), field),
      mineAt: null,
      theirsAt: null,
      writer: user,
      other: null,
      outcome: 'rejected',
      status: 'open',
      at,
      error,
      keepMine: () => client.retry(n),
      keepTheirs: () => dropped(client, n),
      resolve(value) {
        // ids may have become real ones since
        const now = client.deadLetters().find(letter => letter.n === n)?.writes ?? []
        return client.retry(
          n,
          now.map((one, j) =>
            j === i && field !== null ? { ...one, data: encodeRow({ ...one.data, [field]: value }) } : one,
          ),
        )
      },
    }))
  })
}

/** Nothing has to be stored to forget it. */
function dropped(client: Client, n: number): WriteHandle {
  client.discard(n)
  return client.transaction(() => {})
}
