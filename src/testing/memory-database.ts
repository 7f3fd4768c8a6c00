// One database that several memory stores and the application share: tables, and the log beside them.
//
// It sequences LATE, like the sequencer of PostgreSQL (docs: fold as sequencer): what a transaction logged gets its seq
// only at the next pass, dense, one seq per transaction, in commit order. So the table is ahead of the log for a while,
// and nobody knows a write's version when it commits.
import { rowName, SyncError } from '../core/index.ts'
import type { Cursor, CursorState, Row, Standing } from '../core/index.ts'
import { settleRow } from '../server/index.ts'
import type { Gone, Line, TailEntry } from '../server/index.ts'
import type { ClientRecord } from './memory-outcome.ts'
import { conflictsSpec } from './memory-records.ts'
import { rowOfName } from './memory-table.ts'
import type { ColumnSpec, TableSpec } from './memory-table.ts'
import { MemoryTransaction } from './memory-transaction.ts'
import type { Effect, Home, RowChange } from './memory-transaction.ts'

/** The machine that the database runs on. */
export interface DatabaseEnv {
  now(): number
  random(): number
  after(ms: number, run: () => void): () => void
}

export interface MemoryDatabaseOptions {
  readonly tables: readonly TableSpec[]
  readonly env: DatabaseEnv
  /** Milliseconds from a commit to the pass that gives it its seq. Default: 1. */
  readonly sequenceAfter?: () => number
  /** Names the log and stamps what carries no stamp. */
  readonly epoch?: string
  /** Sees every row that a committed statement wrote. */
  readonly onCommit?: (changes: readonly RowChange[]) => void
}

interface Committed {
  readonly effects: readonly Effect[]
  /** Results whose version is this transaction's seq. */
  readonly results: readonly (readonly [client: string, key: number | string])[]
}

/** Everything that a backup holds. */
export interface Backup {
  readonly tables: Map<string, Map<string, Row>>
  readonly nextKeys: Map<string, number>
  readonly clients: Map<string, ClientRecord>
  readonly lines: Map<string, Line>
  readonly gone: Map<string, Gone>
  readonly nonces: Map<number, number>
  tail: MemoryEntry[]
  waiting: Committed[]
  seq: number
  folded: number
  horizon: number
  reading: number
}

/** With the row before it, of which the store tells the routing columns. */
export type MemoryEntry = TailEntry & Pick<Effect, 'was'>

export interface Settlement {
  readonly line: Line | null
  readonly gone: Gone | null
  /** The newest seq of the row. */
  readonly seq: number
}

export interface DatabaseListener {
  wake(): void
  changed(tables: readonly string[]): void
}

const foldBatch = 8

export class MemoryDatabase implements Home {
  readonly epoch: string
  readonly env: DatabaseEnv
  readonly locks = new Map<string, MemoryTransaction>()
  readonly listeners = new Set<DatabaseListener>()
  readonly #specs: Map<string, TableSpec>
  readonly #sequenceAfter: () => number
  readonly #onCommit: (changes: readonly RowChange[]) => void
  readonly #synced = new Set<string>()
  readonly #waiters = new Set<() => void>()
  #state: Backup
  /** Tail entries above `folded`, by row; derived from the tail. */
  #fresh = new Map<string, MemoryEntry[]>()

  constructor(options: MemoryDatabaseOptions) {
    this.env = options.env
    this.epoch = options.epoch ?? `m${Math.floor(options.env.random() * 1e9).toString(36)}`
    this.#sequenceAfter = options.sequenceAfter ?? (() => 1)
    this.#onCommit = options.onCommit ?? (() => {})
    const tables = [...options.tables, conflictsSpec]
    this.#specs = new Map(tables.map(spec => [spec.name, spec]))
    this.#state = {
      tables: new Map(tables.map(spec => [spec.name, new Map<string, Row>()])),
      nextKeys: new Map(),
      clients: new Map(),
      lines: new Map(),
      gone: new Map(),
      nonces: new Map(),
      tail: [],
      waiting: [],
      seq: 0,
      folded: 0,
      horizon: 0,
      reading: 0,
    }
  }

  // ---- the application's side

  begin(): MemoryTransaction {
    return new MemoryTransaction(this)
  }

  /** Runs statements as one transaction and commits; rolls back and throws on what `run` throws. */
  write<T>(run: (transaction: MemoryTransaction) => T): T {
    const transaction = this.begin()
    try {
      const result = run(transaction)
      transaction.commit()
      return result
    } catch (error) {
      transaction.rollback()
      throw error
    }
  }

  /** Committed rows by id, in key order. */
  rows(table: string): ReadonlyMap<string, Row> {
    return this.committed(table)
  }

  /** ALTER TABLE ... ADD COLUMN; every attached store is told. */
  addColumn(table: string, name: string, column: ColumnSpec): void {
    const spec = this.spec(table)
    this.#specs.set(table, { ...spec, columns: { ...spec.columns, [name]: column } })
    const rows = this.#table(table)
    for (const [id, row] of rows) rows.set(id, { ...row, [name]: column.default ?? null })
    for (const listener of this.listeners) listener.changed([table])
  }

  backup(): Backup {
    return structuredClone(this.#state)
  }

  /** Puts a backup in place: what happened since is no more, and what is written from now on is another branch. */
  restore(backup: Backup): void {
    for (const holder of new Set(this.locks.values())) holder.rollback()
    this.locks.clear()
    this.#waiters.clear()
    this.#state = structuredClone(backup)
    this.#refresh()
    if (this.#state.waiting.length > 0) this.#passLater()
  }

  // ---- what a transaction needs

  spec(table: string): TableSpec {
    const spec = this.#specs.get(table)
    if (spec === undefined) throw new SyncError('UNKNOWN_TABLE', `there is no table '${table}'`)
    return spec
  }

  get specs(): Iterable<TableSpec> {
    return this.#specs.values()
  }

  committed(table: string): ReadonlyMap<string, Row> {
    return this.#table(table)
  }

  read(): number {
    this.#state.reading = Math.max(Math.trunc(this.env.now()) * 1000, this.#state.reading + 1)
    return this.#state.reading
  }

  /** A client's stamp was stored: the log's clock stays above it. */
  advance(reading: number): void {
    this.#state.reading = Math.max(this.#state.reading, reading)
  }

  nowMs(): number {
    return this.env.now()
  }

  nextKey(table: string, atLeast: number): number {
    const next = Math.max((this.#state.nextKeys.get(table) ?? 0) + 1, atLeast)
    this.#state.nextKeys.set(table, next)
    return next
  }

  commit(transaction: MemoryTransaction): void {
    this.commitWith(transaction, [])
  }

  /** Calls `numbered` when the transaction has its seq; at once where it logged nothing. */
  commitWith(transaction: MemoryTransaction, results: Committed['results'], numbered?: () => void): void {
    for (const [table, written] of transaction.written) {
      const rows = this.#table(table)
      for (const [id, row] of written) {
        if (row === null) rows.delete(id)
        else rows.set(id, row)
      }
    }
    this.#onCommit(transaction.changes)
    // capture may have begun while the transaction was open; a real one would have waited for it
    const effects = transaction.effects.filter(({ table }) => this.#synced.has(table))
    if (effects.length === 0) return numbered?.()
    this.#state.waiting.push({ effects, results })
    if (numbered !== undefined) this.#waiters.add(numbered)
    this.#passLater()
  }

  #passLater(): void {
    this.env.after(this.#sequenceAfter(), () => this.pass())
  }

  #table(table: string): Map<string, Row> {
    const rows = this.#state.tables.get(this.spec(table).name)
    if (rows === undefined) throw new SyncError('UNKNOWN_TABLE', `there is no table '${table}'`)
    return rows
  }

  // ---- the log

  /** Capture begins here for these tables: rows that are there already have no entry (rule C9). */
  capture(table: string): void {
    this.#synced.add(table)
  }

  /** Numbers what was committed since the last pass. Anybody may run it, any number of times. */
  pass(): void {
    const { waiting } = this.#state
    if (waiting.length === 0) return
    this.#state.waiting = []
    for (const { effects, results } of waiting) {
      const seq = ++this.#state.seq
      this.#state.nonces.set(seq, Math.floor(this.env.random() * 2 ** 48))
      for (const { table, ...effect } of effects) this.#append({ ...effect, seq, entity: table })
      for (const [client, key] of results) {
        const record = this.client(client)
        const result = record.results.get(key)
        if (result !== undefined) record.results.set(key, { ...result, version: seq })
      }
    }
    const waiters = Array.from(this.#waiters)
    this.#waiters.clear()
    for (const waiter of waiters) waiter()
    for (const listener of Array.from(this.listeners)) listener.wake()
  }

  #append(entry: MemoryEntry): void {
    this.#state.tail.push(entry)
    this.#index(entry)
  }

  #index(entry: MemoryEntry): void {
    const key = rowName(entry.entity, entry.id)
    const list = this.#fresh.get(key)
    if (list === undefined) this.#fresh.set(key, [entry])
    else list.push(entry)
  }

  #refresh(): void {
    this.#fresh = new Map()
    for (const entry of this.#state.tail) if (entry.seq > this.#state.folded) this.#index(entry)
  }

  get head(): Cursor {
    return this.cursorAt(this.#state.seq)
  }

  get horizon(): number {
    return this.#state.horizon
  }

  cursorAt(seq: number): Cursor {
    return { epoch: this.epoch, seq, check: this.#state.nonces.get(seq) ?? 0 }
  }

  state(cursor: Cursor): CursorState {
    if (cursor.epoch !== this.epoch || cursor.seq > this.#state.seq) return 'off'
    if (cursor.seq < this.#state.horizon) return 'old'
    if (cursor.seq === 0) return 'here'
    return this.#state.nonces.get(cursor.seq) === cursor.check ? 'here' : 'off'
  }

  /** What the log says of a row now: the folded lines with the rest of the tail on top (decision 0003). */
  settlement(table: string, id: string): Settlement {
    const key = rowName(table, id)
    const line = this.#state.lines.get(key) ?? null
    const gone = this.#state.gone.get(key) ?? null
    const entries = this.#fresh.get(key)
    const settled =
      entries === undefined ? null : settleRow(line, entries, this.#table(table).has(id), this.epoch)
    if (settled !== null) return { ...settled, seq: settled.line?.seq ?? settled.gone?.seq ?? 0 }
    return { line, gone: line === null ? gone : null, seq: line?.seq ?? gone?.seq ?? 0 }
  }

  /** `within`: as that open transaction sees it; what it wrote itself has a place above all that the log holds. */
  standing(table: string, id: string, within?: MemoryTransaction): Standing {
    let { line, gone, seq } = this.settlement(table, id)
    const exists = within === undefined ? this.#table(table).has(id) : within.read(table, id) !== null
    const own = within?.effects.filter(effect => effect.table === table && effect.id === id) ?? []
    if (own.length > 0) {
      const place = this.#state.seq + 1
      const entries = own.map(({ table: entity, ...effect }) => ({ ...effect, entity, seq: place }))
      const settled = settleRow(line, entries, exists, this.epoch)
      if (settled !== null) ({ line, gone, seq } = { ...settled, seq: place })
    }
    return exists
      ? { exists, whole: line?.whole ?? null, cells: line?.cells ?? {}, gone: null, seq }
      : { exists, whole: null, cells: {}, gone, seq }
  }

  /** Ids of rows of `table` that the log names. */
  *named(table: string): Iterable<string> {
    const prefix = rowName(table, '')
    const seen = new Set<string>()
    for (const source of [this.#state.lines, this.#state.gone, this.#fresh]) {
      for (const key of source.keys()) {
        if (!key.startsWith(prefix) || seen.has(key)) continue
        seen.add(key)
        yield key.slice(prefix.length)
      }
    }
  }

  /** The log as it stands, up to what cleanup took. */
  get tail(): readonly MemoryEntry[] {
    return this.#state.tail
  }

  /** One batch of whole transactions; true: there is more. */
  fold(): boolean {
    const state = this.#state
    const rest = state.tail.filter(entry => entry.seq > state.folded)
    if (rest.length === 0) return false
    const last = rest[Math.min(foldBatch, rest.length) - 1]?.seq ?? state.seq
    const keys = new Set(rest.flatMap(one => (one.seq <= last ? rowName(one.entity, one.id) : [])))
    for (const key of keys) this.#foldRow(key, last)
    state.folded = last
    return rest.some(entry => entry.seq > last)
  }

  #foldRow(key: string, upTo: number): void {
    const { lines, gone, tables } = this.#state
    const entries = this.#fresh.get(key) ?? []
    const taken = entries.filter(entry => entry.seq <= upTo)
    const left = entries.filter(entry => entry.seq > upTo)
    if (left.length === 0) this.#fresh.delete(key)
    else this.#fresh.set(key, left)
    const [table, id] = rowOfName(key)
    const settled = settleRow(lines.get(key) ?? null, taken, tables.get(table)?.has(id) === true, this.epoch)
    if (settled === null) return
    lines.delete(key)
    gone.delete(key)
    if (settled.line !== null) lines.set(key, settled.line)
    else if (settled.gone !== null) gone.set(key, settled.gone)
  }

  /** Forgets entries that are older, except the newest of the log; living rows keep their lines. */
  cleanup(beforeMs: number): number {
    while (this.fold());
    const state = this.#state
    const old = (reading: number): boolean => reading < beforeMs * 1000
    // the log is forgotten from its beginning: a place that is kept keeps all that follows it
    const keptFrom =
      state.tail.find(entry => !old(entry.reading) || entry.seq === state.seq)?.seq ?? state.seq
    const forgotten = state.tail.filter(entry => entry.seq < keptFrom)
    state.tail = state.tail.filter(entry => entry.seq >= keptFrom)
    state.horizon = Math.max(state.horizon, forgotten.at(-1)?.seq ?? 0)
    for (const [key, { seq }] of state.gone) if (seq < keptFrom) state.gone.delete(key)
    for (const seq of state.nonces.keys()) if (seq < state.horizon) state.nonces.delete(seq)
    return forgotten.length
  }

  get counts(): { tail: number; rows: number; gone: number; folded: number; clients: number } {
    const { tail, lines, gone, folded, clients } = this.#state
    return { tail: tail.length, rows: lines.size, gone: gone.size, folded, clients: clients.size }
  }

  // ---- exactly once

  /** `user` and `client` of all that are known, a line between. */
  get clients(): Iterable<string> {
    return this.#state.clients.keys()
  }

  client(key: string): ClientRecord {
    let record = this.#state.clients.get(key)
    if (record === undefined) {
      record = { last: 0, lead: 0, results: new Map(), temporary: new Map() }
      this.#state.clients.set(key, record)
    }
    return record
  }
}
