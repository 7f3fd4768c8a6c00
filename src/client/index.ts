// The door of the client: one client, its ports, and what implements them.
export { defineEntity, errorCodes, SyncError, SyncStrategy, FieldMergeStrategy } from '../core/index.ts'
export type {
  Cursor,
  EntityDefinition,
  EntityOptions,
  ErrorBody,
  ErrorCode,
  Filter,
  Json,
  Order,
  Row,
} from '../core/index.ts'
export { clientOf } from './client.ts'
export { allParts, askForRecords, createClient } from './create-client.ts'
export { callHome, closedError, linkOf } from './engine.ts'
export type { Engine, Parts } from './engine.ts'
export { home } from './home.ts'
export type { Home } from './home.ts'
export type { Desk } from './desk.ts'
export { lazyTransport } from './lazy.ts'
export type {
  BareClient,
  Client,
  ClientEvents,
  ClientOptions,
  Confirmation,
  DeadLetter,
  Fields,
  Id,
  PendingWrite,
  RowsOf,
  StateDetail,
  Status,
  StorageDetail,
  Target,
  Transaction,
  WriteHandle,
} from './api.ts'
export { conflictsOf } from './conflicts.ts'
export type { Conflict, Conflicts } from './conflicts.ts'
export { bytesIn } from './bytes.ts'
export type { Encodable } from './encode.ts'
export { pageEnv } from './env.ts'
export type { ClientEnv, Hint, Notes } from './env.ts'
export { indexedDBStore } from './idb.ts'
export { wantMore } from './want-more.ts'
export { memoryStore } from './memory.ts'
export { follow, owe, pull } from './pull.ts'
export type { Patience } from './pull.ts'
export { measured, Quality } from './quality.ts'
export type { Traffic } from './quality.ts'
export type { Query, QueryOptions } from './query.ts'
export type { ScopeOptions } from './filters.ts'
export type { Scope } from './scopes.ts'
export { longPollTransport } from './transport-long-poll.ts'
export { sseTransport } from './transport-sse.ts'
export { tokenTransports } from './transport-token.ts'
export { webSocketTransport } from './transport-websocket.ts'
export type { LinkState } from './link.ts'
export { firstDraft } from './store.ts'
export { platform, platformEnv } from './platform.ts'
export type { ChangedField, ChangedRow, Channel, Lock, LockEvents, Posted, TabMessage, Tabs } from './tabs.ts'
export type { Change, ChangeAction, Source } from './state.ts'
export type {
  Claimed,
  ClientStore,
  EntityCommit,
  Held,
  Identity,
  Loaded,
  Overlay,
  PendingRecord,
  Saved,
  Saving,
  StoredRow,
} from './store.ts'
export type { Connection, Transport, TransportEvents } from './transport.ts'
