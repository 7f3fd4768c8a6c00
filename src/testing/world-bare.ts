// Clients of a world that are not ours: they speak the bare protocol by hand, of rows, of fields or of deltas, as its guide
// says, and know nothing of queues, bases and cursors but a version. In the end they hold what everybody holds.
import { idOfValue } from '../core/index.ts'
import type { Json, Row, WireClock } from '../core/index.ts'
import { fakePeer } from './fake-peer.ts'
import type { PeerEvents } from '../server/index.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Books } from './world-books.ts'
import { unequal } from './world-oracles.ts'
import type { WorldDatabase } from './world-database.ts'
import { askFor, pushOf, toldOf } from './world-deltas.ts'
import type { DeltaFrame } from './world-deltas.ts'
import { markColumns, worldNames } from './world-schema.ts'
import type { WorldServer } from './world-server.ts'

export interface BareParts {
  readonly time: VirtualTime
  /** Its own: what it draws moves nothing else of the world. */
  readonly random: Random
  readonly books: Books
  readonly server: () => WorldServer
  readonly trace: (line: string) => void
}

/** A change in any spelling: a whole row, or a field of one. */
export interface Told {
  readonly entity: string
  readonly entity_id: string
  readonly action: 'create' | 'update' | 'delete'
  readonly version: number
  readonly data?: Row | null
  readonly field?: string | null
  readonly value?: Json
}

export type BareSpelling = 'plain' | 'field' | 'differential'

interface Frame {
  readonly type: string
  readonly entity?: string
  readonly version?: number
  readonly change?: Told
  readonly more?: boolean
  readonly changes?: readonly Told[]
  readonly code?: string
}

/** A row, with the version of each column; a deleted one has none, and the version of its end. */
interface Kept {
  gone: number
  readonly cells: Map<string, { readonly value: Json; readonly version: number }>
}

export class Bare {
  readonly name: string
  readonly #dialect: BareSpelling
  readonly #parts: BareParts
  readonly #rows = new Map(worldNames.map(name => [name, new Map<string, Kept>()]))
  readonly #versions = new Map<string, number>()
  /** In the place of versions, where they are told as clocks. */
  readonly #clocks = new Map<string, WireClock>()
  /** Entities whose `sync` was answered on this connection: live changes count from here. */
  readonly #current = new Set<string>()
  #events: PeerEvents | null = null
  #server: WorldServer | null = null
  /** Counts connections: what comes from an older one comes to nobody. */
  #turn = 0

  constructor(name: string, dialect: BareSpelling, parts: BareParts) {
    this.name = name
    this.#dialect = dialect
    this.#parts = parts
  }

  connect(): void {
    const { time, random } = this.#parts
    if (this.#events !== null) return
    const turn = ++this.#turn
    this.#current.clear()
    const mine = (): boolean => this.#turn === turn
    const queue: (() => void)[] = []
    let due = 0
    // in order: what is due at one moment happens in any
    const later = (run: () => void): void => {
      queue.push(run)
      due = Math.max(due, time.now() + random.between(1, 30))
      time.after(due - time.now(), () => mine() && queue.shift()?.())
    }
    const peer = fakePeer('websocket', {
      write: frames => {
        for (const { text } of frames) later(() => this.#hear(text))
      },
      close: () => later(() => this.cut()),
    })
    try {
      this.#server = this.#parts.server()
      this.#events = this.#server.connect(peer, undefined, this.#dialect === 'field' ? 'field' : 'plain')
    } catch {
      return this.#again()
    }
    this.#say(
      this.#dialect === 'differential'
        ? { type: 'sync:subscribe', data: { entityTypes: worldNames } }
        : { type: 'subscribe', entities: worldNames },
    )
  }

  /** The line breaks, and it comes back. */
  cut(): void {
    const events = this.#events
    this.#turn += 1
    this.#events = null
    events?.closed()
    this.#again()
  }

  /** The process at the other end is dead: the machine that it ran on says so. */
  died(server: WorldServer): void {
    if (this.#server === server && this.#events !== null) this.cut()
  }

  #again(): void {
    const { time, random } = this.#parts
    time.after(random.between(50, 4000), () => this.connect())
  }

  /** A backup was put in place: a version says nothing of which branch it is of. */
  forget(): void {
    this.#versions.clear()
    this.#clocks.clear()
    for (const rows of this.#rows.values()) rows.clear()
    if (this.#events !== null) this.cut()
  }

  /** A push of one row or of some of its fields, now and then with what it had seen, and never a second time. */
  write(): void {
    const { random, books } = this.#parts
    const entity = random.pick(['items', 'docs', 'blends'])
    const rows = this.#rows.get(entity) ?? new Map<string, Kept>()
    const ids = [...rows].filter(([, row]) => row.cells.size > 0).map(([id]) => id)
    if (ids.length === 0) return
    const entity_id = random.pick(ids)
    const columns = random.shuffle(markColumns[entity] ?? []).slice(0, random.between(1, 2))
    const values = columns.map(column => [column, books.mark(this.name)] as const)
    const clock = this.#clocks.get(entity)
    const seen = random.pick([
      {},
      clock ? { vectorClock: clock } : { base_version: this.#versions.get(entity) ?? 0 },
      { timestamp: this.#parts.time.now() - random.int(20_000) },
    ])
    if (this.#dialect === 'differential') return this.#say(pushOf(entity, entity_id, values, seen))
    const fields = values.map(([field, value]) => ({ field, value, action: 'update' }))
    const data = Object.fromEntries(values)
    const push =
      this.#dialect === 'field'
        ? { type: 'push_fields', entity, entity_id, fields, ...seen }
        : { type: 'push', entity, entity_id, action: 'update', data, ...seen }
    this.#say(push)
  }

  #say(message: object): void {
    const { time, random, trace } = this.#parts
    const events = this.#events
    const text = JSON.stringify(message)
    time.after(random.between(1, 30), () => {
      if (this.#events !== events || events === null) return
      trace(`${this.name} up ${text}`)
      events.frame(text)
    })
  }

  #hear(text: string): void {
    const frame = JSON.parse(text) as Frame // reason: our own server printed it
    this.#parts.trace(`${this.name} down ${text}`)
    const { entity = '', version = 0 } = frame
    if (this.#dialect === 'differential') this.#hearDeltas(frame)
    switch (frame.type) {
      case 'subscribed':
        for (const name of worldNames) {
          const since = this.#versions.get(name) ?? 0
          // the whole table names no deletes: half of it may be here, from a line that broke
          if (since === 0) this.#rows.get(name)?.clear()
          this.#say({ type: 'sync', entity: name, since })
        }
        return
      case 'reset':
        this.#rows.get(entity)?.clear()
        return
      case 'sync_complete':
        this.#current.add(entity)
        this.#versions.set(entity, version)
        return
      case 'error':
      case 'sync:error':
        // what was asked for is not answered: it comes back and asks again
        if (frame.code === 'INTERNAL' || frame.code === 'DATABASE_BUSY') this.cut()
        return
      default:
        for (const change of frame.changes ?? (frame.change === undefined ? [] : [frame.change]))
          this.#take(change, frame.more === true)
    }
  }

  #hearDeltas({ type, data }: DeltaFrame): void {
    if (type === 'subscription:confirmed') {
      for (const name of worldNames) {
        const clock = this.#clocks.get(name)
        // half of a table may be here, as above
        if (clock === undefined) this.#rows.get(name)?.clear()
        this.#say(askFor(name, clock))
      }
    } else if (type === 'sync:delta' && data !== undefined) {
      for (const told of toldOf(data)) this.#take(told, false)
    } else if (type === 'sync:response' && data?.currentVectorClock !== undefined) {
      const { entityType, deltas = [], currentVectorClock, reset, hasMore } = data
      if (reset === true) this.#rows.get(entityType)?.clear()
      for (const told of deltas.flatMap(toldOf)) this.#take(told, false)
      if (hasMore) return
      this.#current.add(entityType)
      this.#clocks.set(entityType, currentVectorClock)
    }
  }

  #take(
    { entity, entity_id, action, version, data = null, field = null, value = null }: Told,
    more: boolean,
  ): void {
    const rows = this.#rows.get(entity)
    if (rows === undefined) return
    const row: Kept = rows.get(entity_id) ?? { gone: -1, cells: new Map() }
    rows.set(entity_id, row)
    const cells = data === null ? [[field, value] as const] : Object.entries(data)
    if (action === 'delete') {
      if (version >= row.gone) row.gone = version
      for (const [column, cell] of row.cells) if (cell.version <= version) row.cells.delete(column)
    } else if (version > row.gone)
      for (const [column, one] of cells)
        if (column !== null && version >= (row.cells.get(column)?.version ?? -1))
          row.cells.set(column, { value: one, version })
    if (more || !this.#current.has(entity)) return
    // in a log that gives one place to a transaction, other rows of it may still be on their way when the line breaks
    const safe = this.#dialect === 'plain' ? version - 1 : version
    this.#versions.set(entity, Math.max(safe, this.#versions.get(entity) ?? 0))
  }

  /** Where what it holds is not what there is. */
  differences(database: WorldDatabase): string[] {
    if (this.#current.size < worldNames.length) return [`${this.name} is not there`]
    return worldNames.flatMap(table => {
      const held = [...(this.#rows.get(table) ?? [])].flatMap(([id, { cells }]) => {
        const row = Object.fromEntries(Array.from(cells, ([column, { value }]) => [column, value]))
        return cells.size === 0 || idOfValue(row['id']) === null ? [] : [{ ...row, id: row['id'] ?? id }]
      })
      const difference = unequal(held, database.rows(table))
      return difference === null
        ? []
        : [`[E2, W3] ${this.name} holds ${table} otherwise than it is: ${difference}`]
    })
  }
}
