// The port to a browser's disk. Neighbours on the line: `disk`, which carries out the replica's `save` effects in order.
// Rules for every implementation: a resolved promise means durable (a transaction's `complete`); nothing foreign is
// awaited inside a transaction; one `save` is one transaction, whole or not at all; `_pending` is removed by key, per
// mutation, never cleared.
import type { Cursor, EntityShape, Mutation, Row } from '../core/index.ts'

export interface StoredRow {
  readonly id: string
  readonly seq: number
  readonly row: Row
}

/** What is held of one entity. */
export interface Held {
  readonly cursor: Cursor | null
  readonly marks: readonly Cursor[]
  readonly shape: EntityShape | null
  readonly rows: readonly StoredRow[]
}

/** A mutation that waits for its result, as `_pending` holds it. Its key is `n`. */
export interface PendingRecord {
  readonly n: number
  readonly mutation: Mutation
  /** Milliseconds since 1970; the `timestamp` index. */
  readonly timestamp: number
  /** Set once the server refused it for good. */
  readonly dead?: {
    readonly error: { readonly code: string; readonly message: string; readonly details?: unknown }
    readonly at: number
  }
}

export interface Identity {
  /** Names this browser profile and user to the server. */
  readonly client: string
  /** The last mutation number that was given out. */
  readonly n: number
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
  readonly shape: EntityShape | null
}

/** What the screen shows of a row with pending writes: a view of `_pending`, kept for inspection, never read back. */
export interface Overlay {
  readonly entity: string
  readonly id: string
  /** Null: shown as deleted. Undefined: no pending write is left. */
  readonly row: Row | null | undefined
}

/** One transaction's work; each list is carried out in its order, `removes` after `puts`. */
export interface Saving {
  /** Null: unchanged. */
  readonly identity: Identity | null
  /** The same `n` replaces the record. */
  readonly puts: readonly PendingRecord[]
  readonly removes: readonly number[]
  /** Maybe several of one entity, each from where the one before it went. */
  readonly commits: readonly EntityCommit[]
  readonly overlays: readonly Overlay[]
}

export interface ClientStore {
  readonly kind: 'memory' | 'indexeddb'
  /** Opens (and upgrades) the store for these entities and reads all it holds. */
  load(entities: readonly string[]): Promise<Loaded>
  /** One transaction; resolves when durable. Rejects STORAGE_FULL, STORAGE_FAILED, with nothing of it stored. */
  save(work: Saving): Promise<void>
  /**
   * One short piece of housekeeping, never needed for a correct `load`; true: there may be more. For whoever leads, when
   * nothing else is to do. Rejects like `save`.
   */
  tidy?(): Promise<boolean>
  /** Forgets everything. */
  clear(): Promise<void>
  /** Twice is fine. */
  close(): Promise<void>
}
