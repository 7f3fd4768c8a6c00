// The port to a browser's disk. Neighbours on the line: `disk`, which carries out the replica's `save` effects in order.
// Rules for every implementation: a resolved promise means durable (a transaction's `complete`); nothing foreign is
// awaited inside a transaction; one `save` is one transaction, whole or not at all; `_pending` is removed by key, per
// mutation, never cleared.
import { sameCursor, SyncError } from '../core/index.ts'
import type { Cursor, EntityShape, Mutation, Row } from '../core/index.ts'

export interface StoredRow {
  readonly id: string
  readonly seq: number
  readonly row: Row
}

/** `turn`: how often a repair put other rows in place of those that were held, without moving on. */
export interface StoredShape extends EntityShape {
  readonly turn?: number
}

/** What is held of one entity. */
export interface Held {
  readonly cursor: Cursor | null
  readonly marks: readonly Cursor[]
  readonly shape: StoredShape | null
  readonly rows: readonly StoredRow[]
}

/** A mutation that waits for its result, as `_pending` holds it. Its key is `n`. */
export interface PendingRecord {
  /** Its place among the mutations of all tabs; at or above `firstDraft` while no store has given it one. */
  readonly n: number
  readonly mutation: Mutation
  /** Milliseconds since 1970; the `timestamp` index. */
  readonly timestamp: number
  /** The page load that put it. */
  readonly tab?: string
  /** Set once the server refused it for good. */
  readonly dead?: {
    readonly error: { readonly code: string; readonly message: string; readonly details?: unknown }
    readonly at: number
  }
}

export interface Identity {
  /** Names this browser profile and user to the server. */
  readonly client: string
  /** The last mutation number that was given out, to any tab. */
  readonly n: number
  /** Counts leading tabs: whoever has a lower one than the stored is over. */
  readonly lead: number
  /** Which user the server took us for at the last welcome. */
  readonly user: string | null
  /** Reading of the hybrid clock at the last write. */
  readonly reading: number
}

export interface Loaded {
  readonly identity: Identity | null
  readonly entities: ReadonlyMap<string, Held>
  /** In `n` order. */
  readonly pending: readonly PendingRecord[]
}

/** Confirmed state of one entity that follows memory to disk. */
export interface EntityCommit {
  readonly entity: string
  /** Drop every row first: a snapshot replaces them. */
  readonly replace: boolean
  readonly puts: readonly StoredRow[]
  readonly deletes: readonly string[]
  /** Where the stored cursor must stand for this commit to fit; anything else: reject with STORAGE_FAILED. */
  readonly from: Cursor | null
  readonly cursor: Cursor | null
  readonly marks: readonly Cursor[]
  readonly shape: StoredShape | null
}

/** What the screen shows of a row with pending writes: a view of `_pending`, kept for inspection, never read back. */
export interface Overlay {
  readonly entity: string
  readonly id: string
  /** Null: shown as deleted. Undefined: no pending write is left. */
  readonly row: Row | null | undefined
}

/** Numbers of mutations that no store has numbered yet; above every real one, so that they come last in the queue. */
export const firstDraft: number = 2 ** 52

/** One transaction's work; each list is carried out in its order, `removes` after `puts`. */
export interface Saving {
  /** Only while this is the stored lead: anything else, reject with FENCED. Null: whoever leads. */
  readonly lead: number | null
  /** Null: unchanged. Of `n` and `reading` the greater stays, `client` and `lead` are `claim`'s. */
  readonly identity: Identity | null
  /** New mutations, which get the next numbers of all tabs in this transaction. */
  readonly news: readonly PendingRecord[]
  /** The greatest number known here. */
  readonly known: number
  /** The same `n` replaces the record; one that another tab has removed meanwhile stays away. */
  readonly puts: readonly PendingRecord[]
  readonly removes: readonly number[]
  /** Maybe several of one entity, each from where the one before it went. */
  readonly commits: readonly EntityCommit[]
  readonly overlays: readonly Overlay[]
}

export interface Saved {
  /** The number of the first of `news`; those behind it follow without a gap. */
  readonly first: number
  /** With `news`: what other tabs stored above `known`. */
  readonly others: readonly PendingRecord[]
}

/** Which rows of an entity somebody has. */
export interface Standing {
  readonly cursor: Cursor | null
  readonly shape: StoredShape | null
}

/** A repair may bring other rows to the same place of the log; its shape or its turn is another one then. */
export function standsAs(a: Standing | undefined, b: Standing | undefined): boolean {
  return (
    sameCursor(a?.cursor ?? null, b?.cursor ?? null) &&
    a?.shape?.hash === b?.shape?.hash &&
    a?.shape?.turn === b?.shape?.turn
  )
}

export interface Claimed {
  readonly identity: Identity
  readonly raised: boolean
}

export interface ClientStore {
  readonly kind: 'memory' | 'indexeddb'
  /** Opens (and upgrades) the store for these entities and reads all it holds; no rows of those that stand as in `known`. */
  load(entities: readonly string[], known?: ReadonlyMap<string, Standing>): Promise<Loaded>
  /**
   * Who we are: what is stored, else `fresh`. With `from`, the stored lead is raised by one, if it still is that one.
   * One transaction, so of several tabs that ask at once one alone has raised it.
   */
  claim(fresh: Identity, from: number | null): Promise<Claimed>
  /** One transaction; resolves when durable. Rejects FENCED, STORAGE_FULL, STORAGE_FAILED, with nothing of it stored. */
  save(work: Saving): Promise<Saved>
  /**
   * One short piece of housekeeping, never needed for a correct `load`; true: there may be more. For whoever leads, when
   * nothing else is to do. Rejects like `save`.
   */
  tidy?(): Promise<boolean>
  /** Forgets everything. */
  clear(): Promise<void>
  /**
   * Calls `listener` if all that it holds is taken away while it is open; from then on every call rejects STORAGE_FAILED.
   * Until somebody listens nothing of it is held: the empty one in its place is opened like any other.
   */
  onGone?(listener: () => void): void
  /** Twice is fine. */
  close(): Promise<void>
}

/** A record under the number that its store gave it. */
export function numbered(record: PendingRecord, n: number): PendingRecord {
  return { ...record, n, mutation: { ...record.mutation, n } }
}

/** What is stored of an identity after a save: numbers and clocks only grow, and nobody else's claim is undone. */
export function merged(stored: Identity | null, { identity }: Saving): Identity | null {
  if (stored === null || identity === null) return stored
  const { n, reading, user } = identity
  return { ...stored, user, n: Math.max(stored.n, n), reading: Math.max(stored.reading, reading) }
}

/**
 * Whether a put takes the place of what is stored: what another tab has removed does not come back, and what another tab
 * knows to be dead does not live again (a retry has a new number).
 */
export function replaces({ dead }: PendingRecord, stored: PendingRecord | undefined): boolean {
  return stored !== undefined && (dead !== undefined || stored.dead === undefined)
}

/** One for all, to be known by: what it holds is in memory, and maybe nowhere else. */
export const taken: SyncError = new SyncError('STORAGE_FAILED', 'the database was taken away')

export function fenced(): SyncError {
  return new SyncError('FENCED', 'another tab leads')
}

/** What a claim makes of what is stored. */
export function claimed(known: Identity, from: number | null): Claimed {
  const raised = known.lead === from
  return { identity: raised ? { ...known, lead: known.lead + 1 } : known, raised }
}
