// What the client tells, by the documented names.
import type {
  Action,
  Delta,
  Json,
  QualityMetrics,
  SyncAnswer,
  SyncError,
  VectorClock,
} from '../../core/index.ts'
import type { Conflict, StorageDetail } from '../../client/index.ts'
import type { LocalState } from './local.ts'

/** Who changed it: this client, another one, or the server, which did not keep what was written here. */
export type Origin = 'local' | 'remote' | 'rollback'

export interface StateChange {
  readonly entityType: string
  /** `$self` for the fields of the type itself. */
  readonly entityId: string
  readonly field: string
  readonly oldValue: Json
  readonly newValue: Json
  readonly changeType: Action
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly source: Origin
}

export interface StateUpdated {
  readonly entityType: string
  readonly newState: LocalState
  readonly oldState: LocalState
  readonly source: Origin
}

export interface Performance {
  readonly entityType: string
  /** Milliseconds of this sync. */
  readonly duration: number
  /** Percent of the latest syncs that took less than 100 ms. */
  readonly sub100msRate: number
  readonly averageLatency: number
}

export interface BandwidthValidated {
  readonly entityType: string
  /** Whether `actualReduction` reaches `targetReduction`. */
  readonly isValid: boolean
  /** 0 to 1: how much less came than the whole rows are. */
  readonly actualReduction: number
  readonly targetReduction: number
  /** Bytes of the rows concerned, as JSON. */
  readonly fullSize: number
  /** Bytes of the frames that came. */
  readonly deltaSize: number
  readonly timestamp: number
}

export interface ReconnectScheduled {
  /** From 1. */
  readonly attempt: number
  /** Milliseconds, as really waited. */
  readonly delay: number
  readonly maxRetries: number
}

export interface DifferentialEvents {
  connected: { readonly clientId: string; readonly url: string }
  disconnected: { readonly code: number; readonly reason: string; readonly intentional: boolean }
  error: SyncError
  'reconnect:scheduled': ReconnectScheduled
  'reconnect:failed': { readonly attempts: number }
  'sync:requested': {
    readonly syncId: string
    readonly entityType: string
    readonly lastKnownVectorClock: VectorClock
    readonly timestamp: number
  }
  'sync:response': SyncAnswer
  'sync:delta': Delta
  'sync:performance': Performance
  'state:updated': StateUpdated
  'state:change': StateChange
  'delta:processed': Delta
  'deltas:processed': { readonly count: number; readonly deltas: readonly Delta[] }
  'quality:updated': QualityMetrics
  'bandwidth:validated': BandwidthValidated
  subscribed: { readonly entityType: string }
  unsubscribed: { readonly entityType: string }
  conflict: Conflict
  storage: StorageDetail
}
