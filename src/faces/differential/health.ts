// What the figures mean. Pure.

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'

export interface Health {
  readonly status: HealthStatus
  /** What is wrong, and what helps; empty while healthy. */
  readonly recommendations: string[]
}

export interface Figures {
  readonly isConnected: boolean
  readonly isConnecting: boolean
  readonly averageLatency: number
  /** Percent. */
  readonly sub100msSuccessRate: number
  /** 0 to 100. */
  readonly qualityScore: number
}

const latencyMs = 200
const rate = 70
const score = 60

export function healthOf(figures: Figures): Health {
  const { isConnected, isConnecting, averageLatency, sub100msSuccessRate, qualityScore } = figures
  if (!isConnected) {
    const now = isConnecting ? 'Connecting' : 'Not connected'
    return { status: 'unhealthy', recommendations: [`${now}: check the network and websocketUrl`] }
  }
  const recommendations: string[] = []
  if (averageLatency > latencyMs)
    recommendations.push(
      `High latency (${Math.round(averageLatency)} ms): check the network and the server, or enable compression`,
    )
  if (sub100msSuccessRate < rate)
    recommendations.push(
      `Only ${Math.round(sub100msSuccessRate)}% of syncs took less than 100 ms: sync less at once`,
    )
  if (qualityScore < score)
    recommendations.push(
      `Poor connection (quality ${Math.round(qualityScore)}%): check the network's stability`,
    )
  return { status: recommendations.length === 0 ? 'healthy' : 'degraded', recommendations }
}
