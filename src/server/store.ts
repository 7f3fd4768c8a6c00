// The port to a database: the log (tail, rows, gone), the user's tables beside it, and exactly-once bookkeeping.
// Neighbours on the line: capture (triggers, inside the store) before it; feed, accept and reconcile behind it.
//
// What every implementation owes (the contract suite in `syncline/testing` checks it):
// - `seq` follows commit order; a reader that sees seq n sees everything at or below n, then or earlier.
// - One read (`changes`, `snapshot`, `look`, ...) is one consistent view of log and tables.
// - `accept` is one transaction per call and awaits nothing inside; `decide` is pure and may be called again.
// - What was rolled back is never seen. Nothing blocks or breaks the application's own writes.
import type {
  Attempt,
  Cell,
  Cursor,
  CursorState,
  Decision,
  EntityDefinition,
  EntityShape,
  Equality,
  Mutation,
  MutationResult,
  Row,
  Standing,
} from '../core/index.ts'

/** What the database says of an entity's table. */
export interface EntityInfo {
  readonly name: string
  readonly table: string
  readonly shape: EntityShape
  readonly definition: EntityDefinition
  /** The key is one integer column: ids are decimal integers and `id` is a JSON number in the rhtmx dialect. */
  readonly integerKey: boolean
  /** The database assigns the key where a create names none. */
  readonly assignsKey: boolean
  /** Columns that the database computes and nobody may write. */
  readonly generated: ReadonlySet<string>
  /** Columns that views may go by: the log keeps their old values. */
  readonly routing: readonly string[]
}

/** Where the log stands. */
export interface Head {
  readonly epoch: string
  readonly seq: number
  readonly check: number
  /** Cursors below it are `old`: deletes at or below it may be forgotten. */
  readonly horizon: number
}

/** `values`: the row's values in shape order, comma separated, without brackets. `object`: a JSON object. */
export type RowForm = 'values' | 'object'

export interface ChangedRow {
  readonly entity: string
  readonly id: string
  readonly seq: number
  /** JSON text in the asked form; null: the row is gone. */
  readonly json: string | null
  /** JSON text of the native id. */
  readonly idJson: string
  /** The row was created (or re-created) above the asked place. */
  readonly created: boolean
  /** Clock reading of the newest entry. */
  readonly reading: number
  /** The temporary id under which a client created it. */
  readonly temporary: string | null
  readonly origin?: { readonly client: string; readonly mutation: number | string } | undefined
  /** Where they were asked for: the columns written above the asked place, of a row that was there before. Else all may be. */
  readonly cells?: Cells | undefined
}

export interface Cells {
  readonly [column: string]: Cell
}

/** A row was at `seq` changed in a routing column, or deleted, and may have left somebody's view. */
export interface Move {
  readonly entity: string
  readonly id: string
  /** JSON text of the native id. */
  readonly idJson: string
  readonly seq: number
  /** Its routing columns as they were before. */
  readonly was: Row
}

export interface Changes {
  /** In `seq` order: the newest state of each row whose newest entry lies in (after, to]. */
  readonly rows: readonly ChangedRow[]
  /** How far this page goes: the head of its view, or the place of its last row where `more`. */
  readonly to: Cursor
  readonly more: boolean
  /** As in a head of the same view: where it is above the asked place, deletes may be missing here. */
  readonly horizon: number
  /** In (after, to], in `seq` order; where they were asked for. */
  readonly moves: readonly Move[]
}

export interface SnapshotPage {
  readonly rows: readonly {
    readonly id: string
    readonly seq: number
    readonly json: string
    readonly idJson: string
    readonly reading: number
    /** The temporary id under which a client created it. */
    readonly temporary: string | null
  }[]
  /** Give it back for the next page; null at the end. */
  readonly next: string | null
  /** The head of the view this page was read in. */
  readonly head: Cursor
}

export interface Ranking {
  readonly ids: readonly string[]
  /** The head of the view in which they were ranked. */
  readonly head: Cursor
}

export interface Summaries {
  readonly hashes: readonly number[]
}

/** Who sends: dedupe and fencing are per (user, client). */
export interface Sender {
  readonly user: string
  readonly client: string | null
  /** Null: a sender without fencing (HTTP, bare protocol). */
  readonly lead: number | null
}

export interface Identified {
  readonly last: number
  /** The greatest lead seen; greater than the asked one: the asker is fenced off. */
  readonly lead: number
}

/** A mutation that passed access and validation; `rejected` ones are only booked as processed, in order. */
export interface Prepared {
  readonly mutation: Mutation
  /** Per write, in order; ignored where rejected. */
  readonly attempts: readonly PreparedWrite[]
  readonly rejected?: MutationResult['error'] | undefined
}

export interface PreparedWrite {
  readonly entity: string
  /** The row's id, or a temporary one. The store remembers a temporary id that a create names, but never the bare prefix. */
  readonly id: string
  /**
   * The values to store, by column, as JSON; the store encodes them by column kind. With a create under a temporary id
   * they may hold the row's own key.
   */
  readonly values: Row
  readonly attempt: Attempt
  /** What the writer saw of the written columns before. */
  readonly was?: Row | undefined
  /** It was allowed for the row as it stood at this place: at another one it is `stale`. */
  readonly judged?: number | undefined
}

export type Decide = (entity: string, standing: Standing, attempt: Attempt, horizon: number) => Decision

/**
 * The outcome per mutation; `resolve`: the resolver must run on these rows first and the mutation come again; `stale`: a
 * row has moved since its write was judged, nothing of the mutation was stored, and it must be judged again.
 */
export type Accepted =
  | { readonly kind: 'result'; readonly result: MutationResult }
  | {
      readonly kind: 'resolve'
      readonly writes: readonly {
        readonly index: number
        readonly seq: number
        readonly columns: readonly string[]
      }[]
    }
  | { readonly kind: 'stale' }

export interface LookedUp {
  readonly id: string
  readonly row: Row | null
  readonly standing: Standing
}

export interface StoreStats {
  readonly tail: number
  readonly rows: number
  readonly gone: number
  readonly folded: number
  readonly clients: number
}

export interface ServerStore {
  /**
   * Describes the tables, installs or renews capture, opens the log. Rejects UNKNOWN_TABLE, NO_PRIMARY_KEY,
   * UNSUPPORTED_KEY with the table's name. Call once, before anything else.
   */
  open(definitions: readonly EntityDefinition[]): Promise<void>
  /** As of the last `open` or schema change. */
  readonly entities: ReadonlyMap<string, EntityInfo>

  head(): Promise<Head>
  /** What each cursor is to this log. */
  verify(cursors: readonly Cursor[]): Promise<CursorState[]>

  /**
   * What changed in `entities` after place `after`: state, not history. At most about `limit` rows a page. `since`: where
   * the reading began of which this is a later page; `created` and `cells` are what was above it, since a row that was
   * written to again comes in a later page than its first cells. Default `after`.
   */
  changes(query: {
    readonly entities: readonly string[]
    readonly after: number
    readonly limit: number
    readonly form: RowForm
    readonly moves?: boolean
    readonly cells?: boolean
    readonly since?: number
  }): Promise<Changes>
  /**
   * One keyset page of all rows; `after` is null or the last page's `next`. With `where`, rows that do not hold all of
   * it may be left out.
   */
  snapshot(query: {
    readonly entity: string
    readonly after: string | null
    readonly limit: number
    readonly form: RowForm
    readonly where?: readonly Equality[]
  }): Promise<SnapshotPage>
  /**
   * The first rows in the order of some columns (NULL, numbers, text by code points; `desc`: the reverse), then of their
   * key: as many as there are, up to `limit`. `where` as in `snapshot`. `among`: of the rows with these ids, those that
   * are there; the store is the one judge of an order, so that a choice can be made from more rows than are read at once.
   */
  ordered(query: {
    readonly entity: string
    readonly order: readonly (readonly [column: string, way: 'asc' | 'desc'])[]
    readonly limit: number
    readonly where?: readonly Equality[]
    readonly among?: readonly string[]
  }): Promise<Ranking>
  /** A page of rows whose own `seq` is above `above` (-1: all, baseline rows included), for repair. Same paging as `snapshot`. */
  rowsAbove(query: {
    readonly entity: string
    readonly above: number
    readonly after: string | null
    readonly limit: number
    readonly where?: readonly Equality[]
  }): Promise<SnapshotPage>
  /** Keyset pages of (id, seq) over all rows, for reconcile. */
  places(query: { readonly entity: string; readonly after: string | null; readonly limit: number }): Promise<{
    readonly rows: readonly (readonly [id: string, seq: number])[]
    readonly next: string | null
  }>
  /** Current rows by id, in `values` form; ids without a row are left out. */
  rowsById(entity: string, ids: readonly string[]): Promise<SnapshotPage['rows']>
  /**
   * Row and standing by id, in the order of the ids, for cutting, validation, resolvers and conflict answers. Temporary
   * ids of the sender are resolved; an answer carries the real id where there is one.
   */
  look(entity: string, ids: readonly string[], sender?: Sender): Promise<LookedUp[]>

  /** Notes `lead` if it is the greatest and says what is known of the client. */
  identify(sender: Sender): Promise<Identified>
  /**
   * Stores the mutations in order, in one transaction; each is whole or not at all, and a failing one spoils no other.
   * A mutation at or below the client's last is `duplicate` (with its result, where still known); so is one without a
   * number whose `mutationId` came with the same writes before. Results up to `acked`
   * are forgotten. Throws FENCED (nothing stored) where the sender's lead is not the greatest, DATABASE_BUSY,
   * DATABASE_FULL, DATABASE_FAILED (nothing stored).
   */
  accept(sender: Sender, mutations: readonly Prepared[], decide: Decide, acked: number): Promise<Accepted[]>

  /** Moves what the tail holds into rows and gone, one batch. True: there is more. */
  fold(): Promise<boolean>
  /** Forgets superseded entries and deletes older than `beforeMs`; the number of entries forgotten. In batches. */
  cleanup(beforeMs: number): Promise<number>

  /**
   * Calls `wake` whenever something may have changed: a hint, often right, never late by more than the poll interval.
   * `seq`: the newest entry that was seen, where it looked; whoever has read up to there need not read again.
   * `schemaChanged`: capture was renewed or a shape changed; cursors of these entities answer `shape`.
   */
  watch(listener: {
    wake(seq?: number): void
    schemaChanged(entities: readonly string[]): void
    failed(error: Error): void
  }): () => void

  stats(): Promise<StoreStats>
  close(): Promise<void>
}
