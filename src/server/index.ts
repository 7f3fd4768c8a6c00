// The root door: the server.
export { SyncEngine, createSyncEngine } from './engine.ts'
export type { EngineStats } from './engine.ts'
export { SyncConfig } from './config.ts'
export type { FieldSync, SyncOptions } from './config.ts'
export { defaultServerLimits } from './limits.ts'
export type { Rate, ServerLimits } from './limits.ts'
export type { SyncRoutes } from './routes.ts'
export type { UpgradableServer } from './upgrade.ts'
export type { Logger, ServerEnv } from './env.ts'
export { nodeEnv } from './env.ts'
export type { AuthRequest, Authenticate, SignOut, SignOuts, User } from './user.ts'
export type { Bus } from './bus.ts'
export { localBus } from './bus.ts'
export type { Peer, PeerEvents } from './peer.ts'
export { Frame } from './frames.ts'
export type * from './store.ts'
export { conflictsEntity, conflictsTable } from './conflicts.ts'
export { lossesOf, mayLose, recordOver, recordsOf, refusedLosses, withinSight } from './losses.ts'
export type { Judged, Loss } from './losses.ts'
export { cellsAbove, settleRow } from './settle.ts'
export type { Gone, Line, Settled, TailEntry } from './settle.ts'
export { isSqliteHandle, sqliteStore, uninstall } from './sqlite/index.ts'
export { defineEntity, errorCodes, FieldMergeStrategy, SyncError, SyncStrategy } from '../core/index.ts'
export type {
  ConflictResolver,
  EntityDefinition,
  EntityOptions,
  EntitySource,
  ErrorBody,
  ErrorCode,
  Grain,
  ResolveContext,
  ResolverFunction,
  Row,
  StandardSchema,
} from '../core/index.ts'
