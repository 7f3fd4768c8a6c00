// Rows as the client shows them: of each type one object, rows by id, and the fields of the row `$self` beside them. It
// keeps which rows were told of last, so that a change can be named field by field.
import { cut, idOfRow, idOfValue, isForbiddenName, keyOfId, SyncError } from '../../core/index.ts'
import type { Action, FieldDelta, Json, Row } from '../../core/index.ts'
import type { BareClient, Encodable } from '../../client/index.ts'

/** Rows by id; any other value is a field of the type itself. */
export interface LocalState {
  readonly [key: string]: Json
}

/** As it is given: what can be encoded as a column's value. */
export interface StatePatch {
  readonly [key: string]: unknown
}

export const self = '$self'

export interface RowChange {
  readonly id: string
  readonly changes: readonly FieldDelta[]
}

export interface Applied {
  readonly oldState: LocalState
  readonly newState: LocalState
  readonly rows: readonly RowChange[]
}

export class LocalStates {
  readonly #client: BareClient
  readonly #now: () => number
  readonly #rows = new Map<string, Map<string, Row>>()
  readonly #states = new Map<string, LocalState>()
  #all: { readonly [entityType: string]: LocalState } = {}

  constructor(client: BareClient, entityTypes: readonly string[], now: () => number) {
    this.#client = client
    this.#now = now
    for (const type of entityTypes) {
      this.#rows.set(type, new Map())
      // what a disk held is there before anything changes
      const stop = client.subscribe(type, () => {
        stop()
        if (client.status().storage !== 'memory') this.#load(type)
      })
    }
  }

  #load(type: string): void {
    const key = this.keyOf(type)
    const rows = this.#rows.get(type)
    for (const row of this.#client.getAll(type)) {
      const id = idOfRow(row, key)
      if (id !== null) rows?.set(id, frozen(row))
    }
    this.#states.delete(type)
  }

  keyOf(type: string): readonly string[] {
    return this.#client.shape(type)?.key ?? ['id']
  }

  /** The row as it was told of last. */
  row(type: string, id: string): Row | undefined {
    return this.#rows.get(type)?.get(id)
  }

  /** The same reference while nothing changed. */
  get(type: string): LocalState {
    let state = this.#states.get(type)
    if (state === undefined) {
      const made: Record<string, Json> = {}
      for (const [id, row] of this.#rows.get(type) ?? []) Object.assign(made, this.#shown(type, id, row))
      this.#states.set(type, (state = made))
    }
    return state
  }

  /** Of all types by name. The same reference while nothing changed. */
  all(): { readonly [entityType: string]: LocalState } {
    const states = Array.from(this.#rows.keys(), (type): [string, LocalState] => [type, this.get(type)])
    if (states.some(([type, state]) => this.#all[type] !== state)) this.#all = Object.fromEntries(states)
    return this.#all
  }

  /** A row's part of the state. */
  #shown(type: string, id: string, row: Row): LocalState {
    if (isForbiddenName(id)) return {}
    if (id !== self) return { [id]: row }
    const key = this.keyOf(type)
    return Object.fromEntries(Object.entries(row).filter(([field]) => !key.includes(field)))
  }

  /** What is different of these rows now; `whole`: somebody wants to see the states as well, which costs a copy. */
  apply(type: string, ids: Iterable<string>, whole: boolean): Applied {
    const rows = this.#rows.get(type) ?? new Map<string, Row>()
    const oldState = whole ? this.get(type) : {}
    const newState: Record<string, Json> = { ...oldState }
    const changed: RowChange[] = []
    for (const id of new Set(ids)) {
      const before = rows.get(id)
      const after = this.#client.get(type, id)
      if (before === after) continue
      this.#states.delete(type)
      if (whole && before !== undefined)
        for (const name of Object.keys(this.#shown(type, id, before))) Reflect.deleteProperty(newState, name)
      if (after === undefined) rows.delete(id)
      else rows.set(id, frozen(after))
      if (whole && after !== undefined) Object.assign(newState, this.#shown(type, id, after))
      const changes = this.#changes(type, id, before, after)
      if (changes.length > 0) changed.push({ id, changes })
    }
    if (whole && !this.#states.has(type)) this.#states.set(type, newState)
    return { oldState, newState, rows: changed }
  }

  #changes(type: string, id: string, before: Row | undefined, after: Row | undefined): FieldDelta[] {
    const timestamp = this.#now()
    const action: Action = after === undefined ? 'delete' : before === undefined ? 'create' : 'update'
    if (after === undefined) {
      const [field = 'id'] = this.keyOf(type)
      return [{ field, oldValue: before?.[field] ?? id, newValue: null, changeType: action, timestamp }]
    }
    // what is shown alone, without what lay under it, may have fewer columns
    const left = Object.keys(before ?? {}).filter(field => !Object.hasOwn(after, field))
    const whole = { ...after, ...Object.fromEntries(left.map(field => [field, null])) }
    const written = before === undefined ? after : (cut(before, whole) ?? {})
    // what a write left out the database holds as null: that is no change
    const news = Object.entries(written).filter(
      ([field, value]) => value !== null || before === undefined || Object.hasOwn(before, field),
    )
    return news.map(([field, newValue]) => ({
      field,
      oldValue: before?.[field] ?? null,
      newValue,
      changeType: action,
      timestamp,
    }))
  }

  /** Each row a write of its own, of which null is the end. What could not be written, and why. */
  write(type: string, patch: StatePatch): unknown[] {
    const failed: unknown[] = []
    const attempt = (run: () => void): void => {
      try {
        run()
      } catch (error) {
        failed.push(error)
      }
    }
    if (!isPlain(patch)) return [notPlain()]
    const own: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(patch)) {
      if (isPlain(value)) attempt(() => this.#put(type, key, value))
      else if (value === null && !this.#isField(type, key)) attempt(() => this.#client.delete(type, key))
      else own[key] = value
    }
    if (Object.keys(own).length > 0) attempt(() => this.#put(type, self, own))
    return failed
  }

  /** Of the type itself, and no row that is gone: somebody else may have been first. */
  #isField(type: string, key: string): boolean {
    if (this.#client.get(type, key) !== undefined) return false
    return this.#client.shape(type)?.columns.some(([name]) => name === key) ?? true
  }

  #put(type: string, id: string, fields: StatePatch): void {
    const key = this.keyOf(type)
    // pages hand back whole rows, whose key may be text where the column is a number: that is no change of the key
    const kept = Object.entries(fields).filter(
      ([name, value]) => !key.includes(name) || idOfValue(value) !== id,
    )
    const row = Object.fromEntries(kept) as Record<string, Encodable> // reason: what cannot be encoded is refused by the write
    if (this.#client.get(type, id) !== undefined) this.#client.update(type, id, row)
    else this.#client.create(type, { ...keyOfId(id, this.#client.shape(type)), ...row }, { upsert: true })
  }
}

/** Shown rows are the client's own: one that was changed in place and handed back would be no change. */
function frozen(row: Row): Row {
  freeze(row)
  return row
}

function freeze(value: Json): void {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value))
    Object.values<Json>(Object.freeze(value)).forEach(freeze)
}

export function notPlain(): SyncError {
  return new SyncError('SERIALIZATION_ERROR', 'a state must be a plain object')
}

/** A row; any other value is a field's. */
export function isPlain(value: unknown): value is StatePatch {
  if (typeof value !== 'object' || value === null) return false
  const kind: unknown = Object.getPrototypeOf(value)
  return kind === Object.prototype || kind === null
}
