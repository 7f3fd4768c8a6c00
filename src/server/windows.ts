// Windows (rule V12): the first rows of an entity in some order, and as many. Which those are is asked of the database when
// something changed that could matter, and kept as a set of ids; what enters it and what leaves it the client is told as
// of any view. Neighbours: `views`, whose user it is; `readings` asks again; the hub notices that there is something to ask.
import { matcher } from '../core/index.ts'
import type { Cursor, Equality, Filter, Row } from '../core/index.ts'
import type { ChangedRow, EntityInfo, ServerStore, SnapshotPage } from './store.ts'
import { Slice } from './slice.ts'
import { routedBy } from './views.ts'
import type { SeenRow } from './views.ts'

export type Way = readonly [column: string, way: 'asc' | 'desc']

/** As a client asks for it; `where` null: every row that may be seen. */
export interface WindowWish {
  readonly where: Filter<Row> | null
  readonly order: readonly Way[]
  readonly limit: number
}

export interface Window extends Omit<WindowWish, 'where'> {
  /** Null: every row. */
  readonly matches: Test | null
  readonly where: readonly Equality[]
}

/** What a view with windows is made of. */
export interface Parts {
  readonly windows: readonly Window[]
  /** Rows that are wanted wherever they stand; null: none. */
  readonly plain: Test | null
  readonly plainWhere: readonly Equality[]
}

export type Test = (row: Row) => boolean

/** The rows of all windows, as of a place of the log: what changed above it may have made them others. */
export interface Members {
  readonly ids: ReadonlySet<string>
  readonly at: Cursor
}

/** What a new look at the windows of an entity found. */
export interface Turnover {
  readonly entered: readonly string[]
  readonly left: readonly string[]
  readonly at: Cursor
}

type WindowStore = Pick<ServerStore, 'ordered' | 'rowsById' | 'snapshot'>

/** Gives others their turn between two readings; false: nobody wants it any more. */
type Turn = () => Promise<boolean>

/** The rows that stand first are judged one by one, this many or a few times the limit; then the whole table is. */
const firstRows = 500
const firstTimes = 4

/** Rows that may be in a window besides its limit, before the last ones of them are dropped. */
const sparedRows = 1_000

/** Null: nobody wants it any more. */
export function gather(
  store: WindowStore,
  info: EntityInfo,
  { windows }: Parts,
  turn: Turn,
): Promise<Members | null> {
  return new Gathering(store, info, turn).run(windows)
}

/** A window, and what was found of it so far. */
interface Candidates {
  readonly window: Window
  ids: string[]
}

/**
 * One look at all windows of an entity, in short readings. What one of them costs does not grow faster than the table: the
 * database is asked once for what stands first, and where too little of that is to be seen, the table is read once, in
 * the order of its key, for all windows together. The database says which rows come first, whichever way they were found.
 */
class Gathering {
  readonly #store: WindowStore
  readonly #info: EntityInfo
  readonly #turn: Turn
  readonly #slice = new Slice()
  #at: Cursor | null = null

  constructor(store: WindowStore, info: EntityInfo, turn: Turn) {
    this.#store = store
    this.#info = info
    this.#turn = turn
  }

  async run(windows: readonly Window[]): Promise<Members | null> {
    const ids = new Set<string>()
    const open: Candidates[] = []
    for (const window of windows) {
      const first = await this.#first(window)
      if (first === null) return null
      if (first === 'few') open.push({ window, ids: [] })
      else for (const id of first) ids.add(id)
    }
    for (const [where, group] of alike(open)) if (!(await this.#search(where, group))) return null
    for (const found of open) for (const id of found.ids) ids.add(id)
    return this.#at === null ? null : { ids, at: this.#at }
  }

  /** What changed while one was read after the other is looked at again. */
  #read(head: Cursor): void {
    if (this.#at === null || head.seq < this.#at.seq) this.#at = head
  }

  /** Of the rows that come first those that match. Few: there may be more behind them. Null: given up. */
  async #first(window: Window): Promise<readonly string[] | 'few' | null> {
    const { matches, where, limit } = window
    const asked = matches === null ? limit : Math.max(firstRows, firstTimes * limit)
    const first = await this.#ranked(window, { where, limit: asked })
    if (first === null || matches === null) return first
    const found: string[] = []
    for (let from = 0; from < first.length && found.length < limit;) {
      if (!(await this.#turn())) return null
      let some: readonly string[] = []
      const { rows } = await this.#slice.read(async size => {
        some = first.slice(from, from + size)
        return { rows: await this.#store.rowsById(this.#info.name, some) }
      })
      const seen = new Set(rows.filter(row => this.#holds(window, row)).map(({ id }) => id))
      found.push(...some.filter(id => seen.has(id)))
      from += some.length
    }
    return found.length < limit && first.length === asked ? 'few' : found.slice(0, limit)
  }

  /** Reads all rows with `where`. False: given up. */
  async #search(where: Window['where'], group: readonly Candidates[]): Promise<boolean> {
    for (let after: string | null = null; ;) {
      if (!(await this.#turn())) return false
      const page: SnapshotPage = await this.#slice.read(limit =>
        this.#store.snapshot({ entity: this.#info.name, after, limit, form: 'values', where }),
      )
      this.#read(page.head)
      for (const row of page.rows)
        for (const { window, ids } of group) if (this.#holds(window, row)) ids.push(row.id)
      after = page.next
      for (const found of group)
        if (!(await this.#keepFirst(found, after === null ? 0 : sparedRows))) return false
      if (after === null) return true
    }
  }

  async #keepFirst(found: Candidates, spared: number): Promise<boolean> {
    const { window, ids } = found
    if (ids.length <= window.limit + spared) return true
    const first = await this.#ranked(window, { among: ids, limit: window.limit })
    if (first === null) return false
    found.ids = [...first]
    return true
  }

  async #ranked(
    { order }: Window,
    which: Pick<Parameters<WindowStore['ordered']>[0], 'limit' | 'where' | 'among'>,
  ): Promise<readonly string[] | null> {
    if (!(await this.#turn())) return null
    const { ids, head } = await this.#store.ordered({ ...which, entity: this.#info.name, order })
    this.#read(head)
    return ids
  }

  #holds({ matches }: Window, row: SnapshotPage['rows'][number]): boolean {
    return matches === null || matches(routedBy(this.#info, row, row.json, 'values'))
  }
}

/** By what the database looks for by itself: those for which it is the same, or nothing at all, are found in one reading. */
function alike(open: readonly Candidates[]): Iterable<readonly [Window['where'], readonly Candidates[]]> {
  if (open.some(({ window }) => window.where.length === 0)) return [[[], open]]
  const groups = new Map<string, [Window['where'], Candidates[]]>()
  for (const found of open) {
    const { where } = found.window
    const key = JSON.stringify(where)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [where, [found]])
    else group[1].push(found)
  }
  return groups.values()
}

/** A changed row of a view, as those are told who have only its members: `shown` is what all of the view would be told. */
export function toldOf(
  info: EntityInfo,
  { plain }: Parts,
  { ids }: Members,
  row: SeenRow,
  shown: ChangedRow | null,
): ChangedRow | null {
  if (shown === null) return null
  const isMember = ids.has(row.id)
  if (
    shown.json !== null &&
    row.json !== null &&
    (isMember || plain?.(routedBy(info, row, row.json, 'values')) === true)
  )
    return shown
  const wasPlain = plain !== null && (row.was ?? []).some(plain)
  return isMember || wasPlain
    ? { ...shown, json: null, created: false, temporary: null, origin: undefined }
    : null
}

/** Null where all rows match. */
export function testOf(filter: Filter<Row> | boolean): Test | null {
  return filter === true ? null : filter === false ? () => false : matcher(filter)
}
