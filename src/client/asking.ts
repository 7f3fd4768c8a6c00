// Whoever asks for a sync is told when it is done. Neighbours: `client`, which is asked; the engine, which calls after every
// event.
import { SyncError } from '../core/index.ts'
import { connects } from './crew-state.ts'
import { askLeader } from './crew.ts'
import { check, hopeful, linkOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { deferred } from './handles.ts'
import type { Deferred } from './handles.ts'

/** Somebody waits until a scope is caught up. */
export interface Sync {
  readonly entity: string
  /** Of what a leader is asked for, which says so when it is done. */
  readonly id?: string
  readonly done: Deferred<void>
}

/** Rejects NOT_CONNECTED. */
export function sync(engine: Engine, entity: string): Promise<void> {
  const done = deferred<void>()
  const id = engine.env.unique()
  // a welcome asks for everything
  if (!connects(engine)) askLeader(engine, entity, id)
  else if (linkOf(engine).state === 'ready') tell(engine, { type: 'ask', entity })
  engine.syncs.push({ entity, id, done })
  check(engine)
  return done.promise
}

export function answer(engine: Engine): void {
  const link = linkOf(engine)
  const { entities } = engine.replica.state
  const first = hopeful(engine)
  const isOurs = connects(engine)
  engine.syncs = engine.syncs.filter(({ entity, id, done }) => {
    const ready = link.state === 'ready'
    if (!ready && !first) done.reject(new SyncError('NOT_CONNECTED', 'there is no connection'))
    else if (ready && (isOurs || id === undefined) && entities.get(entity)?.current !== false) done.resolve()
    else return true
    return false
  })
}
