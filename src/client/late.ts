// What a client does beside its work. A page is ready without it, and a script that must be small brings it later.
import type { Engine } from './engine.ts'
import { watchOver } from './eviction.ts'
import { moult } from './moult.ts'
import { hearWants, pursue } from './wanting.ts'

/** After every event, and once when it comes. */
export type Late = (engine: Engine) => void

/** Of a client that goes after what is wanted in its own way. */
export const chores: Late = engine => {
  moult(engine)
  watchOver(engine)
}

export const late: Late = engine => {
  chores(engine)
  hearWants(engine)
  pursue(engine)
}
