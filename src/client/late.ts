// What a client does beside its work. A page is ready without it, and a script that must be small brings it later.
import { conflictsName, SyncError } from '../core/index.ts'
import { report } from './engine.ts'
import type { Engine } from './engine.ts'
import { watchOver } from './eviction.ts'
import { moult } from './moult.ts'
import { unheard } from './state.ts'
import { hearWants, pursue } from './wanting.ts'

/** After every event, and once when it comes. */
export type Late = (engine: Engine) => void

/** Of a client that goes after what is wanted in its own way. */
export const chores: Late = engine => {
  moult(engine)
  watchOver(engine)
}

/** What the server does not have stays empty for ever, and is misspelt, mostly. Each is told once. */
export const miss: Late = engine => {
  const { head, shapes } = engine.replica.state
  if (head === unheard) return
  for (const entity of Object.keys(engine.wants)) {
    if (Object.hasOwn(shapes, entity) || entity === conflictsName || engine.missed.has(entity)) continue
    engine.missed.add(entity)
    report(engine, new SyncError('UNKNOWN_ENTITY', `no entity '${entity}' is synced here`))
  }
}

export const late: Late = engine => {
  chores(engine)
  miss(engine)
  hearWants(engine)
  pursue(engine)
}
