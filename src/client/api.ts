/// <reference lib="esnext.disposable" preserve="true" />
// The client as its users see it.
import type {
  BackoffPolicy,
  Cursor,
  EntityShape,
  EntitySource,
  Filter,
  NameOf,
  Row,
  RowOf,
  SyncError,
  Write,
} from '../core/index.ts'
import type { Conflicts } from './conflicts.ts'
import type { Encodable } from './encode.ts'
import type { ClientEnv } from './env.ts'
import type { LinkState } from './link.ts'
import type { Listener } from './live.ts'
import type { Query, QueryOptions } from './query.ts'
import type { ScopeOptions } from './filters.ts'
import type { Scope } from './scopes.ts'
import type { Change } from './state.ts'
import type { ClientStore } from './store.ts'
import type { Transport } from './transport.ts'

export interface ClientOptions<S extends readonly EntitySource[] = readonly EntitySource[]> {
  /** Where the sync routes are: absolute, or relative to the page (`/api/sync`). */
  readonly url: string
  /** Names, or definitions, from which the types of rows are inferred. */
  readonly entities: S
  /**
   * Of an entity, only the rows that match: the server sends no others. By columns that the definition there names in
   * `by`. `scope` asks for more while it is held.
   */
  readonly where?: { readonly [E in S[number] as NameOf<E>]?: Filter<RowOf<E>> }
  /** Default `auto`: IndexedDB where there is one. A function makes one store per user of this browser. */
  readonly store?: ClientStore | ((database: string) => ClientStore) | 'memory' | 'indexeddb' | 'auto'
  readonly env?: ClientEnv
  /** Best first. Default: WebSocket, then SSE with POST. */
  readonly transports?: readonly Transport[]
  /** Overrides what the server says, for the display of pending writes only: `server-wins` hides those that are bound to lose. */
  readonly strategy?: string | null
  readonly onError?: (error: SyncError) => void
  /** Silent unless given. */
  readonly debug?: (line: string, detail?: unknown) => void
  /** First part of the names of the database and the lock. Default `syncline`. */
  readonly name?: string
  /** Whose database is opened before the server has said who is there. Default: the last one's. */
  readonly user?: string | null
  /** WebSocket frames: true compresses those from 1 kB, false none. Default: true where the user saves data, else from 8 kB. */
  readonly enableCompression?: boolean
  /** Default: 1 s, doubling to 30 s, a fifth of it left to chance, without end. */
  readonly reconnect?: BackoffPolicy
  /** Milliseconds within which a connection is to be made and welcomed. Default: 10 s for either. */
  readonly connectTimeout?: number
  /** Milliseconds that an edit waits for others to be sent with. Default: none; a second where the user saves data. */
  readonly gather?: number
  /** Default true. False: `connect()` begins. */
  readonly autoConnect?: boolean
}

/** Rows by entity name; any, where none is named. */
export type RowsOf<S extends readonly EntitySource[]> = S extends readonly []
  ? { [entity: string]: Row }
  : { [E in S[number] as NameOf<E>]: RowOf<E> }

/** Columns of a row, all of them optional. Rows without a schema take whatever can be encoded. */
export type Fields<T> = string extends keyof T ? { readonly [column: string]: Encodable } : Partial<T>

export type Id = string | number | bigint | readonly (string | number)[]

export interface Confirmation {
  readonly status: 'applied' | 'merged' | 'conflict' | 'duplicate'
  /** The log place as of which it is settled. */
  readonly version: number
  /** The real id of the first row, where a temporary one was given. */
  readonly id: string
}

export interface WriteHandle {
  /** Of the first row; temporary (`tmp_...`) where the database assigns the key. */
  readonly id: string
  /** The mutation's number among those of all tabs; 0 until it is durable, and where nothing changed. */
  readonly n: number
  /** Durable on this device. Rejects STORAGE_FULL, STORAGE_FAILED; the write is sent all the same. */
  readonly persisted: Promise<void>
  /** Settled by the server and visible as such. Rejects with the reason where it was refused for good. */
  readonly confirmed: Promise<Confirmation>
}

export interface Transaction<R> {
  create<N extends keyof R & string>(
    entity: N,
    row: Fields<R[N]>,
    options?: { readonly upsert?: boolean },
  ): string
  update<N extends keyof R & string>(entity: N, id: Id, patch: Fields<R[N]>): void
  delete(entity: keyof R & string, id: Id): void
}

export type Target<R> = (keyof R & string) | { readonly entity: keyof R & string; readonly id: Id }

export interface PendingWrite {
  readonly n: number
  readonly writes: readonly Write[]
  /** Milliseconds since 1970. */
  readonly at: number
  readonly sent: boolean
}

export interface DeadLetter {
  readonly n: number
  readonly writes: readonly Write[]
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown }
  readonly at: number
}

export interface StateDetail {
  readonly state: LinkState
  readonly previous: LinkState
  readonly transport: Transport['name']
  /** A better one that is still tried while data flows over `transport`. */
  readonly trying: Transport['name'] | null
  /** Attempts of the best transport that failed since it was last connected. */
  readonly attempt: number
  /** The documented delay of the attempt that is waited for. */
  readonly delay: number
  readonly nextRetryAt: number | null
  readonly code: number
  readonly reason: string
}

export interface Status {
  readonly state: LinkState
  readonly transport: Transport['name']
  /** A better one that is still tried while data flows over `transport`. */
  readonly trying: Transport['name'] | null
  readonly attempt: number
  readonly nextRetryAt: number | null
  readonly pending: number
  readonly deadLetters: number
  readonly oldestUnsentAt: number | null
  readonly cursors: { readonly [entity: string]: Cursor | null }
  readonly storage: ClientStore['kind']
  readonly client: string
  readonly user: string | null
  readonly lastError: SyncError | null
  /** This tab has the connection; the others of this browser follow it. */
  readonly leader: boolean
}

export interface StorageDetail {
  readonly storage: ClientStore['kind']
  /**
   * failed: storing went wrong. busy: another tab has the database, and this browser's tabs cannot share it. evicted: the
   * browser has thrown away what was on this device; it is loaded anew.
   */
  readonly reason: 'failed' | 'busy' | 'evicted'
  /** With `evicted`: how many edits may be lost with it, at most: those that the server had not confirmed, and dead letters. */
  readonly lost?: number
  readonly error: SyncError | null
}

export interface ClientEvents {
  state: StateDetail
  changed: Change
  rejected: DeadLetter & { readonly cause: SyncError }
  ready: { readonly storage: ClientStore['kind']; readonly synced: boolean }
  storage: StorageDetail
  /** Another user signed in: the client goes on with that user's own database. */
  user: string
  error: SyncError
}

export interface Client<R = Record<string, Row>> {
  /** Without a value for the key, the row gets a temporary id and the database assigns the real one. */
  create<N extends keyof R & string>(
    entity: N,
    row: Fields<R[N]>,
    options?: { readonly upsert?: boolean },
  ): WriteHandle
  update<N extends keyof R & string>(entity: N, id: Id, patch: Fields<R[N]>): WriteHandle
  delete(entity: keyof R & string, id: Id): WriteHandle
  /** All writes of `run` are stored together or not at all; if it throws, there are none. */
  transaction(run: (tx: Transaction<R>) => void): WriteHandle
  /** What is shown is the client's own: to change a row, write it. The same of all that hand out rows. */
  get<N extends keyof R & string>(entity: N, id: Id): Readonly<R[N]> | undefined
  getAll<N extends keyof R & string>(entity: N): readonly Readonly<R[N]>[]
  /** The same references come back while nothing changed. */
  getSnapshot<N extends keyof R & string>(target: N): readonly Readonly<R[N]>[]
  getSnapshot<N extends keyof R & string>(target: {
    readonly entity: N
    readonly id: Id
  }): Readonly<R[N]> | undefined
  /** The rows that match, in order, kept up to date until it is closed. Throws UNKNOWN_ENTITY, INVALID_CONFIG. */
  query<N extends keyof R & string>(entity: N, options?: QueryOptions<R[N]>): Query<R[N]>
  /**
   * Asks for these rows as well, until it is closed; also of an entity that the client was not made with. Throws
   * INVALID_CONFIG.
   */
  scope<N extends string>(entity: N, options?: ScopeOptions<N extends keyof R ? R[N] : Row>): Scope
  /** Called once per batch or transaction that changed what is seen. */
  subscribe(target: Target<R>, listener: Listener): () => void
  /** Columns with their kinds, and the key; null before the server has told. */
  shape(entity: keyof R & string): EntityShape | null
  /** What somebody wrote and did not survive, to be settled. */
  readonly conflicts: Conflicts
  on<K extends keyof ClientEvents>(event: K, listener: (detail: ClientEvents[K]) => void): () => void
  pending(): PendingWrite[]
  deadLetters(): DeadLetter[]
  /**
   * Sends a dead letter again, under a new number. `writes`: these in the place of its own, made as of now. Throws
   * NOT_FOUND.
   */
  retry(n: number, writes?: readonly Write[]): WriteHandle
  discard(n: number): void
  status(): Status
  readonly online: boolean
  /** The store is open, and the first sync is done or has failed. */
  readonly ready: Promise<void>
  /** Asks again now; resolves when caught up. Rejects NOT_CONNECTED, UNKNOWN_ENTITY. */
  sync(entity: keyof R & string): Promise<void>
  connect(): void
  /** Offline on purpose, until `connect`. */
  disconnect(): void
  /** Forgets rows and pending writes of this device, and begins anew. */
  clear(): Promise<void>
  /**
   * Takes over the unsent edits that were made in this browser before anybody was signed in; how many they were. They
   * stay where they are until then: who made them is not known.
   */
  adopt(): Promise<number>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Without what a small script leaves out. */
export type BareClient<R = Record<string, Row>> = Omit<
  Client<R>,
  'query' | 'scope' | 'conflicts' | 'getSnapshot' | typeof Symbol.asyncDispose
>
