// A live query: rows that match, in order, kept up by the ids that changed (rule R10). A part of its own: a script that
// must be small goes without. Neighbours: `live`, which says what changed before anybody reads again.
import type { Filter, Order, Row } from '../core/index.ts'
import { compareText, matcher, rowOrder } from '../core/index.ts'
import type { Engine } from './engine.ts'
import type { Listener } from './live.ts'
import { shownOf, viewOf } from './state.ts'

export interface QueryOptions<T> {
  /** Default: every row. A function must depend on nothing but the row. */
  readonly where?: Filter<T> | ((row: Readonly<T>) => boolean)
  /** Default, and among equals: by primary key. */
  readonly orderBy?: Order<T>
  readonly limit?: number
}

export interface Query<T> {
  /** The same list while nothing in it changed; the same rows in it while they did not change. */
  readonly rows: readonly Readonly<T>[]
  /** Called once per batch or transaction that changed `rows`. */
  subscribe(listener: Listener): () => void
  /** Ends it; `rows` stay as they are. Twice is fine. */
  close(): void
}

/** What a query is made over. */
export interface Source {
  /** Columns of the primary key; another list: the rows have another form. */
  key(): readonly string[]
  entries(): Iterable<readonly [id: string, row: Row]>
  view(id: string): Row | undefined
  /** Says at once which ids changed; null: maybe all. */
  watch(changed: (ids: ReadonlySet<string> | null) => void): () => void
  /** Calls after each batch. */
  subscribe(listener: Listener): () => void
}

interface Entry {
  readonly id: string
  readonly row: Row
}

interface State {
  readonly source: Source
  readonly options: QueryOptions<Row>
  readonly matches: (row: Row) => boolean
  /** Null: everything may have changed. */
  dirty: Set<string> | null
  key: readonly string[] | null
  compare: (a: Entry, b: Entry) => number
  held: Map<string, Entry>
  sorted: Entry[]
  rows: readonly Row[]
}

/** Of more changes than this at once, the list is merged instead of being changed place by place. */
const few = 32

export function createQuery(source: Source, options: QueryOptions<Row>): Query<Row> {
  const { where = () => true } = options
  const state: State = {
    source,
    options,
    matches: typeof where === 'function' ? where : matcher(where),
    dirty: null,
    key: null,
    compare: () => 0,
    held: new Map(),
    sorted: [],
    rows: [],
  }
  const stops = new Set<() => void>()
  stops.add(
    source.watch(ids => {
      if (ids === null) state.dirty = null
      else for (const id of ids) state.dirty?.add(id)
    }),
  )
  const query: Query<Row> = {
    get rows() {
      if (stops.size > 0) refresh(state)
      return state.rows
    },
    subscribe(listener) {
      let last = query.rows
      if (stops.size === 0) return () => {}
      const stop = source.subscribe(() => {
        const { rows } = query
        if (rows === last) return
        last = rows
        listener()
      })
      stops.add(stop)
      return () => {
        stops.delete(stop)
        stop()
      }
    },
    close() {
      try {
        if (stops.size > 0) refresh(state)
      } finally {
        for (const stop of stops) stop()
        stops.clear()
      }
    },
  }
  return query
}

function refresh(state: State): void {
  const { dirty, source, sorted } = state
  if (dirty?.size === 0) return
  const key = source.key()
  // what throws in `matches` must not leave half a change behind: the next reading begins from nothing
  state.dirty = null
  if (dirty === null || key !== state.key) rebuild(state, key)
  else {
    const [gone, fresh] = changes(state, dirty)
    if (gone.size + fresh.length > few) {
      const rest = sorted.filter(entry => !gone.has(entry))
      // two sorted runs, which the engine's sort merges
      state.sorted = rest.concat(fresh.sort(state.compare)).sort(state.compare)
    } else {
      for (const entry of gone) sorted.splice(placeOf(state, entry), 1)
      for (const entry of fresh) sorted.splice(placeOf(state, entry), 0, entry)
    }
  }
  state.dirty = new Set()
  show(state)
}

function rebuild(state: State, key: readonly string[]): void {
  const { source, options, matches } = state
  const orders = [rowOrder<Row>(options.orderBy ?? []), rowOrder<Row>(key.map(column => [column, 'asc']))]
  state.compare = (a, b) => {
    for (const order of orders) {
      const result = order(a.row, b.row)
      if (result !== 0) return result
    }
    return compareText(a.id, b.id)
  }
  state.key = key
  state.held = new Map()
  for (const [id, row] of source.entries()) if (matches(row)) state.held.set(id, { id, row })
  state.sorted = [...state.held.values()].sort(state.compare)
}

function changes({ source, matches, held }: State, ids: ReadonlySet<string>): [Set<Entry>, Entry[]] {
  const gone = new Set<Entry>()
  const fresh: Entry[] = []
  for (const id of ids) {
    const view = source.view(id)
    const row = view !== undefined && matches(view) ? view : undefined
    const old = held.get(id)
    if (old?.row === row) continue
    if (old !== undefined) gone.add(old)
    if (row === undefined) {
      held.delete(id)
      continue
    }
    const entry = { id, row }
    held.set(id, entry)
    fresh.push(entry)
  }
  return [gone, fresh]
}

/** Where it is, or belongs: no two compare as equal, since ids differ. */
function placeOf({ sorted, compare }: State, entry: Entry): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const other = sorted[middle]
    if (other !== undefined && compare(other, entry) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function show(state: State): void {
  const { sorted, options, rows } = state
  const seen = options.limit === undefined ? sorted : sorted.slice(0, options.limit)
  if (seen.length === rows.length && seen.every(({ row }, i) => row === rows[i])) return
  state.rows = seen.map(({ row }) => row)
}

const byId = ['id']

/** Over what a client shows of an entity. Its replica is another one after a change of database. */
export function queryOf(engine: Engine, entity: string, options: QueryOptions<Row>): Query<Row> {
  const kept = () => engine.replica.state.entities.get(entity)
  return createQuery(
    {
      key: () => kept()?.shape?.key ?? byId,
      *entries() {
        const own = kept()
        if (own === undefined) return
        const { rows, overlays, shows } = own
        for (const { id, row } of rows.values()) if (!overlays.has(id) && shows(id, row)) yield [id, row]
        for (const [id, over] of overlays) if (over !== null && shows(id, over)) yield [id, over]
      },
      view(id) {
        const own = kept()
        return own && shownOf(own, id, viewOf(own, id))
      },
      watch(changed) {
        const watcher: Parameters<typeof engine.live.watchers.add>[0] = views => {
          const ids = views.get(entity)
          if (ids !== undefined) changed(ids)
        }
        engine.live.watchers.add(watcher)
        return () => engine.live.watchers.delete(watcher)
      },
      subscribe: listener => engine.live.subscribe(entity, null, listener),
    },
    options,
  )
}
