// What the replica remembers: `touch` notes what was on screen before an event changes it, and `conclude` ends every event.
// Mutable on purpose (100,000 rows are not copied
// per event), owned by the replica alone, free of clock, storage and network.
import type {
  Batch,
  Cursor,
  Down,
  EntityShape,
  Failure,
  Mismatch,
  MutationResult,
  Reset,
  Row,
  RowSet,
  SyncError,
  Up,
  Welcome,
  Write,
} from '../core/index.ts'
import type { Desk } from './desk.ts'
import type { Outbox } from './outbox.ts'
import type {
  EntityCommit,
  Identity,
  Overlay,
  PendingRecord,
  Saving,
  StoredRow,
  StoredShape,
} from './store.ts'

/** `tab`: written in another tab. */
export type Source = 'server' | 'local' | 'tab' | 'rollback'
export type ChangeAction = 'create' | 'update' | 'delete'

/** What happened to rows of one entity; `version` is the entity's cursor. */
export interface Change {
  readonly entity: string
  readonly ids: readonly string[]
  readonly action: ChangeAction
  readonly source: Source
  readonly version: number
  /** Temporary ids that became real ones. */
  readonly replaced?: readonly { readonly from: string; readonly to: string }[]
}

/** Ids whose view is another reference than before; null: any of the entity. */
export type Views = ReadonlyMap<string, ReadonlySet<string> | null>

export interface Settled {
  readonly status: 'applied' | 'merged' | 'conflict' | 'duplicate'
  readonly version: number
  /** Temporary ids and the ids that they became. */
  readonly ids: { readonly [temporary: string]: string }
}

/** What a disk has to know of a saving beside what is stored. */
export interface Work extends Omit<Saving, 'lead' | 'known' | 'news'> {
  /** Drafts among them are new to the disk. */
  readonly puts: readonly PendingRecord[]
  /** Of `removes`: dead letters, which go together with what takes their place. */
  readonly discards?: readonly number[]
  /** Of `puts`: refusals that the server forgets once they are acknowledged. */
  readonly refusals?: readonly number[]
}

export type Effect =
  | { readonly do: 'save'; readonly work: Work }
  | { readonly do: 'send'; readonly text: string }
  | { readonly do: 'changed'; readonly changes: readonly Change[]; readonly views: Views }
  | { readonly do: 'settle'; readonly n: number; readonly settled: Settled }
  | { readonly do: 'reject'; readonly n: number; readonly record: PendingRecord; readonly error: SyncError }
  /** Stop sending for so long, then `resume`. */
  | { readonly do: 'pause'; readonly ms: number }
  | { readonly do: 'user'; readonly user: string }
  /** Load what is not there yet. */
  | { readonly do: 'home' }
  /** What came does not fit: the disk has more. */
  | { readonly do: 'reload' }
  | { readonly do: 'error'; readonly error: SyncError }

/** A mutation on its way. */
export interface Entry {
  record: PendingRecord
  /** On disk (or as good as it gets there): may be sent. */
  durable: boolean
  /** Handed to this connection. */
  sent: boolean
  result: MutationResult | null
  /** Depends on a dead letter while in flight: dies unless the server took it. */
  doomed: boolean
}

export interface Stage {
  readonly from: Cursor | null
  readonly parts: Part[]
}

export interface Part {
  /** Read off the wire when they come: while more is on its way there is time for it. */
  readonly rows: readonly StoredRow[]
  readonly patches: NonNullable<RowSet['patches']>
  readonly gone: readonly (readonly [string, number])[]
  readonly renamed: readonly (readonly [string, string])[]
}

/** A scope under repair: nothing of it shows before the last step. */
export interface Heal {
  readonly shape: EntityShape
  readonly common: Cursor | null
  /** Net effect of the repairing batches: null for rows that are not in view. */
  readonly staged: Map<string, StoredRow | null>
  /** Of those that are not, what nobody wants any more. */
  readonly evicted: Set<string>
  readonly renamed: (readonly [string, string])[]
  to: Cursor | null
  /** The client's pairs were sent in so many messages, and so many are not answered. */
  pairs: number
  owed: number
}

/** What `heal` does; a part of its own, because a page seldom needs it. */
export interface Healing {
  reset(state: State, message: Reset): void
  repair(state: State, kept: Kept, heal: Heal, batch: Batch, parts: readonly Part[]): void
  mismatch(state: State, message: Mismatch): void
}

export interface Queued {
  readonly entry: Entry
  readonly write: Write
}

/** `gone`: a rollback, if anything looks otherwise now. */
export type Cause = Source | 'gone'

interface Touched {
  readonly before: Row | undefined
  /** The same, and what lay under pending writes, each if it was shown. */
  readonly seen: Row | undefined
  readonly had: Row | undefined
  source: Cause | null
}

/** One entity's part of the replica. */
export interface Kept {
  readonly name: string
  cursor: Cursor | null
  marks: readonly Cursor[]
  shape: StoredShape | null
  rows: Map<string, StoredRow>
  /** Pending writes by row, in queue order. */
  readonly queue: Map<string, Queued[]>
  /** What pending writes make of a row; null: deleted. */
  readonly overlays: Map<string, Row | null>
  /**
   * What is left of rows that went from under a pending write: nothing of those that somebody deleted, and an update of
   * them shows nothing; of those that are not wanted any more, what they were.
   */
  readonly gone: Map<string, Row | null>
  /** Up to here, what happened to a row with pending writes was ours. */
  readonly own: Map<string, number>
  readonly touched: Map<string, Touched>
  /** Which rows are asked for: the text of a filter, or empty for all; null: none. Where another tab asks, what this one would. */
  where: string | null
  /** Of what is held and written, what this tab wants to see. */
  shows: Shows
  /** What the disk has of it is being read, and nobody asks for it yet. */
  loading: boolean
  /** A first snapshot came: every row is new. */
  fresh: boolean
  stage: Stage | null
  heal: Heal | null
  /** It is followed. Else what is held of it stays, and it is asked for once when somebody asks. */
  wanted: boolean
  /** A subscribe was sent and not answered. */
  asked: boolean
  /**
   * What answers it will be known by what it is, whatever was on its way before: asked for with other rows than are held
   * it is a reset, asked for in a dialect it is that dialect's answer (`owe`).
   */
  shifting: boolean
  /** It failed for now: to be sent again at `resume`. */
  again: boolean
  /** Caught up on this connection, or refused. */
  current: boolean
  /** It is not asked for: nobody wants it, the server does not have it, or (then with why) will not give it. */
  refused: boolean | Failure
}

export type Shows = (id: string, row: Row) => boolean

/** As the head before a welcome: beyond every place of a log. */
export const unheard: number = Number.MAX_SAFE_INTEGER

export interface State {
  readonly entities: Map<string, Kept>
  /** By `n`, in `n` order. */
  readonly entries: Map<number, Entry>
  readonly dead: Map<number, Entry>
  /** Their numbers, as those who watch were told of last. */
  letters: string
  identity: Identity
  readonly strategy: string | null
  /** Names this page load in stamps. */
  readonly node: string
  /** When the event at hand happened. */
  now: number
  /** There are mutations of other tabs on disk that are not known here yet. */
  behind: boolean
  /** What this tab was told of the log before it came among others: whoever leads may not have heard of it yet; 0: nothing. */
  told: number
  /** When it came among them. */
  toldAt: number
  /** How many mutations this page has made. */
  drafts: number
  /** Another tab leads: it has the connection, and stores what the server says. */
  follows: boolean
  /** What the server has, since a welcome. */
  shapes: Welcome['entities']
  /** The batch that was taken last came in parts. */
  parted: boolean
  /** Of the server's log, since a welcome. */
  epoch: string | null
  /** The greatest place of that log that was heard of on this connection. */
  head: number
  /** Bytes that the server takes as one frame. */
  maxPayload: number
  readonly alias: Map<string, string>
  /** The mutations that name a temporary id. */
  readonly temporary: Map<string, Set<Entry>>
  /** Null: not loaded yet, and nothing of what it does is there to be done: of this, nothing of its `Books`. */
  desk: Desk | null
  /** What the server said meanwhile that only the desk understands. */
  held: Down[]
  /** Welcomed as the one whose rows these are, and not by another tab: mutations may go. */
  open: boolean
  /** What goes up to the server: how, and how far it is. */
  box: Outbox
  /** Entries whose result is in and whose overlay waits for the cursor. */
  waiting: number
  out: Effect[]
  puts: Map<number, PendingRecord>
  removes: number[]
  discards: number[]
  refusals: number[]
  commits: EntityCommit[]
  /** Views of pending rows that are other than the disk has them. */
  overlays: Overlay[]
  /** Per entity: the temporary id of each real one. */
  replaced: Map<Kept, Map<string, string>>
  saveIdentity: boolean
  /** The last row of the last change, as it was before: of the server's changes what the server had. */
  was?: Row | undefined
}

export function send(state: State, message: Up): void {
  state.out.push({ do: 'send', text: JSON.stringify(message) })
}

/** What the tab shows of what is there. */
export function shownOf(kept: Kept, id: string, row: Row | undefined): Row | undefined {
  return row && kept.shows(id, row) ? row : undefined
}

export function viewOf(kept: Kept, id: string): Row | undefined {
  const over = kept.overlays.get(id)
  return over === undefined ? kept.rows.get(id)?.row : (over ?? undefined)
}

/** Call before anything of the row is changed. `source`: announce it as that; a rollback outranks the rest. */
export function touch(kept: Kept, id: string, source: Cause | null): void {
  const known = kept.touched.get(id)
  if (known === undefined) {
    const before = viewOf(kept, id)
    const had = shownOf(kept, id, kept.rows.get(id)?.row)
    kept.touched.set(id, { before, seen: shownOf(kept, id, before), had, source })
  } else if (source !== null && known.source !== 'rollback') known.source = source
}
