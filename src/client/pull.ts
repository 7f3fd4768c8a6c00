// Asking for an entity until it is answered: a time for each answer, and a ladder of delays between the questions. For
// those who want to know how a sync ended, not only that there will be one.
import { jitteredDelay, SyncError } from '../core/index.ts'
import type { BackoffPolicy } from '../core/index.ts'
import { checkEntity } from './client.ts'
import { check, linkOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { deferred } from './handles.ts'
import type { Kept } from './state.ts'

export interface Patience {
  /** Milliseconds without a sign of the answer after which the question counts as lost. */
  readonly answerMs: number
  /** Between the questions, and how many they are at most. */
  readonly policy: BackoffPolicy
}

/**
 * Resolves when the entity is caught up. Rejects NOT_CONNECTED, UNKNOWN_ENTITY, SYNC_TIMEOUT, or with what the server
 * refused it with.
 */
export async function pull(engine: Engine, entity: string, { answerMs, policy }: Patience): Promise<void> {
  checkEntity(engine, entity)
  const kept = engine.replica.state.entities.get(entity)
  if (kept === undefined || linkOf(engine).state !== 'ready')
    throw new SyncError('NOT_CONNECTED', 'there is no connection')
  const { env } = engine
  const done = deferred<void>()
  tell(engine, { type: 'ask', entity, again: kept.refused !== false })
  const sync = { entity, done }
  engine.syncs.push(sync)
  let cancel = (): void => {}
  const wait = (attempt: number, before: number): void => {
    cancel = env.after(answerMs, () => {
      const now = progress(kept)
      if (now !== before) return wait(attempt, now)
      if (attempt > (policy.attempts ?? Infinity)) {
        engine.syncs = engine.syncs.filter(one => one !== sync)
        // who asks next would wait for an answer that may be older than their question
        kept.asked = false
        return done.reject(new SyncError('SYNC_TIMEOUT', `no answer about '${entity}'`))
      }
      cancel = env.after(jitteredDelay(policy, attempt, env.random()), () => {
        tell(engine, { type: 'ask', entity, again: true })
        wait(attempt + 1, progress(kept))
      })
    })
  }
  wait(1, progress(kept))
  check(engine)
  try {
    await done.promise
  } finally {
    cancel()
  }
  if (kept.refused) throw engine.lastError ?? new SyncError('UNKNOWN_ENTITY', `no entity '${entity}' there`)
}

/** How much of a long answer is here. */
function progress({ stage, heal }: Kept): number {
  return (stage?.parts.length ?? 0) + (heal?.staged.size ?? 0)
}

/** While its answer will be known by what it is, a live batch that crosses the question is not taken for it. */
export function owe({ replica }: Engine, entity: string, owed: boolean): void {
  const kept = replica.state.entities.get(entity)
  if (kept !== undefined) kept.shifting = owed
}

/** Whether an entity is followed; what is held of it stays, and unsent edits too. */
export function follow(engine: Engine, entity: string, wanted: boolean): void {
  checkEntity(engine, entity)
  tell(engine, { type: 'want', entity, wanted })
}
