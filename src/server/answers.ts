// The answers to `sync:request`: what changed since a clock, field by field, in pages. Neighbours: readings asks, the store
// (as its user sees it) answers, the connection's peer carries the frames.
import { placeIn, printResponse } from '../core/index.ts'
import type { Asked, Cursor, PlainDelta, ResponseFlags, SyncRequest } from '../core/index.ts'
import { deltasOf, printDeltas } from './deltas.ts'
import { Frame } from './frames.ts'
import type { Outlet } from './reader.ts'
import { asCreated, eachChange } from './paging.ts'
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
    return this.#answer(asked, entity, from.seq, () => this.#giveUp())
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
    return here ? this.#answer(request, entity, seq, () => anew(true)) : anew(true)
  }

  /** What a follower has missed, frame by frame as if it were live. */
  async missed(entities: readonly string[], since: number): Promise<Cursor | null> {
    return this.#changes(
      entities,
      since,
      (deltas, { to }) => this.#outlet.deliver(printDeltas(deltas, to.epoch)),
      () => this.#giveUp(),
    )
  }

  /** Only a cursor that is verified anew can go on. */
  #giveUp(): Promise<null> {
    this.#outlet.overtaken()
    return Promise.resolve(null)
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
      this.#deliver(asked, entity, this.#deltas(asCreated(entity, page.rows), 0), page.head, {
        hasMore: true,
        reset: reset && first === null,
      })
      first ??= page.head
    } while (after !== null)
    return this.#answer(asked, entity, first.seq, () => this.#table(asked, entity, true))
  }

  #answer(
    asked: Asked,
    entity: string,
    since: number,
    overtaken: () => Promise<Cursor | null>,
  ): Promise<Cursor | null> {
    return this.#changes(
      [entity],
      since,
      (deltas, { to, more }) => this.#deliver(asked, entity, deltas, to, { hasMore: more }),
      overtaken,
    )
  }

  async #changes(
    entities: readonly string[],
    since: number,
    deliver: (deltas: readonly PlainDelta[], page: Changes) => void,
    overtaken: () => Promise<Cursor | null>,
  ): Promise<Cursor | null> {
    const query = { entities, since, form: 'values', cells: true } as const
    const reached = await eachChange(
      since,
      async after =>
        (await this.#outlet.room())
          ? this.#slice.read(limit => this.#store.changes({ ...query, after, limit }))
          : null,
      page => deliver(this.#deltas(page.rows, since), page),
    )
    return reached === 'overtaken' ? overtaken() : reached
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
