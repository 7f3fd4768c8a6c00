// A transaction on the memory database, as any SQL client has it: statements that are whole or nothing, savepoints,
// row locks until the end. Other transactions see nothing of it before it commits. Each statement leaves what our
// triggers would log: names of rows, never images.
import { idOfValue, rowName, sameJson } from '../core/index.ts'
import type { Row } from '../core/index.ts'
import type { TailEntry } from '../server/index.ts'
import {
  ConstraintError,
  LockedError,
  checkRow,
  idOf,
  integerKeyOf,
  keyOfId,
  typedRow,
} from './memory-table.ts'
import type { TableSpec } from './memory-table.ts'

/** An entry of the log that has no place in it yet; accept stamps those of a client's write. */
export type Effect = { -readonly [K in Exclude<keyof TailEntry, 'seq' | 'entity'>]: TailEntry[K] } & {
  readonly table: string
  /** The row before, of which the store tells the routing columns; null where it was created. */
  readonly was: Row | null
}

export interface RowChange {
  readonly table: string
  readonly id: string
  readonly old: Row | null
  readonly row: Row | null
}

/** What a transaction needs of its database. */
export interface Home {
  spec(table: string): TableSpec
  readonly specs: Iterable<TableSpec>
  committed(table: string): ReadonlyMap<string, Row>
  /** Who writes which row. */
  readonly locks: Map<string, MemoryTransaction>
  /** The log's clock: a reading above every one it gave before. */
  read(): number
  nowMs(): number
  nextKey(table: string, atLeast: number): number
  commit(transaction: MemoryTransaction): void
}

export class MemoryTransaction {
  readonly #home: Home
  readonly #rows = new Map<string, Map<string, Row | null>>()
  #undo: (() => void)[] = []
  readonly effects: Effect[] = []
  /** Every row that a statement wrote, in order, as an application's own trigger would see it. */
  readonly changes: RowChange[] = []
  #open = true

  constructor(home: Home) {
    this.#home = home
  }

  /** The rows that this transaction changed, by table; null: deleted. */
  get written(): ReadonlyMap<string, ReadonlyMap<string, Row | null>> {
    return this.#rows
  }

  read(table: string, id: string): Row | null {
    const own = this.#rows.get(table)?.get(id)
    return own === undefined ? (this.#home.committed(table).get(id) ?? null) : own
  }

  *all(table: string): Iterable<readonly [string, Row]> {
    const own = this.#rows.get(table)
    for (const entry of this.#home.committed(table)) if (own?.has(entry[0]) !== true) yield entry
    for (const [id, row] of own ?? []) if (row !== null) yield [id, row]
  }

  /** The id of the new row; the key is assigned where it is one integer and not given. */
  insert(table: string, given: Row): string {
    return this.#statement(() => this.#insert(this.#home.spec(table), given))
  }

  /** False: there is no such row. */
  update(table: string, id: string, patch: Row): boolean {
    return this.#statement(() => this.#update(this.#home.spec(table), id, patch))
  }

  remove(table: string, id: string): boolean {
    return this.#statement(() => this.#remove(this.#home.spec(table), id, 'd'))
  }

  /** INSERT OR REPLACE: rows that any unique key of the new one meets are evicted, and no delete trigger fires. */
  replace(table: string, given: Row): string {
    return this.#statement(() => {
      const spec = this.#home.spec(table)
      const row = typedRow(spec, given)
      for (const id of this.#meeting(spec, row, null)) this.#remove(spec, id, '?')
      return this.#insert(spec, given)
    })
  }

  /** An update of the primary key. */
  move(table: string, id: string, newId: string): boolean {
    return this.#statement(() => {
      const spec = this.#home.spec(table)
      const old = this.read(table, id)
      const key = keyOfId(spec, newId)
      if (old === null || key === null) return false
      this.#remove(spec, id, 'd')
      this.#insert(spec, { ...old, ...key })
      // to the application it is one statement about one row
      const made = this.changes.pop()
      if (made !== undefined) this.changes.push({ ...made, old })
      return true
    })
  }

  /** The result undoes everything done since. */
  savepoint(): () => void {
    const mark = this.#undo.length
    const effects = this.effects.length
    const changes = this.changes.length
    return () => {
      for (const undo of this.#undo.splice(mark).reverse()) undo()
      this.effects.length = effects
      this.changes.length = changes
    }
  }

  /** `publish` hands it to the database; accept books its results with it. */
  commit(publish: () => void = () => this.#home.commit(this)): void {
    if (!this.#open) throw new Error('the transaction is over')
    this.#open = false
    this.#unlock()
    publish()
  }

  rollback(): void {
    if (!this.#open) return
    this.#open = false
    this.#rows.clear()
    this.effects.length = 0
    this.#unlock()
  }

  #unlock(): void {
    for (const [key, holder] of this.#home.locks) if (holder === this) this.#home.locks.delete(key)
  }

  #statement<T>(run: () => T): T {
    if (!this.#open) throw new Error('the transaction is over')
    const undo = this.savepoint()
    try {
      return run()
    } catch (error) {
      undo()
      throw error
    }
  }

  #insert(spec: TableSpec, given: Row): string {
    const row = this.#triggered(spec, this.#withKey(spec, typedRow(spec, given)), null)
    const id = idOf(spec, row)
    this.#check(spec, row, null)
    this.#put(spec.name, id, row)
    this.#log(spec.name, id, 'c', [], null)
    return id
  }

  #update(spec: TableSpec, id: string, patch: Row): boolean {
    const old = this.read(spec.name, id)
    if (old === null) return false
    const row = this.#triggered(spec, typedRow(spec, { ...old, ...patch }), old)
    if (idOf(spec, row) !== id) return this.move(spec.name, id, idOf(spec, row))
    const columns = Object.keys(spec.columns).filter(column => !sameJson(old[column], row[column]))
    if (columns.length === 0) return true
    this.#check(spec, row, id)
    this.#put(spec.name, id, row)
    this.#log(spec.name, id, 'u', columns, old)
    return true
  }

  #remove(spec: TableSpec, id: string, op: 'd' | '?'): boolean {
    const was = this.read(spec.name, id)
    if (was === null) return false
    this.#put(spec.name, id, null)
    this.#log(spec.name, id, op, [], was)
    for (const [child, column, onDelete] of this.#childrenOf(spec.name)) {
      const refers = (row: Row): boolean => idOfValue(row[column]) === id
      this.#avoidOthers(child.name, refers)
      const children = Array.from(this.all(child.name)).filter(([, row]) => refers(row))
      for (const [childId] of children) {
        if (onDelete === 'restrict')
          throw new ConstraintError('foreign key', `FOREIGN KEY: ${child.name}.${column}`)
        if (onDelete === 'cascade') this.#remove(child, childId, 'd')
        else this.#update(child, childId, { [column]: null })
      }
    }
    return true
  }

  *#childrenOf(table: string): Iterable<readonly [TableSpec, string, 'cascade' | 'restrict' | 'set null']> {
    for (const spec of this.#home.specs) {
      for (const reference of spec.references ?? []) {
        if (reference.table === table) yield [spec, reference.column, reference.onDelete]
      }
    }
  }

  #triggered(spec: TableSpec, row: Row, old: Row | null): Row {
    return spec.trigger === undefined ? row : typedRow(spec, spec.trigger(row, old, this.#home.nowMs()))
  }

  #withKey(spec: TableSpec, row: Row): Row {
    const [column] = spec.key
    if (!integerKeyOf(spec) || column === undefined) return row
    const given = row[column]
    const key = this.#home.nextKey(spec.name, typeof given === 'number' ? given : 0)
    return given === null || given === undefined ? { ...row, [column]: key } : row
  }

  #check(spec: TableSpec, row: Row, self: string | null): void {
    checkRow(spec, row)
    for (const _ of this.#meeting(spec, row, self))
      throw new ConstraintError('unique', `UNIQUE: ${spec.name}`)
    for (const { column, table } of spec.references ?? []) {
      const value = row[column]
      if (value === null || value === undefined) continue
      const parent = idOfValue(value) ?? ''
      this.#avoid(table, parent)
      if (this.read(table, parent) === null)
        throw new ConstraintError('foreign key', `FOREIGN KEY: ${spec.name}.${column}`)
    }
  }

  /** Rows that share a unique key with `row`; those that another transaction has in hand are waited for. */
  #meeting(spec: TableSpec, row: Row, self: string | null): string[] {
    const met = new Set<string>()
    const keys = [spec.key, ...(spec.unique ?? [])].filter(key => key.every(column => row[column] !== null))
    const meets = (other: Row): boolean =>
      keys.some(key => key.every(column => sameJson(other[column], row[column])))
    for (const [id, other] of this.all(spec.name)) if (id !== self && meets(other)) met.add(id)
    this.#avoidOthers(spec.name, (other, id) => id !== self && meets(other))
    for (const id of met) this.#avoid(spec.name, id)
    return [...met]
  }

  /** Rows that other open transactions have written and nobody else can see yet. */
  #avoidOthers(table: string, meets: (row: Row, id: string) => boolean): void {
    for (const holder of new Set(this.#home.locks.values())) {
      if (holder === this) continue
      for (const [id, row] of holder.written.get(table) ?? []) {
        if (row !== null && meets(row, id)) throw new LockedError(`${table} ${id}`)
      }
    }
  }

  #avoid(table: string, id: string): void {
    const holder = this.#home.locks.get(rowName(table, id))
    if (holder !== undefined && holder !== this) throw new LockedError(`${table} ${id}`)
  }

  #put(table: string, id: string, row: Row | null): void {
    this.#avoid(table, id)
    this.#home.locks.set(rowName(table, id), this)
    const rows = this.#rows.get(table) ?? new Map<string, Row | null>()
    this.#rows.set(table, rows)
    const before = rows.get(id)
    this.changes.push({ table, id, old: this.read(table, id), row })
    this.#undo.push(() => {
      if (before === undefined) rows.delete(id)
      else rows.set(id, before)
    })
    rows.set(id, row)
  }

  #log(table: string, id: string, op: Effect['op'], columns: readonly string[], was: Row | null): void {
    this.effects.push({
      table,
      id,
      op,
      columns,
      was,
      reading: this.#home.read(),
      stamp: null,
      client: null,
      mutation: null,
      own: false,
      temporary: null,
    })
  }
}
