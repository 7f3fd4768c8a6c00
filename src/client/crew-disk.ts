// What a tab takes from the disk that others have stored there (rule T3), and what it heard meanwhile, in order. Neighbour:
// `crew`, which hears that there is something.
import { asError, report, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { cleared } from './opening.ts'
import type { Identity, PendingRecord } from './store.ts'
import type { Told } from './tabs.ts'

/** After the disk, if it is being read. */
export function inOrder({ crew }: Engine, run: () => void): void {
  if (crew.held !== null) crew.held.push(run)
  else run()
}

/** What a follower lacks is on disk. */
export async function reload(engine: Engine, now: Told): Promise<void> {
  const { crew, store } = engine
  crew.stale = false
  crew.again = now
  if (crew.held !== null) return
  const held: (() => void)[] = (crew.held = [])
  while (crew.again !== null) {
    const told = crew.again
    crew.again = null
    try {
      const { entities } = engine.replica.state
      const loaded = await store.load([...entities.keys()], entities)
      if (engine.crew !== crew) return
      if (crew.lead.role === 'follow') tell(engine, { type: 'reloaded', loaded, told })
    } catch (error) {
      if (engine.crew !== crew) return
      report(engine, asError(error, 'STORAGE_FAILED'))
    }
  }
  crew.held = null
  for (const run of held) inOrder(engine, run)
}

/** Below a number that is known, every one has to be: what lies between is read. */
export function hearRecords(engine: Engine, records: readonly PendingRecord[]): void {
  const known = engine.replica.state.identity.n
  if ((records[0]?.n ?? 0) <= known + 1) tell(engine, { type: 'durable', ns: [], others: records })
  else void readPending(engine)
}

export function readPending(engine: Engine): Promise<unknown> {
  const { crew } = engine
  engine.replica.state.behind = false
  return engine.store.load([]).then(
    ({ pending, identity }) =>
      engine.crew === crew &&
      !isAnother(engine, identity) &&
      tell(engine, { type: 'durable', ns: [], others: pending }),
    (error: unknown) => engine.crew === crew && report(engine, asError(error, 'STORAGE_FAILED')),
  )
}

/** What is stored is another client's: whoever emptied the database said so while this tab heard nothing. It begins anew. */
export function isAnother(engine: Engine, identity: Identity | null): boolean {
  const is = identity !== null && identity.client !== engine.replica.state.identity.client
  if (is) cleared(engine)
  return is
}
