// The beginning of a client on a store, and the change to another client where its disk gives up.
import type { SyncError } from '../core/index.ts'
import { drive } from './connector.ts'
import { join, leads, leave, need } from './crew.ts'
import { asError, check, emit, newDisk, newIdentity, newReplica, storageFailed, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { noStore } from './memory.ts'
import { firstDraft } from './store.ts'
import type { ClientStore, Identity, Loaded } from './store.ts'

/**
 * Begins with what `store` holds; pending promises stay with the store that holds their mutations. `shared`: the name
 * under which other tabs have the same store, and one of them leads; null: nobody else has it. `user`: whose it is, where
 * it was emptied.
 */
export async function boot(
  engine: Engine,
  store: ClientStore,
  shared: string | null,
  user: string | null = null,
): Promise<void> {
  const fresh = newIdentity(engine.env, user)
  const { loaded, identity, failed } = await open(engine, store, fresh, shared === null)
  const { replica: before, shelves } = engine
  if (failed !== null) store = noStore()
  engine.store = store
  engine.storage = store.kind
  engine.disk = newDisk(() => engine, store)
  engine.replica = newReplica(engine.options, engine.entities, engine.env, identity, engine.parts)
  engine.handles = shelves.get(identity.client) ?? new Map()
  shelves.set(identity.client, engine.handles)
  if (failed === null && shared !== null) join(engine, shared, identity.lead)
  tell(engine, { type: 'role', follows: !leads(engine), lead: identity.lead })
  tell(engine, { type: 'loaded', loaded: { ...loaded, identity } })
  const all = new Map(engine.entities.map(entity => [entity, null]))
  engine.live.forget(all)
  for (const { name: entity, rows, overlays } of before.state.entities.values()) {
    const ids = [...new Set([...rows.keys(), ...overlays.keys()])].filter(id => before.view(entity, id))
    if (ids.length > 0)
      emit(engine, 'changed', { entity, ids, action: 'delete', source: 'local', version: 0 })
  }
  engine.live.notify(all)
  engine.tidying()
  Object.assign(engine, { broken: null, rowsLost: null, moulted: failed !== null })
  if (failed !== null) storageFailed(engine, failed)
  const { early } = engine
  engine.early = null
  for (const run of early ?? []) run()
  check(engine)
  need(engine, true)
}

/** What is stored, and who we are. Alone with a store, each load of a page is a lead of its own: an older one is fenced. */
async function open(
  engine: Engine,
  store: ClientStore,
  fresh: Identity,
  alone: boolean,
): Promise<{ loaded: Loaded; identity: Identity; failed: SyncError | null }> {
  let loaded: Loaded = { identity: null, entities: new Map(), pending: [] }
  try {
    loaded = await store.load(engine.entities)
    const known = loaded.identity ?? fresh
    const { identity } = await store.claim(known, alone ? known.lead : null)
    // numbers that other tabs took in between are not known yet
    return { loaded, identity: { ...identity, n: known.n }, failed: null }
  } catch (cause) {
    // what cannot be noted is a client of its own: what waits on this disk is left to the one that can strike it off,
    // while whose rows these are stays known
    const identity = { ...(loaded.identity ?? fresh), client: fresh.client }
    return { loaded: { ...loaded, pending: [] }, identity, failed: asError(cause, 'STORAGE_FAILED') }
  }
}

/**
 * Mutations that the disk cannot take get numbers of another client, which nobody else gives: those of this one are
 * counted on the disk. They wait until what has its number already is settled.
 */
export function moult(engine: Engine): void {
  const { replica, env, shelves, crew, rowsLost } = engine
  // others read from this disk what the tab that leads stores there: one that cannot store rows must not lead them
  if (engine.broken === null && rowsLost !== null && crew.others) storageFailed(engine, rowsLost)
  const [first = 0] = replica.state.entries.keys()
  if (engine.broken === null || engine.moulted) return
  if (crew.lead.role !== 'follow' && first > 0 && first < firstDraft) return
  engine.moulted = true
  leave(engine)
  engine.store = noStore()
  engine.disk = newDisk(() => engine, engine.store)
  const client = env.unique()
  shelves.set(client, engine.handles)
  drive(engine.connector, { type: 'stop' })
  tell(engine, { type: 'moult', client })
  if (engine.wanted && !engine.closed) drive(engine.connector, { type: 'start' })
}
