// The canonical protocol: every message between a client and a server, on any transport, as JSON text frames.
// `dialects/` hold other documented spellings. Change anything here and the hash test asks for a new version.
//
// History of protocolVersion
// 1  first release
import type { Cursor, CursorState } from './cursor.ts'
import type { ErrorBody } from './errors.ts'
import type { Json, Row } from './ids.ts'
import type { Mutation, ResultStatus } from './change.ts'

export const protocolVersion = 1

/** How a column's values travel. Dates and decimals are text as the database holds it. */
export type ColumnKind = 'integer' | 'real' | 'text' | 'blob' | 'boolean' | 'json' | 'any'

/** The shape of an entity's rows: `columns` in the order in which `batch` frames list the values. */
export interface EntityShape {
  readonly columns: readonly (readonly [name: string, kind: ColumnKind])[]
  readonly key: readonly string[]
  /** Changes with the shape; a subscriber that names another one is sent everything again. */
  readonly hash: string
  readonly strategy: string
}

// ---- client to server

export type Up = Hello | Subscribe | Unsubscribe | Mutate | Reconcile | Ping

/** Must be the first message. The server answers `welcome`, or closes 4400, 4401, 4409. */
export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  /** A browser profile and user; a Node process. Letters, digits, `_`, `-`; at most 64. */
  readonly client: string
  /** The fencing number of the tab that leads; a lower one than the server has seen is closed with 4409. */
  readonly lead: number
  /** Every result up to this mutation was received and may be forgotten. */
  readonly acked: number
}

export interface ScopeRequest {
  readonly entity: string
  /** Null: nothing is held, send a snapshot. */
  readonly cursor: Cursor | null
  /** Older cursors, newest first, to find the branching point with a restored log. */
  readonly marks: readonly Cursor[]
  /** `EntityShape.hash` that the held rows were made for; with `where`, followed by `|` and its JSON text. */
  readonly shape: string | null
  /**
   * Of the rows that may be seen, those that are wanted: a filter, or a window, that is the first rows in some order
   * (`{ orderBy: [[column, 'asc' | 'desc'], ...], limit, where? }`), or several of both (`{ or: [...] }`).
   */
  readonly where?: Row
  /** Up to now, and no more: what happens afterwards is not sent. */
  readonly once?: true
}

export interface Subscribe {
  readonly type: 'subscribe'
  readonly scopes: readonly ScopeRequest[]
}

export interface Unsubscribe {
  readonly type: 'unsubscribe'
  readonly entities: readonly string[]
}

/** Mutations in `n` order. Answered by `results`, maybe in several frames. */
export interface Mutate {
  readonly type: 'mutate'
  readonly mutations: readonly Mutation[]
  readonly acked: number
}

/**
 * Step 2 and 3 of healing a scope. `hashes`: one safe integer per bucket (`Summary`); answered by `mismatch`.
 * `held`: the client's (id, seq) pairs of unequal buckets; answered by repairing batches that end at `cursor`.
 */
export interface Reconcile {
  readonly type: 'reconcile'
  readonly entity: string
  readonly cursor: Cursor
  readonly hashes?: readonly number[]
  readonly held?: readonly (readonly [id: string, seq: number])[]
  readonly buckets?: readonly number[]
}

export interface Ping {
  readonly type: 'ping'
}

// ---- server to client

export type Down = Welcome | Batch | Results | Reset | Mismatch | Pong | Ping | Failure

export interface Welcome {
  readonly type: 'welcome'
  readonly protocol: number
  /** Which user the server takes this connection for; names the client's database. */
  readonly user: string
  readonly epoch: string
  readonly head: number
  /** The last mutation of this client that was processed: below it nothing needs sending again. */
  readonly last: number
  /** Milliseconds since 1970. */
  readonly server_time: number
  /** Bytes; a larger frame is refused with PAYLOAD_TOO_LARGE. */
  readonly max_payload: number
  readonly entities: { readonly [name: string]: EntityShape }
}

/** A row: its seq, then its values in the order of `EntityShape.columns`. */
export type WireRow = readonly [seq: number, ...values: Json[]]

export interface RowSet {
  readonly entity: string
  readonly rows: readonly WireRow[]
  /** In the place of whole rows: the columns that were written since `from`, of rows that the client holds as of there. */
  readonly patches?: readonly (readonly [id: string, seq: number, { readonly [column: string]: Json }])[]
  readonly gone?: readonly (readonly [id: string, seq: number])[]
  /** Temporary ids of rows in this batch and the ids that they became. */
  readonly renamed?: readonly (readonly [from: string, to: string])[]
}

/**
 * Changes of `scopes` between `from` and `to`. Without `to` more parts follow: stage them, show nothing. `from` null
 * replaces all that the client holds of these scopes, but for `repair`, which answers a reset or reconcile: its rows are
 * taken as they are, whatever seq the client holds, and the others stay.
 */
export interface Batch {
  readonly type: 'batch'
  readonly scopes: readonly string[]
  readonly from: Cursor | null
  readonly to?: Cursor
  readonly repair?: true
  readonly sets: readonly RowSet[]
}

/** The mutation is settled as of log place `version`: its overlay may go once the cursor is there. */
export interface MutationResult {
  readonly n: number | null
  readonly mutation_id?: string
  readonly status: ResultStatus
  readonly version: number
  readonly error?: ErrorBody
  /** Columns whose written value was not stored, per write. */
  readonly lost?: readonly {
    readonly entity: string
    readonly id: string
    readonly columns: readonly string[]
  }[]
  /** Temporary ids and the ids that they became. */
  readonly ids?: { readonly [temporary: string]: string }
}

export interface Results {
  readonly type: 'results'
  readonly results: readonly MutationResult[]
}

/**
 * The cursor of `entity` cannot be continued (`state`), or its shape changed. Repairing batches up to `to` follow;
 * after the last, the client sends `reconcile` with its hashes. `common`: the newest of its cursors and marks that is
 * on this log; what it wrote above it was based on a branch that is no more.
 */
export interface Reset {
  readonly type: 'reset'
  readonly entity: string
  readonly state: Exclude<CursorState, 'here'> | 'shape' | 'check'
  readonly common: Cursor | null
  readonly shape: EntityShape
}

export interface Mismatch {
  readonly type: 'mismatch'
  readonly entity: string
  readonly cursor: Cursor
  readonly buckets: readonly number[]
}

export interface Pong {
  readonly type: 'pong'
  readonly server_time: number
}

export interface Failure extends ErrorBody {
  readonly type: 'error'
  /** The message type that failed, where it could be read. */
  readonly re?: string
  /** Of `mutate`: the first mutation of the frame that failed. It and what was sent behind it have to come again. */
  readonly n?: number
  /** Of `subscribe`, `unsubscribe` and `reconcile`: which entity, where it is about one. */
  readonly entity?: string
}
