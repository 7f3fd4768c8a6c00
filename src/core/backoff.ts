// Reconnect delays. Jitter is downward only, so a delay is never longer than documented and exact when chance gives 0.

export interface BackoffPolicy {
  /** Milliseconds before attempt 1. */
  readonly initial: number
  /** The delays never exceed this. */
  readonly max: number
  readonly factor: number
  /** 0 to 1: the share of a delay that chance may take away. */
  readonly jitter: number
  /** So many, then none until somebody asks. Default: without end. */
  readonly attempts?: number
}

export const backoffPolicies = {
  rhtmx: { initial: 1000, max: 30_000, factor: 2, jitter: 0.2 },
} as const satisfies Record<string, BackoffPolicy>

/** The documented delay before attempt `attempt` (from 1). */
export function nominalDelay(policy: BackoffPolicy, attempt: number): number {
  return Math.min(policy.max, policy.initial * policy.factor ** (attempt - 1))
}

/** The delay really waited; `chance` is in [0, 1). */
export function jitteredDelay(policy: BackoffPolicy, attempt: number, chance: number): number {
  return Math.round(nominalDelay(policy, attempt) * (1 - policy.jitter * chance))
}
