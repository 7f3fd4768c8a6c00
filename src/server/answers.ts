// The answers to `sync:request`: what changed since a clock, field by field, in pages. Neighbours: readings asks, the store
// (as its user sees it) answers, the connection's peer carries the frames.
import { placeIn, printResponse } from '../core/index.ts'
import type { Asked, Cursor, PlainDelta, ResponseFlags, SyncRequest } from '../core/index.ts'
import { deltasOf, printDeltas } from './deltas.ts'
import { Frame } from './frames.ts'
import type { Outlet } from './reader.ts'
import { asChanged } from './reconcile.ts'
import { Slice } from './slice.ts'
import type { ChangedRow, Changes } from './store.ts'
import type { ReadStore } from './viewed.ts'

export class Answers {
  readonly #store: ReadStore
  readonly #outlet: Outlet
  readonly #now: () => number
  readonly #slice = new Slice()

  constructor(store: ReadStore, outlet: Outlet, now: () => number) {
    this.#store = store
    this.#outlet = outlet
    this.#now = now
  }

  /** Continues a cursor that was verified. The place reached; null: the connection is gone, or has to come back. */
  async since(asked: Asked, entity: string, from: Cursor): Promise<Cursor | null> {
    return this.#changes(asked, entity, from.seq, () => {
      this.#outlet.overtaken()
      return Promise.resolve(null)
    })
  }

  /** For whom nothing is remembered: from the clock, or the whole table where that cannot be continued. */
  async request(request: SyncRequest): Promise<Cursor | null> {
    const { clock, scope } = request
    const { entity } = scope
    const head = await this.#store.head()
    const anew = (reset: boolean): Promise<Cursor | null> => this.#table(request, entity, reset)
    if (clock === null) return anew(false)
    const { cursor } = clock
    // the log's beginning is a place: whoever stands there may hold all that was there before the log
    const seq = cursor?.seq ?? placeIn(clock, head.epoch)
    if (cursor === undefined && seq === 0) return anew(clock.versions.size > 0)
    const here =
      cursor === undefined
        ? seq >= head.horizon && seq <= head.seq
        : (await this.#store.verify([cursor]))[0] === 'here'
    return here ? this.#changes(request, entity, seq, () => anew(true)) : anew(true)
  }

  /** What a follower has missed, frame by frame as if it were live. */
  async missed(entities: readonly string[], since: number): Promise<Cursor | null> {
    let after = since
    for (;;) {
      if (!(await this.#outlet.room())) return null
      const page = await this.#after(entities, after, since)
      if (page.to.seq > after && page.horizon > after) {
        this.#outlet.overtaken()
        return null
      }
      this.#outlet.deliver(printDeltas(this.#deltas(page.rows, since), page.to.epoch))
      if (!page.more) return page.to
      after = page.to.seq
    }
  }

  async #table(asked: Asked, entity: string, reset: boolean): Promise<Cursor | null> {
    let after: string | null = null
    let first: Cursor | null = null
    do {
      if (!(await this.#outlet.room())) return null
      const page = await this.#slice.read(limit =>
        this.#store.snapshot({ entity, after, limit, form: 'values' }),
      )
      after = page.next
      const rows = asChanged(entity, page.rows).map(row => ({ ...row, created: true }))
      this.#deliver(asked, entity, this.#deltas(rows, 0), page.head, {
        hasMore: true,
        reset: reset && first === null,
      })
      first ??= page.head
    } while (after !== null)
    return this.#changes(asked, entity, first.seq, () => this.#table(asked, entity, true))
  }

  async #changes(
    asked: Asked,
    entity: string,
    since: number,
    overtaken: () => Promise<Cursor | null>,
  ): Promise<Cursor | null> {
    let after = since
    for (;;) {
      if (!(await this.#outlet.room())) return null
      const page = await this.#after([entity], after, since)
      if (page.to.seq > after && page.horizon > after) return overtaken()
      this.#deliver(asked, entity, this.#deltas(page.rows, since), page.to, { hasMore: page.more })
      if (!page.more) return page.to
      after = page.to.seq
    }
  }

  #after(entities: readonly string[], after: number, since: number): Promise<Changes> {
    return this.#slice.read(limit =>
      this.#store.changes({ entities, after, since, limit, form: 'values', cells: true }),
    )
  }

  #deltas(rows: readonly ChangedRow[], since: number): PlainDelta[] {
    return deltasOf(rows, since, entity => this.#outlet.shapeOf(entity))
  }

  #deliver(
    asked: Asked,
    entity: string,
    deltas: readonly PlainDelta[],
    at: Cursor,
    flags: ResponseFlags,
  ): void {
    this.#outlet.deliver([new Frame(printResponse(asked, entity, deltas, at, this.#now(), flags))])
  }
}
