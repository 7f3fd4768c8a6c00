// Whoever asks for a sync is told when it is done. Neighbours: `client`, which is asked; the engine, which calls after every
// event.
import { SyncError } from '../core/index.ts'
import { connects } from './crew-state.ts'
import { post } from './crew.ts'
import { check, hopeful, linkOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { deferred } from './handles.ts'

/** Rejects NOT_CONNECTED. */
export function sync(engine: Engine, entity: string): Promise<void> {
  const done = deferred<void>()
  // a welcome asks for everything
  if (!connects(engine)) post(engine, { type: 'do', what: 'sync', entity })
  if (linkOf(engine).state === 'ready') tell(engine, { type: 'ask', entity })
  engine.syncs.push({ entity, done })
  check(engine)
  return done.promise
}

export function answer(engine: Engine): void {
  const link = linkOf(engine)
  const { entities } = engine.replica.state
  const first = hopeful(engine)
  engine.syncs = engine.syncs.filter(({ entity, done }) => {
    const ready = link.state === 'ready'
    if (!ready && !first) done.reject(new SyncError('NOT_CONNECTED', 'there is no connection'))
    else if (ready && entities.get(entity)?.current !== false) done.resolve()
    else return true
    return false
  })
}
