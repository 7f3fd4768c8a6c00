// Who wants what of the live log. Each subscription is a lane: a set of entities and the place up to which its client
// has them. A flush brings every lane to the feed's head; lanes with equal form, scopes and place share their frames.
// Neighbours on the line: feed before it, connection behind it.
import type { Cursor, EntityShape } from '../core/index.ts'
import { rowName, scopesKey } from '../core/index.ts'
import { bareFrames, needsCells } from './bare.ts'
import type { BareDialect } from './bare.ts'
import { deltasOf, printDeltas } from './deltas.ts'
import type { Feed, PlacedRow } from './feed.ts'
import { FlushCache } from './flush-cache.ts'
import { Frame, printBatchParts } from './frames.ts'
import { Interest } from './interest.ts'
import { cellsOfBoth, withPatch } from './patches.ts'
import type { RowForm } from './store.ts'
import { see } from './views.ts'
import type { View, Views } from './views.ts'

export interface ScopeSet {
  readonly key: string
  readonly list: readonly string[]
  readonly entities: ReadonlySet<string>
  /** Those of the entities that are not seen whole. */
  readonly views: ReadonlyMap<string, View>
  /** It is one entity, of which the first rows are wanted: what a change makes of them is not said by the change. */
  readonly windows: boolean
}

export interface Lane {
  scopes: ScopeSet
  /** The client's cursor: what the last frame of this lane brought it to. */
  at: Cursor
  /** Nothing of these scopes happened between `at.seq` and here; or, of one that is settled, since it was settled. */
  through: number
  settled: boolean
  /** A result names this version: bring the client's cursor there even if nothing else changed. */
  owed: number
}

/** A connection as the hub sees it. */
export interface Subscriber {
  lanes: Lane[]
  readonly views: Views
  /** Whether it takes data now; a slow one is asked again when it has drained. */
  ready(): boolean
  /** Frames of data for it; whatever else waits for this client goes in the same write. */
  deliver(frames: readonly Frame[]): void
  /** The lane's place is no longer in the window: catch it up from the store, then join again. */
  fellBehind(lane: Lane): void
}

export type Form = BareDialect | 'canonical' | 'differential'

const maxSets = 1000

export class Hub {
  readonly #feed: Feed
  readonly #form: Form
  readonly #rowForm: RowForm
  /** It cannot do without being told which columns were written; the canonical one is content with whole rows. */
  readonly #cells: boolean
  readonly #sets = new Map<string, ScopeSet>()
  /** Those who have one lane, stand at `#flushed` and are owed nothing: a change that is not theirs costs them nothing. */
  readonly #settled = new Map<ScopeSet, Set<Subscriber>>()
  readonly #interest: Interest
  /** All others. */
  readonly #unsettled = new Set<Subscriber>()
  #flushed = -1
  #size = 0

  constructor(feed: Feed, form: Form) {
    this.#feed = feed
    this.#form = form
    this.#rowForm = form === 'canonical' || form === 'differential' ? 'values' : 'object'
    this.#cells = form === 'differential' || (form !== 'canonical' && needsCells(form))
    this.#interest = new Interest(this.#rowForm)
  }

  get size(): number {
    return this.#size
  }

  scopeSet(entities: Iterable<string>, views: Views): ScopeSet {
    const list = [...entities].sort()
    const seen = views.keyOf(list)
    const key = seen === '' ? scopesKey(list) : `${scopesKey(list)}\n${seen}`
    let set = this.#sets.get(key)
    if (set === undefined) {
      // clients choose the combinations; forgetting them costs only the sharing of frames
      if (this.#sets.size >= maxSets) this.#sets.clear()
      const restricted = list.flatMap(entity => views.of(entity) ?? [])
      const byName = new Map(restricted.map(view => [view.entity, view]))
      const windows = restricted.some(({ parts }) => parts !== null)
      this.#sets.set(key, (set = { key, list, entities: new Set(list), views: byName, windows }))
    }
    return set
  }

  /**
   * A lane from `at` on, for those of `entities` that no lane of this subscriber has. Lanes at the same place become
   * one. `owed` as in a lane. Follow it by `flushOne`: the feed may be ahead of `at`, and wakes nobody twice for the same change.
   */
  join(subscriber: Subscriber, entities: readonly string[], at: Cursor, owed = 0): void {
    if (!this.#unsettle(subscriber)) {
      this.#unsettled.add(subscriber)
      this.#size += 1
      if (this.#size === 1)
        this.#feed.listen(this, this.#cells ? 'all' : this.#form === 'canonical' ? 'long' : 'none')
    }
    const fresh = entities.filter(entity => !subscriber.lanes.some(lane => lane.scopes.entities.has(entity)))
    if (fresh.length === 0) return
    const { views } = subscriber
    const alone = fresh.filter(entity => views.hasWindows(entity))
    const whole = fresh.filter(entity => !alone.includes(entity))
    for (const group of [whole, ...alone.map(entity => [entity])]) {
      if (group.length === 0) continue
      const scopes = this.scopeSet(group, views)
      subscriber.lanes.push({ scopes, at, through: at.seq, settled: false, owed })
    }
    this.#merge(subscriber)
  }

  leave(subscriber: Subscriber, entities?: readonly string[]): void {
    this.#unsettle(subscriber)
    if (entities !== undefined) {
      for (const lane of subscriber.lanes) {
        const left = lane.scopes.list.filter(entity => !entities.includes(entity))
        lane.scopes = this.scopeSet(left, subscriber.views)
      }
      subscriber.lanes = subscriber.lanes.filter(lane => lane.scopes.list.length > 0)
      if (subscriber.lanes.length > 0) return
    } else {
      subscriber.lanes = []
    }
    if (this.#unsettled.delete(subscriber)) this.#size -= 1
    if (this.#size === 0) {
      this.#sets.clear()
      this.#feed.unlisten(this)
    }
  }

  /** Brings every ready subscriber to the feed's head, in one write each. */
  flush(): void {
    const { head } = this.#feed
    const cache = new FlushCache()
    const concerned = this.#concerned(cache)
    for (const members of concerned.values()) for (const { lanes } of members) this.#wake(lanes[0])
    if (head !== null) this.#flushed = head.seq
    // those that settle leave the set
    for (const subscriber of Array.from(this.#unsettled)) this.#serve(subscriber, cache)
    for (const [set, members] of concerned) {
      for (const subscriber of members) {
        this.#serve(subscriber, cache)
        const [lane] = subscriber.lanes
        if (lane !== undefined && this.#isSettled(subscriber)) lane.settled = true
        // who left meanwhile is in neither
        else if (members.delete(subscriber)) this.#unsettled.add(subscriber)
      }
      if (members.size === 0) this.#forget(set, members)
    }
  }

  /** From here on it says itself where it stands. */
  #wake(lane: Lane | undefined): void {
    if (lane?.settled !== true) return
    lane.settled = false
    lane.through = Math.max(lane.through, this.#flushed)
  }

  /** The settled ones whose rows changed since the last flush. */
  #concerned(cache: FlushCache): ReadonlyMap<ScopeSet, Set<Subscriber>> {
    const concerned = new Map<ScopeSet, Set<Subscriber>>()
    if (this.#settled.size === 0 || this.#feed.head === null) return concerned
    if (!this.#feed.holds(this.#flushed, this.#cells)) return new Map(this.#settled)
    for (const set of this.#interest.in(this.#feed.after(this.#flushed))) {
      const members = this.#settled.get(set)
      // once for all who see the same: most of those who are asked have nothing to see of it
      if (members === undefined) continue
      if (set.views.size === 0 || this.#rowsOf(set, this.#flushed, cache).length > 0)
        concerned.set(set, members)
    }
    return concerned
  }

  /** The same for one that has drained, joined, or waits for a result. */
  flushOne(subscriber: Subscriber): void {
    if (subscriber.lanes.length === 0) return subscriber.deliver([])
    this.#unsettle(subscriber)
    this.#serve(subscriber, new FlushCache())
  }

  #isSettled({ lanes }: Subscriber): boolean {
    const [lane] = lanes
    return (
      lane !== undefined && lanes.length === 1 && lane.through === this.#flushed && lane.owed <= lane.at.seq
    )
  }

  #settle(subscriber: Subscriber): void {
    const [lane] = subscriber.lanes
    if (lane === undefined || !this.#isSettled(subscriber) || !this.#unsettled.delete(subscriber)) return
    lane.settled = true
    const members = this.#settled.get(lane.scopes)
    if (members !== undefined) return void members.add(subscriber)
    this.#settled.set(lane.scopes, new Set([subscriber]))
    this.#interest.add(lane.scopes)
  }

  /** With every flush it is looked at, until it is settled again. False: it is not known here. */
  #unsettle(subscriber: Subscriber): boolean {
    if (this.#unsettled.has(subscriber)) return true
    const [lane] = subscriber.lanes
    const members = lane === undefined ? undefined : this.#settled.get(lane.scopes)
    if (lane === undefined || members?.delete(subscriber) !== true) return false
    this.#unsettled.add(subscriber)
    this.#wake(lane)
    if (members.size === 0) this.#forget(lane.scopes, members)
    return true
  }

  #forget(set: ScopeSet, members: ReadonlySet<Subscriber>): void {
    // others may have settled there since it was emptied
    if (this.#settled.get(set) !== members) return
    this.#settled.delete(set)
    this.#interest.remove(set)
  }

  #serve(subscriber: Subscriber, cache: FlushCache): void {
    const head = this.#feed.head
    if (!subscriber.ready()) return
    if (head === null) return subscriber.deliver(none)
    const [lane] = subscriber.lanes
    if (lane === undefined || subscriber.lanes.length > 1) this.#serveLanes(subscriber, head, cache)
    else this.#serveLane(subscriber, lane, head, cache)
    this.#settle(subscriber)
  }

  #serveLane(subscriber: Subscriber, lane: Lane, head: Cursor, cache: FlushCache): void {
    const frames = this.#bring(lane, head, cache)
    if (frames === null) {
      subscriber.lanes = []
      subscriber.fellBehind(lane)
    }
    subscriber.deliver(frames ?? none)
  }

  #serveLanes(subscriber: Subscriber, head: Cursor, cache: FlushCache): void {
    let frames: readonly Frame[] = []
    let sources = 0
    // several lanes become one as soon as their cursors agree, so all are brought to the head, changes or not
    for (const lane of subscriber.lanes) lane.owed = Math.max(lane.owed, head.seq)
    for (const lane of subscriber.lanes) {
      const more = this.#bring(lane, head, cache)
      if (more === null) {
        subscriber.lanes = subscriber.lanes.filter(other => other !== lane)
        subscriber.fellBehind(lane)
      } else if (more.length > 0) {
        sources += 1
        frames = frames.length === 0 ? more : [...frames, ...more]
      }
    }
    if (subscriber.lanes.length > 1) this.#merge(subscriber)
    if (sources > 1 && this.#form !== 'canonical') frames = onlyLastNumbered(frames, head.seq)
    subscriber.deliver(frames)
  }

  /** The frames that bring a lane to the head; null where the feed does not reach back to it, or does not know them. */
  #bring(lane: Lane, head: Cursor, cache: FlushCache): readonly Frame[] | null {
    if (lane.through >= head.seq && !(lane.owed > lane.at.seq && head.seq >= lane.owed)) return none
    if (!this.#feed.holds(lane.through, this.#cells)) return null
    if (lane.scopes.windows && this.#rowsOf(lane.scopes, lane.through, cache).length > 0) return null
    const frames = this.#framesFor(lane, head, cache)
    lane.through = Math.max(lane.through, head.seq)
    if (frames.length > 0 || this.#form !== 'canonical') lane.at = head
    return frames
  }

  #framesFor(lane: Lane, head: Cursor, cache: FlushCache): readonly Frame[] {
    let frames = cache.get(lane)
    if (frames === undefined) {
      const rows = this.#rowsOf(lane.scopes, lane.through, cache)
      frames = rows.length === 0 ? none : this.#print(lane, head, rows)
      cache.set(lane, frames)
    }
    if (frames.length === 0 && lane.owed > lane.at.seq && this.#form === 'canonical')
      return this.#print(lane, head, [])
    return frames
  }

  #rowsOf(set: ScopeSet, after: number, cache: FlushCache): readonly PlacedRow[] {
    return cache.rows(set, after, () => {
      const { entities, views } = set
      const changed = newestOnly(this.#feed.after(after, entities))
      return views.size === 0 ? changed : this.#seen(changed, views)
    })
  }

  /** Rules V1 to V3. */
  #seen(rows: readonly PlacedRow[], views: ReadonlyMap<string, View>): PlacedRow[] {
    return rows.flatMap(row => {
      const view = views.get(row.entity)
      const shown = view === undefined ? row : see(view, row, this.#rowForm)
      return shown === null ? [] : [{ ...shown, previous: row.previous }]
    })
  }

  #print(lane: Lane, head: Cursor, rows: readonly PlacedRow[]): readonly Frame[] {
    const { list: scopes, views } = lane.scopes
    const shapeOf = (entity: string): EntityShape | undefined =>
      (views.get(entity) ?? this.#feed.infoOf(entity))?.shape
    if (this.#form === 'canonical') {
      const sent = rows.map(row => withPatch(row, shapeOf(row.entity)?.columns))
      return printBatchParts({ scopes, from: lane.at, to: head }, sent)
    }
    if (this.#form === 'differential') return printDeltas(deltasOf(rows, lane.through, shapeOf), head.epoch)
    return bareFrames(this.#form, rows, lane.through, true)
  }

  /** Lanes at one place become one, so that a transaction over their entities arrives as one batch. */
  #merge(subscriber: Subscriber): void {
    const merged: Lane[] = []
    for (const lane of subscriber.lanes) {
      const same = merged.find(
        other =>
          !other.scopes.windows &&
          !lane.scopes.windows &&
          other.at.seq === lane.at.seq &&
          other.at.epoch === lane.at.epoch &&
          other.through === lane.through,
      )
      if (same === undefined) {
        merged.push(lane)
      } else {
        const both = new Set([...same.scopes.list, ...lane.scopes.list])
        same.scopes = this.scopeSet(both, subscriber.views)
        same.owed = Math.max(same.owed, lane.owed)
      }
    }
    subscriber.lanes = merged
  }
}

/** An event's id says that all before it has come: of lanes at different places that is so at the end alone. */
function onlyLastNumbered(frames: readonly Frame[], head: number): Frame[] {
  return frames.map(({ text }, i) => new Frame(text, i === frames.length - 1 ? head : null))
}

const none: readonly Frame[] = []

function newer(earlier: PlacedRow, row: PlacedRow): PlacedRow {
  const created = earlier.created || row.created
  const cells = cellsOfBoth(earlier, row)
  if (earlier.was === undefined && cells === row.cells && created === row.created) return row
  return { ...row, created, cells, was: [...(earlier.was ?? []), ...(row.was ?? [])] }
}

/** A row that changed several times since is sent once, as it is now; created if any of them created it. */
function newestOnly(rows: PlacedRow[]): PlacedRow[] {
  if (rows.length < 2) return rows
  const newest = new Map<string, PlacedRow>()
  for (const row of rows) {
    const key = rowName(row.entity, row.id)
    const earlier = newest.get(key)
    newest.delete(key) // a key that is set again keeps its place, and rows go out in the order of their seq
    newest.set(key, earlier === undefined ? row : newer(earlier, row))
  }
  return newest.size === rows.length ? rows : [...newest.values()]
}
