// The beginning of a client on a store.
import type { SyncError } from '../core/index.ts'
import { drive } from './connector.ts'
import { join, need } from './crew.ts'
import { leads } from './crew-state.ts'
import { asError, check, emit, newIdentity, newReplica, tell } from './engine.ts'
import { newDisk, storageFailed } from './engine-disk.ts'
import type { Engine } from './engine.ts'
import { noStore } from './memory.ts'
import { noteOwner, openAnother } from './opening.ts'
import { taken } from './store.ts'
import type { ClientStore, Identity, Loaded } from './store.ts'
import type { Wants } from './wants.ts'

/**
 * Begins with what `store` holds; pending promises stay with the store that holds their mutations. `shared`: the name
 * under which other tabs have the same store, and one of them leads; null: nobody else has it. `user`: whose it is, where
 * it was emptied or is new.
 */
export async function boot(
  engine: Engine,
  store: ClientStore,
  shared: string | null,
  user: string | null = null,
): Promise<void> {
  const fresh = engine.visiting ? engine.replica.state.identity : newIdentity(engine.env, user)
  // what is wanted from here on is read when this is done
  const { wants } = engine
  const { loaded, identity, failed } = await open(store, Object.keys(wants), fresh, shared === null)
  const { user: mine } = engine.replica.state.identity
  const { user: owner } = identity
  if (engine.visiting && mine !== null && owner !== null && owner !== mine) {
    await store.close()
    return goOn(engine, mine, owner)
  }
  if (failed !== null) store = noStore()
  engine.store = store
  engine.storage = store.kind
  store.onGone?.(() => {
    if (engine.store !== store) return
    storageFailed(engine, taken)
    // also where it took nothing any more before: it has no leader now
    engine.broken = taken
    check(engine)
  })
  engine.disk = newDisk(() => engine, store)
  const { shelves } = engine
  engine.handles = shelves.get(identity.client) ?? new Map()
  shelves.set(identity.client, engine.handles)
  const name = failed !== null ? null : shared
  if (engine.visiting) moveIn(engine, { ...loaded, identity }, name)
  else startAnew(engine, { ...loaded, identity }, name, wants)
  engine.tidying()
  Object.assign(engine, { broken: null, rowsLost: null, moulted: failed !== null })
  if (failed !== null) storageFailed(engine, failed)
  const { early } = engine
  engine.early = null
  for (const run of early ?? []) whenOpen(engine, run)
  check(engine)
  need(engine, true)
}

/** One of them may have gone on to another database, where the others are meant to go. */
function whenOpen({ early }: Engine, run: () => void): void {
  if (early === null) run()
  else early.push(run)
}

type Opened = Loaded & { readonly identity: Identity }

function startAnew(engine: Engine, loaded: Opened, shared: string | null, wants: Wants): void {
  const { replica: before } = engine
  const { identity } = loaded
  const all = new Map(Object.keys(engine.wants).map(entity => [entity, null]))
  engine.replica = newReplica(engine.options, wants, engine.env, identity, engine.home)
  engine.live.forget(all)
  for (const { name: entity, rows, overlays } of before.state.entities.values()) {
    const ids = [...new Set([...rows.keys(), ...overlays.keys()])].filter(id => before.view(entity, id))
    if (ids.length > 0)
      emit(engine, 'changed', { entity, ids, action: 'delete', source: 'local', version: 0 })
  }
  if (shared !== null) join(engine, shared, identity.lead)
  tell(engine, { type: 'role', follows: !leads(engine), lead: identity.lead })
  for (const { name: entity, wanted } of before.state.entities.values())
    if (!wanted) tell(engine, { type: 'want', entity, wanted })
  // another tab may have filled it already
  tell(engine, { type: 'loaded', loaded, anew: engine.isReady })
  engine.live.forget(all)
  engine.live.notify(all)
}

/** In memory, until the database of the one whose rows these are is open: what was written meanwhile waits for it. */
function goOn(engine: Engine, user: string, owner: string): void {
  // who comes back finds what is theirs
  noteOwner(engine, owner)
  Object.assign(engine, { visiting: false, storage: 'memory' })
  openAnother(engine, user)
}

/**
 * What came while nothing was stored stays on screen, and goes to disk with the tab that leads. So does the connection,
 * unless the database was another client's.
 */
function moveIn(engine: Engine, loaded: Opened, shared: string | null): void {
  const { identity: stored } = loaded
  const { client, user } = engine.replica.state.identity
  engine.visiting = false
  const guest = stored.client === client
  // nothing of what is stored under its numbers is known here yet
  tell(engine, { type: 'identity', identity: { ...stored, n: 0, user: user ?? stored.user } })
  if (shared !== null) join(engine, shared, stored.lead, guest)
  // among other tabs: how the connection is, is theirs to say from here on
  if (!guest) drive(engine.connector, { type: 'stop' })
  if (shared === null || !guest) tell(engine, { type: 'role', follows: shared !== null, lead: stored.lead })
  if (shared === null) tell(engine, { type: 'reloaded', loaded, told: null })
  if (user !== null) engine.home?.welcomed(engine, user)
}

/** What is stored, and who we are. Alone with a store, each load of a page is a lead of its own: an older one is fenced. */
async function open(
  store: ClientStore,
  entities: readonly string[],
  fresh: Identity,
  alone: boolean,
): Promise<{ loaded: Loaded; identity: Identity; failed: SyncError | null }> {
  let loaded: Loaded = { identity: null, entities: new Map(), pending: [] }
  try {
    for (;;) {
      loaded = await store.load(entities)
      const known = loaded.identity ?? fresh
      const { identity } = await store.claim(fresh, alone ? known.lead : null)
      // taken away or emptied in between: what was read is not in it, so it is read anew (rule R12)
      if (loaded.identity !== null && known.client !== identity.client) continue
      // numbers that other tabs took in between are not known yet
      return { loaded, identity: { ...identity, n: known.n }, failed: null }
    }
  } catch (cause) {
    // what cannot be noted is a client of its own: what waits on this disk is left to the one that can strike it off,
    // while whose rows these are stays known
    const identity = { ...(loaded.identity ?? fresh), client: fresh.client }
    return { loaded: { ...loaded, pending: [] }, identity, failed: asError(cause, 'STORAGE_FAILED') }
  }
}
