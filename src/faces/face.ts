// What the globals of all scripts have in common: the documented names over the one client. Nothing is decided here.
// Neighbours on the line: the page's calls before it, the client behind it.
import type { BareClient as Client, Confirmation, Encodable, Id, Status } from '../client/index.ts'
import type { Action } from '../core/index.ts'
import type { ReadyDetail } from './events.ts'
import type { Lazy } from './lazy.ts'
import type { Place } from './page.ts'
import type { ConnectionState } from './words.ts'

/** What became of a `pushChange`. */
export interface PushResult {
  /** `queued`: stored on this device and sent as soon as the server can be reached. */
  readonly status: Confirmation['status'] | 'queued'
  readonly entity: string
  /** The row's id; temporary (`tmp_...`) while it is queued and the database assigns the key. */
  readonly id: string
  /** The place in the log as of which it is settled; null while it is queued. */
  readonly version: number | null
}

/** Columns and what they are given. */
export interface RowData {
  readonly [column: string]: Encodable
}

export interface RhtmxStatus extends Omit<Status, 'state'> {
  readonly state: ConnectionState
  readonly online: boolean
}

type Lent = Pick<
  Client,
  | 'get'
  | 'getAll'
  | 'pending'
  | 'deadLetters'
  | 'retry'
  | 'discard'
  | 'connect'
  | 'disconnect'
  | 'clear'
  | 'adopt'
>

export interface Face extends Lent {
  /** The copy on this device is open, and the first sync is done or has failed. */
  readonly ready: Promise<void>
  /**
   * Writes a row: shown at once, kept over a reload, sent in order. Resolves with the server's answer, or with
   * `status: 'queued'` as soon as it is stored while the server cannot be reached. Rejects with a SyncError where the
   * server refuses it, which also fires `rhtmx:mutation:rejected`. `id` null in a create: the database assigns it.
   */
  pushChange(entity: string, id: Id | null | undefined, action: Action, data?: RowData): Promise<PushResult>
  /** Asks the server again now; resolves when caught up. */
  syncEntity(entity: string): Promise<void>
  /** Prints only with data-debug="true". */
  log(...message: readonly unknown[]): void
  readonly isOnline: boolean
  status(): RhtmxStatus
  /** The whole client, with typed writes, transactions and subscriptions. */
  readonly client: Client
}

export function faceOf({ page, named, synced, ready }: Place, kind: ReadyDetail['client']): Face {
  const { client, log, tell } = page
  let lazy: Lazy | null = null
  void page.later.then(made => (lazy = made))
  void synced.then(() =>
    tell('sync:ready', { client: kind, online: client.online, storage: client.status().storage }),
  )
  // a copy of it would not move
  const { online: _, ...lent } = client
  return {
    ...lent,
    ready,
    async pushChange(entity, id, action, data = {}) {
      if (named !== null && !(entity in client.status().cursors)) await named
      return (lazy ?? (await page.second())).push(entity, id, action, data)
    },
    syncEntity: entity => client.sync(entity),
    log,
    get isOnline() {
      return client.online
    },
    status: () => ({ ...client.status(), state: page.word(), online: client.online }),
    client,
  }
}
