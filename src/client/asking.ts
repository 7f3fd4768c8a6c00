// What is asked of the connection: whoever asks for a sync is told when it is done. Neighbours: `client`, which is asked; `crew`, where another tab is to ask
// or has asked; the engine, which calls after every event.
import { SyncError } from '../core/index.ts'
import { connect, disconnect } from './client.ts'
import { connects } from './crew-state.ts'
import { need, post } from './crew.ts'
import { check, hopeful, linkOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { deferred } from './handles.ts'
import type { Deferred } from './handles.ts'
import type { TabMessage } from './tabs.ts'

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

/** It says when it is done; whoever comes after it is asked again. */
export function askLeader(engine: Engine, entity: string, id: string): void {
  post(engine, { type: 'do', what: 'sync', entity, id })
  need(engine, false)
}

/** Another tab wants something of the connection, which is here. */
export function asked(engine: Engine, { what, entity, id }: Extract<TabMessage, { type: 'do' }>): void {
  if (what === 'connect') connect(engine)
  else if (what === 'disconnect') disconnect(engine)
  else if (id !== undefined) syncFor(engine, entity, id)
}

/** That it is done is said behind all that came of it. Where it fails, the other tab is told of the connection. */
function syncFor(engine: Engine, entity: string, id: string): void {
  if (engine.crew.lead.role !== 'lead') return
  sync(engine, entity).then(
    async () => {
      await engine.disk.idle()
      post(engine, { type: 'synced', id })
    },
    () => {},
  )
}

/** The leader says so. */
export function synced(engine: Engine, id: string): void {
  const one = engine.syncs.find(sync => sync.id === id)
  one?.done.resolve()
  engine.syncs = engine.syncs.filter(sync => sync !== one)
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
