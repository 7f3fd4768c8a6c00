import { expect, test } from 'vitest'
import { backoffPolicies, jitteredDelay, nominalDelay } from './backoff.ts'
import { afterClose } from './close-codes.ts'
import type { ErrorCode } from './errors.ts'
import { errorCodes, statusOf } from './error-codes.ts'
import { SyncError, isRetryable } from './errors.ts'

test('[K2] delays are the documented ones, jitter only shortens them', () => {
  const policy = backoffPolicies.rhtmx
  expect([1, 2, 3, 4, 5, 6, 7, 99, 5000].map(attempt => nominalDelay(policy, attempt))).toEqual([
    1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000,
  ])
  for (let chance = 0; chance < 1; chance += 0.1) {
    const delay = jitteredDelay(policy, 3, chance)
    expect(delay).toBeLessThanOrEqual(4000)
    expect(delay).toBeGreaterThanOrEqual(3200)
  }
  expect(jitteredDelay(policy, 1, 0)).toBe(1000)
})

test('[K4] every close code says what comes then; strangers are lost connections', () => {
  expect([4401, 4403, 4409, 4400, 1008, 1012, 1013, 1000, 4408].map(afterClose)).toEqual([
    'auth',
    'auth',
    'stop',
    'stop',
    'stop',
    'retry',
    'retry',
    'retry',
    'retry',
  ])
  for (const code of [0, 4999, 1005, Number.NaN, -1]) expect(afterClose(code)).toBe('retry')
})

test('[Q4] errors say whether the same request may succeed later', () => {
  expect(Object.keys(errorCodes).filter(code => isRetryable(code as ErrorCode))).toEqual([
    'RATE_LIMITED',
    'UNKNOWN_SESSION',
    'OVERLOADED',
    'DATABASE_BUSY',
    'DATABASE_FULL',
    'DATABASE_FAILED',
    'CLOSED',
    'INTERNAL',
    'NOT_CONNECTED',
    'CONNECTION_TIMEOUT',
    'CONNECTION_FAILED',
    'CONNECTION_LOST',
    'SYNC_TIMEOUT',
  ])
  const error = new SyncError('RATE_LIMITED', 'slow down', { retryAfterMs: 5, details: { a: 1 } })
  expect([error.retryable, statusOf(error), JSON.parse(JSON.stringify(error))]).toEqual([
    true,
    429,
    { code: 'RATE_LIMITED', message: 'slow down', retry_after_ms: 5, details: { a: 1 } },
  ])
})
