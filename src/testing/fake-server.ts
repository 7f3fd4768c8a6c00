// A server double for the client's tests: the canonical protocol over one array, with faults as verbs. Frames go both
// ways as text, each in a microtask of its own, in order.
import type {
  Cursor,
  Down,
  EntityShape,
  ErrorBody,
  Hello,
  Mutation,
  MutationResult,
  Reconcile,
  Row,
  RowSet,
  ScopeRequest,
  Up,
  WireRow,
  Write,
} from '../core/index.ts'
import { bucketOf, isTemporaryId, Summary, unequalBuckets, unscoped } from '../core/index.ts'
import type { Connection, Transport, TransportEvents } from '../client/index.ts'
import { branchOff, checkOf, shapeFor, textShape, wanted, wire } from './fake-tables.ts'
import type { Entry, Held, Table } from './fake-tables.ts'

interface Link {
  readonly events: TransportEvents
  open: boolean
  client: string | null
  readonly scopes: Map<string, Cursor>
  /** Of entities that are not wanted whole. */
  readonly wheres: Map<string, Row>
  readonly comparing: Set<string>
  /** Frames that `holdDown` keeps. */
  readonly held: string[]
}

export class FakeServer {
  epoch = 'e1'
  seq = 0
  user = 'u1'
  readonly tables = new Map<string, Table>()
  log: Entry[] = []
  readonly clients = new Map<string, { last: number; readonly results: Map<number, MutationResult> }>()
  readonly links: Link[] = []
  /** Messages that were handed to its transports, and are on their way or have arrived. */
  sent = 0
  /** Every message that arrived. */
  readonly received: Up[] = []
  /** Connections are refused with this code before they open. */
  refusing: number | null = null
  /** Down frames wait until `release`. */
  holdDown = false
  /** Says what is wrong with a mutation. */
  judge: (mutation: Mutation) => Partial<MutationResult> | null = () => null
  /** Says why a filter is not taken. */
  refuses: (entity: string, where: Row) => Partial<ErrorBody> | null = () => null
  mute = false
  /** Below it, cursors are old. */
  horizon = 0
  /** Rows per part of a snapshot. */
  pageRows = 1000
  serial = 0

  define(name: string, columns: readonly string[] | EntityShape): void {
    const shape = 'hash' in columns ? columns : textShape(columns)
    const rows: Table['rows'] = this.tables.get(name)?.rows ?? new Map<string, Held>()
    this.tables.set(name, { shape, rows })
  }

  transport(name: Transport['name'] = 'local'): Transport {
    return { name, connect: events => this.#connect(events) }
  }

  #connect(events: TransportEvents): Connection {
    const link: Link = {
      events,
      open: true,
      client: null,
      scopes: new Map(),
      wheres: new Map(),
      comparing: new Set(),
      held: [],
    }
    queueMicrotask(() => {
      if (!link.open) return
      if (this.refusing !== null) return this.#end(link, this.refusing, '', null)
      this.links.push(link)
      events.open()
    })
    return {
      send: text => {
        this.sent += 1
        if (link.open) queueMicrotask(() => link.open && this.#receive(link, JSON.parse(text) as Up)) // reason: our client made it
        return link.open
      },
      buffered: () => 0,
      close: () => {
        link.open = false
        this.#forget(link)
      },
    }
  }

  #forget(link: Link): void {
    const at = this.links.indexOf(link)
    if (at >= 0) this.links.splice(at, 1)
  }

  #end(link: Link, code: number, reason: string, retryAfterMs: number | null): void {
    if (!link.open) return
    link.open = false
    this.#forget(link)
    link.events.closed(code, reason, retryAfterMs)
  }

  /** Cuts every connection. */
  drop(code = 1006, reason = '', retryAfterMs: number | null = null): void {
    for (const link of this.links.slice()) this.#end(link, code, reason, retryAfterMs)
  }

  send(link: Link, message: Down): void {
    link.held.push(JSON.stringify(message))
    if (!this.holdDown) this.#flush(link)
  }

  #flush(link: Link): void {
    for (const text of link.held.splice(0)) queueMicrotask(() => link.open && link.events.frame(text))
  }

  release(): void {
    this.holdDown = false
    for (const link of this.links) this.#flush(link)
  }

  cursor(seq = this.seq): Cursor {
    return { epoch: this.epoch, seq, check: checkOf(this.epoch, seq) }
  }

  /** A write of somebody else; null deletes. */
  put(entity: string, id: string, row: Row | null): void {
    this.#store([{ entity, id, row }])
    this.publish()
  }

  #store(writes: readonly { entity: string; id: string; row: Row | null; temporary?: string }[]): void {
    for (const { entity, id, row, temporary } of writes) {
      const table = this.tables.get(entity)
      if (table === undefined) continue
      this.seq += 1
      this.log.push({ seq: this.seq, entity, id, ...(temporary === undefined ? {} : { temporary }) })
      if (row === null) table.rows.delete(id)
      else table.rows.set(id, { seq: this.seq, row })
    }
  }

  publish(): void {
    for (const link of this.links) {
      const groups = new Map<number, string[]>()
      for (const [entity, at] of link.scopes) {
        if (at.seq >= this.seq) continue
        groups.set(at.seq, [...(groups.get(at.seq) ?? []), entity])
      }
      for (const [seq, scopes] of groups) {
        this.send(link, {
          type: 'batch',
          scopes,
          from: this.cursor(seq),
          to: this.cursor(),
          sets: this.#since(link, scopes, seq),
        })
        for (const scope of scopes) link.scopes.set(scope, this.cursor())
      }
    }
  }

  #since(link: Link, scopes: readonly string[], after: number): RowSet[] {
    return scopes.map(entity => {
      const table = this.tables.get(entity)
      const here = table === undefined ? undefined : wanted(table, link.wheres.get(entity))
      const rows: WireRow[] = []
      const gone: [string, number][] = []
      const renamed: [string, string][] = []
      const newest = new Map<string, Entry>()
      for (const entry of this.log) {
        if (entry.entity !== entity || entry.seq <= after) continue
        newest.set(entry.id, entry)
        if (entry.temporary !== undefined) renamed.push([entry.temporary, entry.id])
      }
      for (const { id, seq } of newest.values()) {
        const held = here?.get(id)
        if (table === undefined || held === undefined) gone.push([id, seq])
        else rows.push(wire(table.shape, held))
      }
      return { entity, rows, gone, renamed }
    })
  }

  #receive(link: Link, message: Up): void {
    this.received.push(message)
    switch (message.type) {
      case 'hello':
        this.#hello(link, message)
        break
      case 'subscribe':
        for (const scope of message.scopes) {
          this.#subscribe(link, scope)
          if (scope.once === true) link.scopes.delete(scope.entity)
        }
        break
      case 'mutate':
        this.#mutate(link, message.mutations)
        break
      case 'reconcile':
        this.#reconcile(link, message)
        break
      case 'ping':
        if (!this.mute) this.send(link, { type: 'pong', server_time: 0 })
        break
      case 'unsubscribe':
        for (const entity of message.entities) link.scopes.delete(entity)
        break
    }
  }

  #hello(link: Link, hello: Hello): void {
    if (this.mute) return
    link.client = hello.client
    const entities = Object.fromEntries(Array.from(this.tables, ([name, { shape }]) => [name, shape]))
    const last = this.clients.get(hello.client)?.last ?? 0
    const { epoch, seq: head, user } = this
    this.send(link, {
      type: 'welcome',
      protocol: 1,
      user,
      epoch,
      head,
      last,
      server_time: 0,
      max_payload: 1_048_576,
      entities,
    })
  }

  #subscribe(link: Link, { entity, cursor, marks, shape: had, where }: ScopeRequest): void {
    const table = this.tables.get(entity)
    if (table === undefined)
      return this.send(link, { type: 'error', re: 'subscribe', code: 'UNKNOWN_ENTITY', message: entity })
    const refusal = where === undefined ? null : this.refuses(entity, where)
    if (refusal !== null) {
      const failure = {
        type: 'error',
        re: 'subscribe',
        entity,
        code: 'INVALID_MESSAGE',
        message: 'no',
      } as const
      return this.send(link, { ...failure, ...refusal })
    }
    if (where === undefined) link.wheres.delete(entity)
    else link.wheres.set(entity, where)
    const shape = shapeFor(table, link.wheres.get(entity))
    if (cursor === null) return this.#snapshot(link, entity, table)
    const onLog = (at: Cursor): boolean =>
      at.epoch === this.epoch && at.seq <= this.seq && at.check === checkOf(this.epoch, at.seq)
    const here = onLog(cursor)
    if (here && had === shape.hash && cursor.seq >= this.horizon) {
      this.send(link, {
        type: 'batch',
        scopes: [entity],
        from: cursor,
        to: this.cursor(),
        sets: this.#since(link, [entity], cursor.seq),
      })
      link.scopes.set(entity, this.cursor())
      return
    }
    const common = here ? cursor : ([...marks].find(onLog) ?? null)
    const state = !here ? 'off' : had === shape.hash ? 'old' : 'shape'
    this.send(link, { type: 'reset', entity, state, common, shape })
    const above = unscoped(had) === unscoped(shape.hash) ? (common?.seq ?? -1) : -1
    const rows = [...wanted(table, link.wheres.get(entity)).values()]
      .filter(({ seq }) => seq > above)
      .map(held => wire(table.shape, held))
    link.comparing.add(entity)
    this.send(link, {
      type: 'batch',
      scopes: [entity],
      from: cursor,
      to: this.cursor(),
      repair: true,
      sets: [{ entity, rows }],
    })
  }

  #snapshot(link: Link, entity: string, table: Table): void {
    const rows = [...wanted(table, link.wheres.get(entity)).values()].map(held => wire(table.shape, held))
    do {
      const part = rows.splice(0, this.pageRows)
      const to = rows.length > 0 ? {} : { to: this.cursor() }
      this.send(link, { type: 'batch', scopes: [entity], from: null, ...to, sets: [{ entity, rows: part }] })
    } while (rows.length > 0)
    link.scopes.set(entity, this.cursor())
  }

  #reconcile(link: Link, { entity, cursor, hashes, held, buckets }: Reconcile): void {
    const table = this.tables.get(entity)
    if (table === undefined) return
    if (hashes !== undefined) {
      const mine = new Summary()
      for (const [id, { seq }] of wanted(table, link.wheres.get(entity))) mine.toggle(id, seq)
      const unequal = unequalBuckets(mine.values(), hashes)
      this.send(link, { type: 'mismatch', entity, cursor, buckets: unequal })
      if (unequal.length === 0) this.#continue(link, entity, cursor)
      return
    }
    const theirs = new Map(held ?? [])
    const rows: WireRow[] = []
    for (const [id, row] of wanted(table, link.wheres.get(entity))) {
      if (buckets?.includes(bucketOf(id)) !== true) continue
      if (theirs.get(id) !== row.seq) rows.push(wire(table.shape, row))
      theirs.delete(id)
    }
    const gone = Array.from(theirs.keys(), id => [id, cursor.seq] as const)
    this.send(link, {
      type: 'batch',
      scopes: [entity],
      from: cursor,
      to: cursor,
      repair: true,
      sets: [{ entity, rows, gone }],
    })
    this.#continue(link, entity, cursor)
  }

  #continue(link: Link, entity: string, from: Cursor): void {
    this.send(link, {
      type: 'batch',
      scopes: [entity],
      from,
      to: this.cursor(),
      sets: this.#since(link, [entity], from.seq),
    })
    link.scopes.set(entity, this.cursor())
  }

  #mutate(link: Link, mutations: readonly Mutation[]): void {
    const client = this.clients.get(link.client ?? '') ?? {
      last: 0,
      results: new Map<number, MutationResult>(),
    }
    this.clients.set(link.client ?? '', client)
    const results = mutations.map((mutation): MutationResult => {
      const n = mutation.n ?? 0
      const known = client.results.get(n)
      if (n <= client.last) return known ?? { n, status: 'duplicate', version: this.seq }
      client.last = n
      const result = this.#accept(mutation, n)
      client.results.set(n, result)
      return result
    })
    this.publish()
    this.send(link, { type: 'results', results })
  }

  #accept(mutation: Mutation, n: number): MutationResult {
    const verdict = this.judge(mutation)
    if (verdict !== null) return { n, status: 'rejected', version: this.seq, ...verdict }
    const ids: Record<string, string> = {}
    for (const write of mutation.writes) this.#carryOut(write, ids)
    return { n, status: 'applied', version: this.seq, ...(Object.keys(ids).length > 0 ? { ids } : {}) }
  }

  #carryOut({ entity, id, action, data = {} }: Write, ids: Record<string, string>): void {
    const table = this.tables.get(entity)
    const real = ids[id] ?? this.log.find(entry => entry.temporary === id)?.id
    if (action === 'create' && isTemporaryId(id) && real === undefined) {
      ids[id] = `r${++this.serial}`
      this.#store([{ entity, id: `r${this.serial}`, row: { ...data, id: `r${this.serial}` }, temporary: id }])
      return
    }
    const key = real ?? id
    const row = action === 'delete' ? null : { id: key, ...table?.rows.get(key)?.row, ...data }
    this.#store([{ entity, id: key, row }])
  }

  /** The log as it was at `seq`, and another branch from there on. */
  restore(seq: number): void {
    this.log = this.log.filter(entry => entry.seq <= seq)
    for (const table of this.tables.values())
      for (const [id, held] of table.rows) if (held.seq > seq) table.rows.delete(id)
    this.seq = seq
    branchOff(this.epoch, seq)
  }

  rows(entity: string): Row[] {
    return Array.from(this.tables.get(entity)?.rows.values() ?? [], ({ row }) => row)
  }
}
