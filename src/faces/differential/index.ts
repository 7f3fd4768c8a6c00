// The door of the differential client.
// reason: the client's document imports it so
// oxlint-disable-next-line import/no-default-export
export { DifferentialSyncClient as default, DifferentialSyncClient } from './client.ts'
export { SyncError } from '../../core/index.ts'
export type { Conflict, Conflicts, StorageDetail } from '../../client/index.ts'
export type {
  Delta,
  ErrorCode,
  FieldDelta as FieldChange,
  LamportClock,
  QualityMetrics,
  SyncAnswer,
  VectorClock,
} from '../../core/index.ts'
export type { DebouncedUpdate } from './debounce.ts'
export type {
  BandwidthValidated,
  DifferentialEvents,
  Origin,
  Performance,
  ReconnectScheduled,
  StateChange,
  StateUpdated,
} from './events.ts'
export type { Health, HealthStatus } from './health.ts'
export type { LocalState, StatePatch } from './local.ts'
export type { ConflictStrategy, DifferentialSyncClientOptions } from './options.ts'
export type { ConnectionStats, SyncStatus } from './status.ts'
