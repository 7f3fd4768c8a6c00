// What the client says of itself.
import type { QualityMetrics, SyncError } from '../../core/index.ts'
import type { BareClient, Quality, Status, Traffic } from '../../client/index.ts'
import type { Connecting } from './connection.ts'
import type { Figures, HealthStatus } from './health.ts'

export interface SyncStatus {
  readonly isConnected: boolean
  readonly isConnecting: boolean
  readonly isSubscribed: boolean
  readonly connectionHealth: HealthStatus
  /** Milliseconds: of the latest syncs, or of pings where there was none. */
  readonly averageLatency: number
  /** Percent; 100 while nothing was measured. */
  readonly sub100msSuccessRate: number
  /** 0 to 100. */
  readonly qualityScore: number
  /** Milliseconds since 1970. */
  readonly lastSyncTime: number | null
  readonly reconnectAttempts: number
  /** Changes of this client that the server has not settled. */
  readonly pendingChanges: number
  /** `memory`: state and unsent changes end with this page, also where a disk was asked for. */
  readonly storage: Status['storage']
  readonly entityTypes: readonly string[]
  readonly subscribedTypes: readonly string[]
  readonly error: SyncError | null
}

export interface ConnectionStats extends Traffic, QualityMetrics {
  readonly isConnected: boolean
  readonly isConnecting: boolean
  readonly transport: string
  readonly reconnectAttempts: number
  /** Connections made, and lost. */
  readonly connections: number
  readonly losses: number
  /** Milliseconds since 1970. */
  readonly connectedAt: number | null
}

export function statsOf(
  client: BareClient,
  { metrics, traffic }: Quality,
  { connections, losses, connectedAt }: Connecting,
  { isConnected, isConnecting }: Figures,
): ConnectionStats {
  const { transport, attempt: reconnectAttempts } = client.status()
  return {
    ...metrics,
    ...traffic,
    isConnected,
    isConnecting,
    transport,
    reconnectAttempts,
    connections,
    losses,
    connectedAt,
  }
}
