// The other tabs of this browser, as far as the platform knows them: a channel that all of them hear, and a lock that
// one of them has. Neighbour: `crew`, which decides nothing about either. The messages are documented for users who
// listen on the channel themselves: `change` and `optimistic`, and the same by fields, carry what they say, and more.
import type { Cursor, ErrorBody, Json, Row } from '../core/index.ts'
import type { LinkState } from './link.ts'
import type { ChangeAction } from './state.ts'
import type { PendingRecord } from './store.ts'
import type { Transport } from './transport.ts'
import type { Wants } from './wants.ts'

/** The connection as all tabs are told of it. */
export interface LinkView {
  readonly state: LinkState
  readonly transport: Transport['name']
  readonly trying: Transport['name'] | null
  readonly attempt: number
  readonly delay: number
  readonly retryAt: number | null
  /** Nothing speaks against a connection yet. */
  readonly hope: boolean
  readonly code: number
  readonly reason: string
  /** Nobody asked for being offline. */
  readonly wanted: boolean
}

export interface ChangedRow {
  readonly entity: string
  readonly id: string
  readonly entity_id: string
  readonly action: ChangeAction
  /** As it is shown now; null where it is gone. */
  readonly data: Row | null
  readonly version: number
}

/** `field` and `value` are of the last field that changed; null where the row is gone. */
export interface ChangedField extends Omit<ChangedRow, 'data'> {
  readonly field: string | null
  readonly value: Json
  /** All of that row that changed. */
  readonly fields: Row
}

/** Where the leader stands. */
export interface Told {
  /** The greatest place of the server's log that it has heard of on this connection; beyond all before the first. */
  readonly head: number
  /** Temporary ids and what they became. */
  readonly renamed: readonly (readonly [from: string, to: string])[]
  /** Its cursors by entity; of one that it waits for, none. */
  readonly places: { readonly [entity: string]: Cursor | null }
}

export type TabMessage =
  /** Who leads? `stale`: and is everything stored? `n`: the greatest number that is known here. `wants`: of this tab. */
  | {
      readonly type: 'hello'
      readonly stale: boolean
      readonly n: number
      readonly tab: string
      readonly wants: Wants
    }
  /** The tab is left. */
  | { readonly type: 'bye'; readonly tab: string }
  /** The leader's: the server does not give what these filters ask for. */
  | {
      readonly type: 'refused'
      readonly entity: string
      readonly filters: readonly string[]
      readonly error: ErrorBody
    }
  /** The leader's: how the connection is; with `stored`, where its entities stand, all of it on disk. */
  | {
      readonly type: 'lead'
      readonly lead: number
      readonly link: LinkView
      readonly welcome: string | null
      readonly stored: Told | null
    }
  /** The leader's: a frame of the server that changed rows, and one of them. */
  | {
      readonly type: 'change'
      readonly entity: string
      readonly change: ChangedRow | null
      readonly frame: string
    }
  /** The same as the field script says it. */
  | { readonly type: 'field_change'; readonly change: ChangedField | null; readonly frame: string }
  | { readonly type: 'results'; readonly frame: string }
  /** Anybody's: these mutations are in `_pending` now. */
  | {
      readonly type: 'optimistic'
      readonly entity: string
      readonly entityId: string
      readonly data: Row | null
      readonly records: readonly PendingRecord[]
    }
  | {
      readonly type: 'optimistic_field'
      readonly entity: string
      readonly entityId: string
      readonly field: string | null
      readonly value: Json
      readonly records: readonly PendingRecord[]
    }
  | { readonly type: 'discarded'; readonly ns: readonly number[] }
  | { readonly type: 'cleared' }
  /** To the leader. `id`: of a sync, which is told of when it is done. */
  | {
      readonly type: 'do'
      readonly what: 'connect' | 'disconnect' | 'sync'
      readonly entity: string
      readonly id?: string
    }
  /** The leader's: what that sync asked for has been said to all tabs. */
  | { readonly type: 'synced'; readonly id: string }

/** With the client of the database that it is about. */
export type Posted = TabMessage & { readonly client: string }

export interface Channel {
  post(message: Posted): void
  close(): void
}

export interface LockEvents {
  granted(): void
  /** It was stolen. */
  lost(): void
}

export interface Lock {
  steal(): void
  release(): void
}

/** Null where the platform has no such thing. */
export interface Tabs {
  channel(name: string, hear: (message: Posted) => void): Channel | null
  /** Waits for its turn until `release`. */
  lock(name: string, events: LockEvents): Lock | null
}
