// The store as one user sees it: whatever a connection reads passes here (rules V1 to V5), and of windows only their members
// (V12). Neighbours: the reader and reconcile, which read; `views`, which judges.
import { rowName } from '../core/index.ts'
import { heldBy } from './scope.ts'
import type { ChangedRow, Changes, RowForm, ServerStore, SnapshotPage } from './store.ts'
import { has, mayHaveEntered, projected, routedBy, see, withMoves } from './views.ts'
import type { SeenRow, View, Views } from './views.ts'
import { gather, toldOf } from './windows.ts'
import type { Members, Turnover } from './windows.ts'

type PageQuery = Parameters<ServerStore['snapshot']>[0]

/** As the store takes it. `had`: the shape of what the client holds; rows that were not wanted then are sent as well. */
export interface AboveQuery extends Omit<Parameters<ServerStore['rowsAbove']>[0], 'where'> {
  readonly had: string | null
}

/** What connections read from the store. */
export interface ReadStore extends Pick<
  ServerStore,
  'head' | 'verify' | 'changes' | 'snapshot' | 'places' | 'rowsById'
> {
  rowsAbove(query: AboveQuery): Promise<SnapshotPage>
  /** Looks at the windows of an entity again, where it has some. Null: there is nothing to look at, or `turn` says no. */
  gather(entity: string, turn: () => Promise<boolean>): Promise<Turnover | null>
}

/** The store as a user sees it. */
export function viewed(store: ServerStore, views: Views): ReadStore {
  return new ViewedStore(store, views)
}

class ViewedStore implements ReadStore {
  readonly #store: ServerStore
  readonly #views: Views

  constructor(store: ServerStore, views: Views) {
    this.#store = store
    this.#views = views
  }

  head(): ReturnType<ServerStore['head']> {
    return this.#store.head()
  }

  verify(cursors: Parameters<ServerStore['verify']>[0]): ReturnType<ServerStore['verify']> {
    return this.#store.verify(cursors)
  }

  async changes(query: Parameters<ServerStore['changes']>[0]): Promise<Changes> {
    const views = new Map(query.entities.map(entity => [entity, this.#views.of(entity)]))
    const restricted = [...views.values()].some(view => view !== null)
    if (!restricted) return this.#store.changes(query)
    const page = await this.#store.changes({ ...query, moves: true })
    const changed = withMoves(page)
    const there = await this.#stillThere(changed)
    const rows = changed.flatMap((row): ChangedRow[] => {
      const view = views.get(row.entity) ?? null
      if (row.beyond === true && (view === null || there.has(rowName(row.entity, row.id)))) return []
      const seen = view === null ? row : this.#see(view, row, query.form)
      if (seen === null) return []
      const later = query.since !== undefined && query.since < query.after
      return later && view !== null && mayHaveEntered(view, seen) ? [{ ...seen, created: true }] : [seen]
    })
    return { ...this.#upToMembers(query.entities, page, rows), moves: [] }
  }

  /** Which rows are the first ones is known up to a place, and no further: what came later made others of them, maybe. */
  #upToMembers(
    [entity = '', ...others]: readonly string[],
    page: Changes,
    rows: readonly ChangedRow[],
  ): Changes {
    const at = others.length > 0 ? undefined : this.#views.members.get(entity)?.at
    if (at === undefined || page.to.seq <= at.seq) return { ...page, rows }
    // rows may be ahead of the place, but never behind it: an edit that was stored there must show
    return { ...page, rows, to: at, more: false }
  }

  #see(view: View, row: SeenRow, form: RowForm): ChangedRow | null {
    const seen = see(view, row, form)
    return view.parts === null ? seen : toldOf(view.info, view.parts, this.#members(view), row, seen)
  }

  #members({ entity }: View): Members {
    return this.#views.members.get(entity) ?? none
  }

  async gather(entity: string, turn: () => Promise<boolean>): Promise<Turnover | null> {
    const view = this.#views.of(entity)
    if (view?.parts == null) return null
    const before = this.#members(view)
    const now = await gather(this.#store, view.info, view.parts, turn)
    // something else may be wanted by now
    if (now === null || this.#views.of(entity) !== view) return null
    this.#views.members.set(entity, now)
    const entered = [...now.ids].filter(id => !before.ids.has(id))
    const out = [...before.ids].filter(id => !now.ids.has(id))
    const stay = new Set((await this.rowsById(entity, out)).map(({ id }) => id))
    return { entered, left: out.filter(id => !stay.has(id)), at: now.at }
  }

  /** The members of windows first, then what is wanted wherever it stands. */
  async #page({ info, parts, entity }: View, query: PageQuery): Promise<SnapshotPage> {
    const { ids, at } = this.#views.members.get(entity) ?? none
    const [kind, after = ''] = query.after === null ? ['w'] : [query.after.slice(0, 1), query.after.slice(1)]
    if (kind === 'w') {
      const from = Number(after)
      const to = from + query.limit
      const rows = await this.#store.rowsById(entity, [...ids].slice(from, to))
      return { rows, next: to < ids.size ? `w${to}` : parts?.plain == null ? null : 'p', head: at }
    }
    const where = parts?.plainWhere ?? []
    const page = await this.#store.snapshot({ ...query, after: after === '' ? null : after, where })
    const plain = (row: SnapshotPage['rows'][number]): boolean =>
      parts?.plain?.(routedBy(info, row, row.json, query.form)) === true && !ids.has(row.id)
    return { rows: page.rows.filter(plain), next: page.next === null ? null : `p${page.next}`, head: at }
  }

  /** Those of the rows beyond that are in view all the same: a later page brings what changed, if anything did. */
  async #stillThere(rows: readonly SeenRow[]): Promise<Set<string>> {
    const there = new Set<string>()
    const asked = new Map<string, string[]>()
    for (const { entity, id, beyond } of rows)
      if (beyond === true && this.#views.of(entity) !== null)
        asked.set(entity, [...(asked.get(entity) ?? []), id])
    for (const [entity, ids] of asked)
      for (const { id } of await this.rowsById(entity, ids)) there.add(rowName(entity, id))
    return there
  }

  async snapshot(query: Parameters<ServerStore['snapshot']>[0]): Promise<SnapshotPage> {
    const view = this.#views.of(query.entity)
    if (view === null) return this.#store.snapshot(query)
    if (view.parts !== null) return shownPage(view, await this.#page(view, query), query.form)
    return shownPage(view, await this.#store.snapshot({ ...query, where: view.where }), query.form)
  }

  async rowsAbove({ had, ...query }: AboveQuery): Promise<SnapshotPage> {
    const view = this.#views.of(query.entity)
    if (view !== null && view.parts !== null) {
      const page = await this.snapshot({ ...query, form: 'values' })
      return { ...page, rows: page.rows.filter(({ seq }) => seq > query.above) }
    }
    const rights = this.#views.rights(query.entity)
    const held = heldBy(this.#store.entities.get(query.entity), rights, had)
    if (view === null && held === null) return this.#store.rowsAbove(query)
    const above = held === null ? query.above : -1
    const page = await this.#store.rowsAbove({ ...query, above, ...(view && { where: view.where }) })
    const rows = held === null ? page.rows : page.rows.filter(row => row.seq > query.above || !held(row))
    return { ...page, rows: view === null ? rows : shownRows(view, rows, 'values') }
  }

  async places(query: Parameters<ServerStore['places']>[0]): ReturnType<ServerStore['places']> {
    const view = this.#views.of(query.entity)
    if (view === null || (view.matches === null && view.parts === null)) return this.#store.places(query)
    const page = await this.snapshot({ ...query, form: 'values' })
    return { rows: page.rows.map(({ id, seq }) => [id, seq] as const), next: page.next }
  }

  async rowsById(entity: string, ids: readonly string[]): Promise<SnapshotPage['rows']> {
    const view = this.#views.of(entity)
    const rows = await this.#store.rowsById(entity, ids)
    if (view === null) return rows
    const { parts, info } = view
    const isTold = (row: SnapshotPage['rows'][number]): boolean =>
      this.#members(view).ids.has(row.id) || parts?.plain?.(routedBy(info, row, row.json, 'values')) === true
    return shownRows(view, parts === null ? rows : rows.filter(isTold), 'values')
  }
}

const none: Members = { ids: new Set(), at: { epoch: '', seq: 0, check: 0 } }

function shownPage(view: View, page: SnapshotPage, form: RowForm): SnapshotPage {
  return { ...page, rows: shownRows(view, page.rows, form) }
}

function shownRows(view: View, rows: SnapshotPage['rows'], form: RowForm): SnapshotPage['rows'] {
  return rows.flatMap(row =>
    has(view, row, form) ? [{ ...row, json: projected(view, row.json, form) }] : [],
  )
}
