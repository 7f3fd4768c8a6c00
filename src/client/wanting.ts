// What is wanted changes while a client runs: what the disk has of new entities is read, then the server is asked for
// everything anew, one question at a time. Neighbours: `crew`, which notes what other tabs say; `wants`, what it comes to.
import { askAll, prepare } from './ask.ts'
import { leads } from './crew-state.ts'
import { asError, report, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { replace } from './reload.ts'
import { newKept } from './replica.ts'
import { unheard } from './state.ts'
import type { Kept, State } from './state.ts'
import { joined, union } from './wants.ts'

/** A page that never gives anything up: what other tabs want joins what is wanted already. */
export function hearWants(engine: Engine): void {
  for (const message of engine.crew.said.splice(0))
    if (message.type === 'hello' && leads(engine))
      engine.desired = joined([engine.desired ?? engine.wants, message.wants])
}

/** Called after every event; without `evict` nothing is ever given up. While one question is not answered no other is asked: nobody could tell the answers apart. */
export function pursue(engine: Engine, evict?: (state: State, kept: Kept) => void): void {
  const { desired, replica } = engine
  if (desired === null || engine.early !== null || engine.closed) return
  const { state } = replica
  const fresh = Object.keys(desired).filter(name => !state.entities.has(name))
  if (fresh.length > 0) void readNew(engine, fresh)
  const asks = state.head !== unheard && !state.follows
  const late = new Map<Kept, string | null>()
  for (const kept of state.entities.values()) {
    const where = union(Object.hasOwn(desired, kept.name) ? (desired[kept.name] ?? []) : [])
    const isLeft = asks && evict !== undefined && where === null && kept.cursor !== null
    const isLate = where !== kept.where || isLeft
    if (isLate && !kept.asked && !kept.loading) late.set(kept, where)
  }
  if (late.size === 0) return
  tell(engine, {
    type: 'part',
    step() {
      for (const [kept, where] of late) {
        if (state.follows) kept.current = false
        kept.where = where
        if (asks && where === null) evict?.(state, kept)
      }
      // who leads may have told all that it has before this was known to be wanted
      if (state.follows) state.out.push({ do: 'reload' })
      if (asks)
        askAll(
          state,
          [...late.keys()].filter(kept => prepare(state, kept)),
        )
    },
  })
}

/** Users may write to them at once; the server is asked when it is known what is here. */
async function readNew(engine: Engine, names: readonly string[]): Promise<void> {
  const { replica, store } = engine
  const { entities } = replica.state
  const fresh = names.map(name => Object.assign(newKept(name, null), { loading: true, refused: true }))
  for (const kept of fresh) entities.set(kept.name, kept)
  const loaded = await store
    .load([...entities.keys()], entities)
    .catch((error: unknown) => report(engine, asError(error, 'STORAGE_FAILED')))
  if (engine.replica !== replica) return
  tell(engine, {
    type: 'part',
    step() {
      for (const kept of fresh) {
        const held = loaded?.entities.get(kept.name)
        Object.assign(kept, { loading: false, refused: false })
        if (held !== undefined && kept.cursor === null) replace(kept, held)
      }
    },
  })
}
