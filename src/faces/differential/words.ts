// One state of the link, this face's words for it. Pure: what happened comes in, what is to be told goes out.
import { noAnswer, SyncError } from '../../core/index.ts'
import type { StateDetail } from '../../client/index.ts'

export type Word =
  | { readonly say: 'connected' }
  | {
      readonly say: 'disconnected'
      readonly code: number
      readonly reason: string
      readonly intentional: boolean
    }
  | { readonly say: 'error'; readonly error: SyncError }
  | { readonly say: 'reconnect:scheduled'; readonly attempt: number; readonly at: number }
  | { readonly say: 'reconnect:failed' }

/** `attempts`: how many retries there are at most. */
export function wordsOf(detail: StateDetail, wasConnected: boolean, url: string, attempts: number): Word[] {
  const { state, previous, code, reason, attempt, nextRetryAt } = detail
  if (state === 'ready') return wasConnected ? [] : [{ say: 'connected' }]
  const words: Word[] = []
  // of what was ended on purpose, the link still has the end of some attempt before
  if (wasConnected && state === 'idle')
    words.push({ say: 'disconnected', code: 1000, reason: '', intentional: true })
  else if (wasConnected) words.push({ say: 'disconnected', code, reason, intentional: false })
  const ended = state === 'waiting' || state === 'stopped'
  if (ended && previous !== 'waiting') words.push({ say: 'error', error: errorOf(detail, wasConnected, url) })
  if (state !== 'waiting') return words
  if (nextRetryAt !== null) words.push({ say: 'reconnect:scheduled', attempt, at: nextRetryAt })
  else if (attempts > 0) words.push({ say: 'reconnect:failed' })
  return words
}

function errorOf({ code, reason }: StateDetail, wasConnected: boolean, url: string): SyncError {
  const details = { code, reason, url }
  if (code === 4401) return new SyncError('AUTH_REQUIRED', 'the server asks for a sign-in', { details })
  if (code === 4403) return new SyncError('FORBIDDEN', 'the server lets this user not in', { details })
  if (wasConnected) return new SyncError('CONNECTION_LOST', `the connection to ${url} was lost`, { details })
  if (reason === noAnswer)
    return new SyncError('CONNECTION_TIMEOUT', `${url} did not answer in time`, { details })
  return new SyncError('CONNECTION_FAILED', `no connection to ${url}`, { details })
}
