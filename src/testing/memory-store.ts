// The server store port in memory: ordinary semantics of an SQL table, and every liberty that the port allows taken on
// purpose. Calls take time before and after their one atomic step, seqs come late, wake-ups are lost or come for
// nothing. What works over it does not lean on the habits of one database.
import { SyncError, compareText, compareValues, rowOrder, tableCandidates } from '../core/index.ts'
import type { Cursor, CursorState, EntityDefinition, Equality, Json, Row } from '../core/index.ts'
import type {
  Accepted,
  ChangedRow,
  Changes,
  Decide,
  EntityInfo,
  Head,
  Identified,
  LookedUp,
  Move,
  Prepared,
  Ranking,
  RowForm,
  Sender,
  ServerStore,
  SnapshotPage,
  StoreStats,
} from '../server/index.ts'
import { cellsAbove } from '../server/index.ts'
import { acceptAll, clientKey } from './memory-accept.ts'
import type { MemoryDatabase, Settlement } from './memory-database.ts'
import { idJson, jsonOf, paged, shapeOf } from './memory-rows.ts'
import { LockedError, integerKeyOf } from './memory-table.ts'

export interface MemoryStoreOptions {
  /** Shared by every store of one database, and with the application that writes to it. */
  readonly database: MemoryDatabase
  /** Awaited before and after each call's step; what it throws before, the call throws. Default: no time at all. */
  readonly latency?: (call: keyof ServerStore, when: 'before' | 'after') => Promise<void>
  /** Whether a wake-up gets lost. Default: never. */
  readonly loseWake?: () => boolean
  /** Milliseconds between looks without a wake-up; 0: never. Default: 0. */
  readonly pollMs?: number
}

type Listener = Parameters<ServerStore['watch']>[0]
type Page = SnapshotPage['rows']

const lockRetries = 20
const lockPauseMs = 5

export function memoryStore(options: MemoryStoreOptions): ServerStore {
  return new MemoryStore(options)
}

class MemoryStore implements ServerStore {
  readonly entities = new Map<string, EntityInfo>()
  readonly #options: MemoryStoreOptions
  readonly #database: MemoryDatabase
  readonly #stops = new Set<() => void>()
  #closed = false

  constructor(options: MemoryStoreOptions) {
    this.#options = options
    this.#database = options.database
  }

  async open(definitions: readonly EntityDefinition[]): Promise<void> {
    await this.#call('open', () => {
      for (const definition of definitions) this.entities.set(definition.name, this.#describe(definition))
      for (const { table } of this.entities.values()) this.#database.capture(table)
    })
  }

  #describe(definition: EntityDefinition): EntityInfo {
    const names = new Set([...this.#database.specs].map(spec => spec.name))
    const table = tableCandidates(definition).find(name => names.has(name))
    if (table === undefined)
      throw new SyncError('UNKNOWN_TABLE', `there is no table for entity '${definition.name}'`)
    const spec = this.#database.spec(table)
    if (spec.key.length === 0) throw new SyncError('NO_PRIMARY_KEY', `table '${table}' has no primary key`)
    const integerKey = integerKeyOf(spec)
    return {
      name: definition.name,
      table,
      shape: shapeOf(spec, definition),
      definition,
      integerKey,
      assignsKey: integerKey,
      generated: new Set(),
      routing: definition.routing === 'all' ? Object.keys(spec.columns) : definition.routing,
    }
  }

  head(): Promise<Head> {
    return this.#call('head', () => ({ ...this.#database.head, horizon: this.#database.horizon }))
  }

  verify(cursors: readonly Cursor[]): Promise<CursorState[]> {
    return this.#call('verify', () => cursors.map(cursor => this.#database.state(cursor)))
  }

  changes(query: Parameters<ServerStore['changes']>[0]): Promise<Changes> {
    return this.#call('changes', () => {
      const found: { info: EntityInfo; id: string; settlement: Settlement }[] = []
      for (const name of query.entities) {
        const info = this.#info(name)
        for (const id of this.#database.named(info.table)) {
          const settlement = this.#database.settlement(info.table, id)
          if (settlement.seq > query.after) found.push({ info, id, settlement })
        }
      }
      found.sort((a, b) => a.settlement.seq - b.settlement.seq)
      // a page ends with a whole transaction, which is all that has its seq
      const last = found[query.limit - 1]?.settlement.seq
      const taken = last === undefined ? found : found.filter(row => row.settlement.seq <= last)
      const more = taken.length < found.length
      const to = more && last !== undefined ? this.#database.cursorAt(last) : this.#database.head
      const rows = taken.map(row => this.#changedRow(row.info, row.id, row.settlement, query))
      const moves = query.moves === true ? this.#moves(query, to.seq) : []
      return { rows, to, more, horizon: this.#database.horizon, moves }
    })
  }

  #moves({ entities, after }: { entities: readonly string[]; after: number }, to: number): Move[] {
    const infos = new Map(entities.map(name => [this.#info(name).table, this.#info(name)]))
    return this.#database.tail.flatMap(({ seq, entity: table, id, was, columns }): Move[] => {
      const info = infos.get(table)
      if (info === undefined || was === null || seq <= after || seq > to) return []
      if (columns.length > 0 && !columns.some(column => info.routing.includes(column))) return []
      const routing = info.routing.map(column => [column, was[column] ?? null] as const)
      return [{ entity: info.name, id, idJson: idJson(info, id), seq, was: Object.fromEntries(routing) }]
    })
  }

  #changedRow(
    info: EntityInfo,
    id: string,
    { line, gone, seq }: Settlement,
    query: Parameters<ServerStore['changes']>[0],
  ): ChangedRow {
    const row = this.#database.rows(info.table).get(id)
    const since = query.since ?? query.after
    return {
      entity: info.name,
      id,
      seq,
      json: row === undefined ? null : jsonOf(info.shape, row, query.form),
      idJson: idJson(info, id),
      created: row !== undefined && (line?.whole?.seq ?? 0) > since,
      reading: line?.reading ?? gone?.reading ?? 0,
      temporary: line?.temporary ?? null,
      origin:
        line?.client == null || line.mutation === null
          ? undefined
          : { client: line.client, mutation: line.mutation },
      ...(query.cells === true && row !== undefined && line !== null
        ? { cells: cellsAbove(line, since) }
        : {}),
    }
  }

  snapshot(query: Parameters<ServerStore['snapshot']>[0]): Promise<SnapshotPage> {
    return this.#call('snapshot', () => this.#page(query, query.form, -1))
  }

  ordered(query: Parameters<ServerStore['ordered']>[0]): Promise<Ranking> {
    return this.#call('ordered', () => {
      const info = this.#info(query.entity)
      const rows = this.#database.rows(info.table)
      const byColumns = rowOrder<Row>(query.order)
      const byKey = this.#order(info)
      const among = new Set(query.among ?? rows.keys())
      const ids = [...rows.keys()]
        .filter(id => among.has(id) && this.#holds(info, id, query.where))
        .sort((a, b) => byColumns(rows.get(a) ?? {}, rows.get(b) ?? {}) || byKey(a, b))
      return { ids: ids.slice(0, query.limit), head: this.#database.head }
    })
  }

  rowsAbove(query: Parameters<ServerStore['rowsAbove']>[0]): Promise<SnapshotPage> {
    return this.#call('rowsAbove', () => this.#page(query, 'values', query.above))
  }

  #page(
    query: Pick<Parameters<ServerStore['rowsAbove']>[0], 'entity' | 'after' | 'limit' | 'where'>,
    form: RowForm,
    above: number,
  ): SnapshotPage {
    const info = this.#info(query.entity)
    const places = this.#places(info).filter(([id, seq]) => seq > above && this.#holds(info, id, query.where))
    const { taken, next } = paged(places, query, this.#order(info))
    return { rows: taken.map(([id]) => this.#row(info, id, form)), next, head: this.#database.head }
  }

  #holds(info: EntityInfo, id: string, where: readonly Equality[] = []): boolean {
    const row = this.#database.rows(info.table).get(id) ?? {}
    return where.every(({ column, values }) =>
      values.some(value => compareValues(row[column] ?? null, value) === 0),
    )
  }

  places(query: Parameters<ServerStore['places']>[0]): Promise<{
    readonly rows: readonly (readonly [id: string, seq: number])[]
    readonly next: string | null
  }> {
    return this.#call('places', () => {
      const info = this.#info(query.entity)
      const { taken, next } = paged(this.#places(info), query, this.#order(info))
      return { rows: taken, next }
    })
  }

  rowsById(entity: string, ids: readonly string[]): Promise<Page> {
    return this.#call('rowsById', () => {
      const info = this.#info(entity)
      return ids
        .filter(id => this.#database.rows(info.table).has(id))
        .map(id => this.#row(info, id, 'values'))
    })
  }

  look(entity: string, ids: readonly string[], sender?: Sender): Promise<LookedUp[]> {
    return this.#call('look', () => {
      const { table } = this.#info(entity)
      const known = sender === undefined ? undefined : this.#database.client(clientKey(sender)).temporary
      const real = ids.map(id => known?.get(id) ?? id)
      return real.map(id => ({
        id,
        row: this.#database.rows(table).get(id) ?? null,
        standing: this.#database.standing(table, id),
      }))
    })
  }

  identify(sender: Sender): Promise<Identified> {
    return this.#call('identify', () => {
      const record = this.#database.client(clientKey(sender))
      record.lead = Math.max(record.lead, sender.lead ?? 0)
      return { last: record.last, lead: record.lead }
    })
  }

  async accept(
    sender: Sender,
    mutations: readonly Prepared[],
    decide: Decide,
    acked: number,
  ): Promise<Accepted[]> {
    await this.#options.latency?.('accept', 'before')
    for (let round = 0; ; round++) {
      this.#check()
      try {
        const accepted = await new Promise<Accepted[]>((resolve, reject) => {
          try {
            acceptAll(this.#database, this.entities, { sender, mutations, decide, acked }, resolve)
          } catch (error) {
            reject(error)
          }
        })
        await this.#options.latency?.('accept', 'after')
        return accepted
      } catch (error) {
        if (!(error instanceof LockedError)) throw error
        if (round >= lockRetries)
          throw new SyncError('DATABASE_BUSY', 'another transaction holds a row', { cause: error })
      }
      await new Promise<void>(resolve => {
        this.#database.env.after(lockPauseMs, resolve)
      })
    }
  }

  fold(): Promise<boolean> {
    return this.#call('fold', () => this.#database.fold())
  }

  cleanup(beforeMs: number): Promise<number> {
    return this.#call('cleanup', () => this.#database.cleanup(beforeMs))
  }

  watch(listener: Listener): () => void {
    const { pollMs = 0, loseWake } = this.#options
    const wake = (): void => {
      if (!this.#closed) listener.wake()
    }
    const ears = {
      wake: () => {
        if (loseWake?.() !== true) wake()
      },
      changed: (tables: readonly string[]) => this.#changed(tables, listener),
    }
    this.#database.listeners.add(ears)
    let stopPoll = (): void => {}
    const poll = (): void => {
      wake()
      stopPoll = this.#database.env.after(pollMs, poll)
    }
    if (pollMs > 0) stopPoll = this.#database.env.after(pollMs, poll)
    const stop = (): void => {
      this.#database.listeners.delete(ears)
      stopPoll()
      this.#stops.delete(stop)
    }
    this.#stops.add(stop)
    return stop
  }

  #changed(tables: readonly string[], listener: Listener): void {
    const renewed = [...this.entities.values()].filter(info => tables.includes(info.table))
    for (const { name, definition } of renewed) this.entities.set(name, this.#describe(definition))
    if (renewed.length > 0) listener.schemaChanged(renewed.map(info => info.name))
  }

  stats(): Promise<StoreStats> {
    return this.#call('stats', () => this.#database.counts)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const stop of this.#stops) stop()
  }

  // ----

  #check(): void {
    if (this.#closed) throw new SyncError('CLOSED', 'the store is closed')
  }

  async #call<T>(name: keyof ServerStore, step: () => T): Promise<T> {
    await this.#options.latency?.(name, 'before')
    this.#check()
    const result = step()
    await this.#options.latency?.(name, 'after')
    return result
  }

  #info(entity: string): EntityInfo {
    const info = this.entities.get(entity)
    if (info === undefined) throw new SyncError('UNKNOWN_ENTITY', `there is no entity '${entity}'`)
    return info
  }

  #places(info: EntityInfo): [id: string, seq: number][] {
    const order = this.#order(info)
    const ids = [...this.#database.rows(info.table).keys()].sort(order)
    return ids.map(id => [id, this.#database.settlement(info.table, id).line?.seq ?? 0])
  }

  #order(info: EntityInfo): (a: string, b: string) => number {
    if (info.integerKey) return (a, b) => Number(a) - Number(b)
    const { key } = info.shape
    if (key.length === 1) return compareText
    const byKey = rowOrder<Row>(key.map(column => [column, 'asc'] as const))
    const parts = (id: string): Row => {
      const values = JSON.parse(id) as Json[] // reason: an id of several columns is the list of their values
      return Object.fromEntries(values.map((value, i) => [key[i] ?? '', value]))
    }
    return (a, b) => byKey(parts(a), parts(b))
  }

  #row(info: EntityInfo, id: string, form: RowForm): Page[number] {
    const { line } = this.#database.settlement(info.table, id)
    const row = this.#database.rows(info.table).get(id) ?? {}
    return {
      id,
      seq: line?.seq ?? 0,
      json: jsonOf(info.shape, row, form),
      idJson: idJson(info, id),
      reading: line?.reading ?? 0,
      temporary: line?.temporary ?? null,
    }
  }
}
