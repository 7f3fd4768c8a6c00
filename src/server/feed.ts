// The live end of the log, read once for all sessions: a window of the newest changes in memory. A session whose place
// lies inside the window is served from it; one further behind is caught up from the store by its connection.
// Neighbours on the line: the store (capture) and the bus wake it; the hub asks it what a session lacks.
import type { Cursor } from '../core/index.ts'
import { overtaken } from './paging.ts'
import { isLong } from './patches.ts'
import type { ChangedRow, Changes, EntityInfo, Move, RowForm, ServerStore } from './store.ts'
import { withMoves } from './views.ts'
import type { SeenRow } from './views.ts'

/** Rows that the window holds at the most; older ones are read from the store by those who need them. */
const windowRows = 10_000
/** Characters of JSON that it holds at the most: few rows may be large. */
const windowChars = 16 * 1024 * 1024
const pageRows = 2_000

export interface PlacedRow extends SeenRow {
  /** Version of the entity's change before this one. */
  readonly previous: number
}

/** Of which rows is kept what columns were written: of all, or of those that may be sent as patches. */
export type CellsOf = 'none' | 'long' | 'all'

export class Feed {
  readonly #store: ServerStore
  readonly #form: RowForm
  #entities: readonly string[]
  #rows: PlacedRow[] = []
  #chars = 0
  #start = 0
  /** Up to here the rows of the window were read without their cells. */
  #plainTo = 0
  /** Those who have subscribers, and of which rows they want to know what columns were written. */
  readonly #listeners = new Map<object, CellsOf>()
  #head: Cursor | null = null
  #reading: Promise<boolean> | null = null
  #again = false
  readonly #latest = new Map<string, number>()

  constructor(store: ServerStore, form: RowForm, entities: readonly string[]) {
    this.#store = store
    this.#form = form
    this.#entities = entities
  }

  /** The place up to which the window reaches; null before the first `advance`. */
  get head(): Cursor | null {
    return this.#head
  }

  infoOf(entity: string): EntityInfo | undefined {
    return this.#store.entities.get(entity)
  }

  /** A hub has subscribers: they are why the window is kept. */
  listen(hub: object, cells: CellsOf): void {
    this.#listeners.set(hub, cells)
  }

  unlisten(hub: object): void {
    this.#listeners.delete(hub)
    if (this.#listeners.size === 0) this.reset()
  }

  /** Forgets the window, so that the next `advance` begins at the log's head: nobody listens, or tables changed. */
  reset(entities: readonly string[] = this.#entities): void {
    this.#entities = entities
    this.#rows = []
    this.#chars = 0
    this.#head = null
    this.#latest.clear()
  }

  /** Reads what is new. True: the head moved. Calls that come while one reads are answered by one more reading. */
  advance(): Promise<boolean> {
    if (this.#reading !== null) {
      this.#again = true
      return this.#reading
    }
    this.#reading = this.#readAll().finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  async #readAll(): Promise<boolean> {
    let moved = false
    do {
      this.#again = false
      moved = (await this.#readOnce()) || moved
    } while (this.#again)
    return moved
  }

  async #readOnce(): Promise<boolean> {
    if (this.#head === null) {
      const head = await this.#store.head()
      this.#head = { epoch: head.epoch, seq: head.seq, check: head.check }
      this.#start = head.seq
      return true
    }
    const from = this.#head
    let after = from.seq
    const fresh: ChangedRow[] = []
    const moved: Move[] = []
    let chars = 0
    const wanted = new Set(this.#listeners.values())
    const cells: CellsOf = wanted.has('all') ? 'all' : wanted.has('long') ? 'long' : 'none'
    for (;;) {
      const page = await this.#store.changes({
        entities: this.#entities,
        after,
        since: from.seq,
        limit: pageRows,
        form: this.#form,
        moves: this.#routed,
        cells: cells !== 'none',
      })
      if (this.#head !== from) return false // reset meanwhile: what was read belongs to nobody
      fresh.push(...page.rows)
      moved.push(...page.moves)
      if (!page.more) return this.#finish({ ...page, rows: fresh, moves: moved }, cells)
      after = page.to.seq
      chars += page.rows.reduce((sum, row) => sum + charsOf(row), 0)
      if (fresh.length > windowRows || chars > windowChars) return this.#skipTo()
    }
  }

  /** A cleanup may have overtaken the reading: then deletes are missing in it, and every session has to look for itself. */
  #finish(changes: Changes, cells: CellsOf): Promise<boolean> | boolean {
    const from = this.#head
    const { to } = changes
    if (from !== null && overtaken(changes, from.seq)) return this.#skipTo()
    if (cells !== 'all') this.#plainTo = to.seq
    return this.#append(withMoves(changes), to, cells)
  }

  /** Whether anybody's view goes by columns of these tables. */
  get #routed(): boolean {
    return this.#entities.some(entity => (this.#store.entities.get(entity)?.routing.length ?? 0) > 0)
  }

  #append(fresh: readonly SeenRow[], to: Cursor, cells: CellsOf): boolean {
    const from = this.#head
    if (from === null || (to.seq === from.seq && to.epoch === from.epoch)) return false
    for (const row of fresh) {
      // suspected only, or of two pages: the later one has it
      if (row.beyond === true) continue
      const previous = this.#latest.get(row.entity) ?? from.seq
      const useless = cells === 'long' && !isLong(row)
      this.#rows.push(useless ? { ...row, previous, cells: undefined } : { ...row, previous })
      this.#latest.set(row.entity, row.seq)
      this.#chars += charsOf(row)
    }
    this.#head = to
    this.#trim()
    return true
  }

  /** More changed at once than the window holds: it begins anew at the head and every session reads for itself. */
  async #skipTo(): Promise<boolean> {
    const head = await this.#store.head()
    this.#rows = []
    this.#chars = 0
    this.#start = head.seq
    this.#head = { epoch: head.epoch, seq: head.seq, check: head.check }
    return true
  }

  #trim(): void {
    if (this.#rows.length <= windowRows && this.#chars <= windowChars) return
    // a session behind the cut has to read the store; cutting half at a time keeps this rare
    let cut = 0
    for (const row of this.#rows) {
      if (this.#rows.length - cut <= windowRows / 2 && this.#chars <= windowChars / 2) break
      this.#chars -= charsOf(row)
      this.#start = row.seq
      cut += 1
    }
    this.#rows.splice(0, cut)
  }

  /** Whether a session at `seq` can be served from the window, with the cells of its rows if it wants them. */
  holds(seq: number, cells = false): boolean {
    return this.#head !== null && seq >= this.#start && (!cells || seq >= this.#plainTo)
  }

  /** The changes after `seq` up to the head, of `entities` or all, oldest first; only where `holds(seq)`. */
  after(seq: number, entities?: ReadonlySet<string>): PlacedRow[] {
    const rows = this.#rows
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const row = rows[middle]
      if (row !== undefined && row.seq <= seq) low = middle + 1
      else high = middle
    }
    const found: PlacedRow[] = []
    for (let i = low; i < rows.length; i++) {
      const row = rows[i]
      if (row !== undefined && entities?.has(row.entity) !== false) found.push(row)
    }
    return found
  }
}

function charsOf(row: ChangedRow): number {
  return row.json?.length ?? 0
}
