// The live end of the log, read once for all sessions: a window of the newest changes in memory. A session whose place
// lies inside the window is served from it; one further behind is caught up from the store by its connection.
// Neighbours on the line: the store (capture) and the bus wake it; the hub asks it what a session lacks.
import type { Cursor } from '../core/index.ts'
import type { ChangedRow, RowForm, ServerStore } from './store.ts'

/** Rows that the window holds at the most; older ones are read from the store by those who need them. */
const windowRows = 10_000
const pageRows = 2_000

export interface PlacedRow extends ChangedRow {
  /** Version of the entity's change before this one. */
  readonly previous: number
}

export class Feed {
  readonly #store: ServerStore
  readonly #form: RowForm
  #entities: readonly string[]
  #rows: PlacedRow[] = []
  #start = 0
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

  /** Forgets the window, so that the next `advance` begins at the log's head: nobody listens, or tables changed. */
  reset(entities: readonly string[] = this.#entities): void {
    this.#entities = entities
    this.#rows = []
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
    for (;;) {
      const page = await this.#store.changes({
        entities: this.#entities,
        after,
        limit: pageRows,
        form: this.#form,
      })
      if (this.#head !== from) return false // reset meanwhile: what was read belongs to nobody
      fresh.push(...page.rows)
      if (!page.more) return this.#finish(fresh, page.to, after)
      after = page.to.seq
      if (fresh.length > windowRows) return this.#skipTo()
    }
  }

  /** A cleanup may have overtaken the reading: then deletes are missing in it, and every session has to look for itself. */
  async #finish(fresh: readonly ChangedRow[], to: Cursor, after: number): Promise<boolean> {
    const from = this.#head
    if (to.seq === after) return this.#append(fresh, to)
    const { horizon } = await this.#store.head()
    if (this.#head !== from) return false
    return horizon > after ? this.#skipTo() : this.#append(fresh, to)
  }

  #append(fresh: readonly ChangedRow[], to: Cursor): boolean {
    const from = this.#head
    if (from === null || (to.seq === from.seq && to.epoch === from.epoch)) return false
    for (const row of fresh) {
      this.#rows.push({ ...row, previous: this.#latest.get(row.entity) ?? from.seq })
      this.#latest.set(row.entity, row.seq)
    }
    this.#head = to
    this.#trim()
    return true
  }

  /** More changed at once than the window holds: it begins anew at the head and every session reads for itself. */
  async #skipTo(): Promise<boolean> {
    const head = await this.#store.head()
    this.#rows = []
    this.#start = head.seq
    this.#head = { epoch: head.epoch, seq: head.seq, check: head.check }
    return true
  }

  #trim(): void {
    const surplus = this.#rows.length - windowRows
    if (surplus <= 0) return
    // a session behind the cut has to read the store; cutting half at a time keeps this rare
    const cut = this.#rows.splice(0, surplus + windowRows / 2)
    this.#start = cut.at(-1)?.seq ?? this.#start
  }

  /** Whether a session at `seq` can be served from the window. */
  holds(seq: number): boolean {
    return this.#head !== null && seq >= this.#start
  }

  /** The changes of `entities` after `seq` up to the head, oldest first; only where `holds(seq)`. */
  after(seq: number, entities: ReadonlySet<string>): PlacedRow[] {
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
      if (row !== undefined && entities.has(row.entity)) found.push(row)
    }
    return found
  }
}
