// Long readings for one connection: snapshots, catch-up from a place outside the live window, repairs. Each page is a
// short read of its own; between pages the network must have taken the last one (the log is the buffer, rule S4).
// Neighbours on the line: the session asks, the store answers, the connection's peer carries the pages.
import type { Cursor, EntityShape, Reconcile } from '../core/index.ts'
import { printPlainReset, printSyncComplete } from '../core/index.ts'
import { bareFrame, bareFrames, needsCells, placed } from './bare.ts'
import type { BareDialect } from './bare.ts'
import { Frame, printBatchParts } from './frames.ts'
import { withPatch } from './patches.ts'
import { asChanged, asCreated, asForgotten, eachChange } from './paging.ts'
import { findRepairs } from './reconcile.ts'
import { Slice } from './slice.ts'
import type { ChangedRow, Changes, SnapshotPage } from './store.ts'
import type { AboveQuery, ReadStore } from './viewed.ts'

/** Rows that are asked for by id at once. */
const idRows = 250

type Above = Pick<AboveQuery, 'entity' | 'above' | 'had'>
type ChangesQuery = Parameters<ReadStore['changes']>[0]

/** Where the pages go. */
export interface Outlet {
  /** How the bare protocol is spelled there. */
  readonly dialect: BareDialect
  /** Resolves when the network has room; false when the connection is gone. */
  room(): Promise<boolean>
  deliver(frames: readonly Frame[]): void
  /** Of the rows as they are shown there. */
  shapeOf(entity: string): EntityShape | undefined
  /** Where the table's readings began that were given up before their end. */
  readonly unfinished: Map<string, number>
  /** A cleanup overtook the reading: deletes are missing in what was read, and only a cursor verified anew can heal it. */
  overtaken(): void
}

export class Reader {
  readonly #store: ReadStore
  readonly #outlet: Outlet
  readonly #slice = new Slice()

  constructor(store: ReadStore, outlet: Outlet) {
    this.#store = store
    this.#outlet = outlet
  }

  /**
   * Changes of `entities` after `from`, staged parts first, the last with the place reached. Null: connection gone.
   * `whole`: what is held of the rows may not be as it was at `from`.
   */
  async catchUp(entities: readonly string[], from: Cursor, whole: boolean): Promise<Cursor | null> {
    return this.#changes({ scopes: entities, from }, from.seq, !whole)
  }

  async #changes(
    batch: { scopes: readonly string[]; from: Cursor | null },
    since: number,
    cells: boolean,
  ): Promise<Cursor | null> {
    const query = { entities: batch.scopes, form: 'values', ...(cells && { cells, since }) } as const
    const reached = await this.#eachChange(query, since, page => {
      const rows = cells
        ? page.rows.map(row => withPatch(row, this.#outlet.shapeOf(row.entity)?.columns))
        : page.rows
      // also where nothing was missed: a client sends its edits once every scope that it asked for is answered
      this.#outlet.deliver(printBatchParts({ ...batch, to: page.more ? null : page.to }, rows))
    })
    if (reached !== 'overtaken') return reached
    this.#outlet.overtaken()
    return null
  }

  /** Which rows are the first ones now, and what changed meanwhile; then those of windows that a client has go on (V12). */
  async lookAgain(entity: string, from: Cursor): Promise<Cursor | null> {
    const found = await this.#store.gather(entity, () => this.#outlet.room())
    if (found === null) return null
    const batch = { scopes: [entity], from }
    for (let i = 0; i < found.entered.length; i += idRows) {
      if (!(await this.#outlet.room())) return null
      const rows = await this.#store.rowsById(entity, found.entered.slice(i, i + idRows))
      this.#outlet.deliver(printBatchParts({ ...batch, to: null }, asChanged(entity, rows)))
    }
    if (found.left.length > 0) {
      const out = asForgotten(entity, found.left, found.at.seq)
      this.#outlet.deliver(printBatchParts({ ...batch, to: null }, out))
    }
    // what entered was not held, and the rest may be ahead of the place
    return this.#changes(batch, from.seq, false)
  }

  /** Rule L7: keyset pages, then everything above the first page's head. */
  async snapshot(entity: string): Promise<Cursor | null> {
    await this.#store.gather(entity, () => this.#outlet.room())
    const batch = { scopes: [entity], from: null }
    let after: string | null = null
    // of one that was given up half the client may have staged rows, which were deleted since
    let from = this.#outlet.unfinished.get(entity) ?? Infinity
    do {
      if (!(await this.#outlet.room())) return null
      const page = await this.#tablePage(entity, after, 'values')
      this.#outlet.unfinished.set(entity, (from = Math.min(from, page.head.seq)))
      this.#outlet.deliver(printBatchParts({ ...batch, to: null }, asChanged(entity, page.rows)))
      after = page.next
    } while (after !== null)
    const at = await this.#changes(batch, from, false)
    if (at !== null) this.#outlet.unfinished.delete(entity)
    return at
  }

  /** Step 1 of healing: rows whose own place is above `above`, or that are not among those which are held. */
  async repairAbove(asked: Above, to: Cursor): Promise<boolean> {
    const { entity } = asked
    await this.#store.gather(entity, () => this.#outlet.room())
    let after: string | null = null
    do {
      if (!(await this.#outlet.room())) return false
      const page = await this.#above(asked, after)
      after = page.next
      const end = after === null ? to : null
      // most pages of a scope may hold nothing that is new to it
      if (end === null && page.rows.length === 0) continue
      this.#outlet.deliver(
        printBatchParts(
          { scopes: [entity], from: null, to: end, repair: true },
          asChanged(entity, page.rows),
        ),
      )
    } while (after !== null)
    return true
  }

  /** Step 3: what the client lacks or holds wrongly in the unequal buckets. */
  async repairHeld(message: Reconcile): Promise<boolean> {
    const { entity, cursor } = message
    const repairs = await findRepairs(this.#store, entity, message.buckets ?? [], message.held ?? [], () =>
      this.#outlet.room(),
    )
    if (repairs === null) return false
    const { wanted } = repairs
    const forget = [...repairs.forget]
    const named = new Set(message.held?.map(([id]) => id))
    const batch = { scopes: [entity], from: null, repair: true }
    for (let i = 0; i < wanted.length; i += idRows) {
      if (!(await this.#outlet.room())) return false
      const ids = wanted.slice(i, i + idRows)
      const rows = await this.#store.rowsById(entity, ids)
      this.#outlet.deliver(printBatchParts({ ...batch, to: null }, asChanged(entity, rows)))
      // deleted since they were found: the client may hold them at a greater place of another branch, and would take
      // the delete, when it comes, for an old one
      const there = new Set(rows.map(({ id }) => id))
      forget.push(...ids.filter(id => named.has(id) && !there.has(id)))
    }
    if (!(await this.#outlet.room())) return false
    this.#outlet.deliver(printBatchParts({ ...batch, to: cursor }, asForgotten(entity, forget, cursor.seq)))
    return true
  }

  /**
   * The bare protocol's `sync`: one change a frame, or `changes` frames, then `sync_complete`. The place reached; null:
   * connection gone. Only `replay` knows how far a whole stream is, so nothing here carries an event id.
   */
  async pull(entity: string, since: number, batch: boolean): Promise<Cursor | null> {
    const at = await this.#pull(entity, since, batch)
    if (at !== null) this.#outlet.deliver([new Frame(printSyncComplete(entity, at.seq))])
    return at
  }

  /** What a bare listener has missed, entity by entity; the last frame tells an event stream where all of them are. */
  async replay(
    entities: readonly string[],
    since: number,
    whole: boolean,
  ): Promise<{ entities: string[]; at: Cursor }[] | null> {
    const reached: { entities: string[]; at: Cursor }[] = []
    for (const [i, entity] of entities.entries()) {
      const at = whole ? await this.#pullTable(entity, false) : await this.#pullSince(entity, since, false)
      if (at === null) return null
      reached.push({ entities: [entity], at })
      const all = i === entities.length - 1 ? Math.min(...reached.map(one => one.at.seq)) : null
      this.#outlet.deliver([new Frame(printSyncComplete(entity, at.seq), all)])
    }
    return reached
  }

  /** From nothing, the log does not say it: rows that were there before the log have no entry. */
  #pull(entity: string, since: number, batch: boolean): Promise<Cursor | null> {
    return since === 0 ? this.#pullTable(entity, batch) : this.#pullSince(entity, since, batch)
  }

  async #pullSince(entity: string, since: number, batch: boolean): Promise<Cursor | null> {
    const head = await this.#store.head()
    if (since < head.horizon || since > head.seq) return this.#pullAnew(entity, batch, head.seq)
    return this.#pullChanges(entity, since, batch)
  }

  #pullAnew(entity: string, batch: boolean, head: number): Promise<Cursor | null> {
    this.#outlet.deliver([new Frame(printPlainReset(entity, head))])
    return this.#pullTable(entity, batch)
  }

  async #pullChanges(entity: string, since: number, batch: boolean): Promise<Cursor | null> {
    const cells = needsCells(this.#outlet.dialect)
    const query = { entities: [entity], since, form: 'object', cells } as const
    const reached = await this.#eachChange(query, since, (page, after) =>
      this.#deliverPlain(entity, page, { after, since, batch }),
    )
    if (reached !== 'overtaken') return reached
    return this.#pullAnew(entity, batch, (await this.#store.head()).seq)
  }

  async #pullTable(entity: string, batch: boolean): Promise<Cursor | null> {
    let after: string | null = null
    let first: Cursor | null = null
    do {
      if (!(await this.#outlet.room())) return null
      const page = await this.#tablePage(entity, after, 'object')
      first ??= page.head
      after = page.next
      const rows = asCreated(entity, page.rows)
      this.#deliverPlain(entity, { rows, to: page.head, more: true }, { after: 0, since: 0, batch })
    } while (after !== null)
    return this.#pullChanges(entity, first.seq, batch)
  }

  #eachChange(
    query: Omit<ChangesQuery, 'after' | 'limit'>,
    since: number,
    take: (page: Changes, after: number) => void,
  ): ReturnType<typeof eachChange> {
    const read = async (after: number): Promise<Changes | null> =>
      (await this.#outlet.room())
        ? this.#slice.read(limit => this.#store.changes({ ...query, after, limit }))
        : null
    return eachChange(since, read, take)
  }

  #tablePage(entity: string, after: string | null, form: ChangesQuery['form']): Promise<SnapshotPage> {
    return this.#slice.read(limit => this.#store.snapshot({ entity, after, limit, form }))
  }

  #above(asked: Above, after: string | null): Promise<SnapshotPage> {
    return this.#slice.read(limit => this.#store.rowsAbove({ ...asked, after, limit }))
  }

  #deliverPlain(
    entity: string,
    page: { readonly rows: readonly ChangedRow[]; readonly to: Cursor; readonly more: boolean },
    { after, since, batch }: { after: number; since: number; batch: boolean },
  ): void {
    const { dialect } = this.#outlet
    const rows = placed(page.rows, after)
    const { to, more } = page
    this.#outlet.deliver(
      batch
        ? [bareFrame(dialect, { entity, version: to.seq, more }, rows, since)]
        : bareFrames(dialect, rows, since, false),
    )
  }
}
