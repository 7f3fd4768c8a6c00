// The door of the testing room: contract suites for one's own ports, a memory database that takes every liberty, and the
// seeded world.
export { seededRandom } from './random.ts'
export type { Random } from './random.ts'
export { skewedClock, timersOf, virtualTime } from './time.ts'
export type { Clock, Timers, VirtualTime } from './time.ts'
export { Network } from './network.ts'
export type { Line, LineOptions, NetworkOptions, ServerEnd } from './network.ts'
export { MemoryDatabase } from './memory-database.ts'
export type { Backup, DatabaseEnv, MemoryDatabaseOptions } from './memory-database.ts'
export { memoryApp } from './memory-app.ts'
export { memoryStore } from './memory-store.ts'
export type { MemoryStoreOptions } from './memory-store.ts'
export { ConstraintError, LockedError } from './memory-table.ts'
export type { ColumnSpec, Reference, Refusal, TableSpec } from './memory-table.ts'
export type { MemoryTransaction, RowChange } from './memory-transaction.ts'
export { contractDdl, contractTables, serverStoreContract, sqlApp } from './contracts/server-store.ts'
export type {
  App,
  AppTransaction,
  Expect,
  Expectation,
  Statements,
  StoreUnderTest,
  TestApi,
} from './contracts/server-store.ts'
export { fakePeer } from './fake-peer.ts'
export { clientStoreContract } from './contracts/client-store.ts'
export type { StoreHome } from './contracts/client-store.ts'
export { transportContract } from './contracts/transport.ts'
export type { TransportHome } from './contracts/transport.ts'
export type { Matchers, TestKit } from './contracts/kit.ts'
export { checkWorld, runWorld } from './world.ts'
export type { WorldOptions, WorldReport } from './world-report.ts'
export { memoryWorld } from './world-database.ts'
export type { MakeDatabase, WorldDatabase } from './world-database.ts'
export { sqliteWorld } from './world-sqlite.ts'
