// What a client does beside its work. A page is ready without it, and a script that must be small brings it later.
import type { Engine } from './engine.ts'
import { watchOver } from './eviction.ts'
import { moult } from './moult.ts'
import { hearWants, pursue } from './wanting.ts'

/** After every event, and once when it comes. */
export type Late = (engine: Engine) => void

export const late: Late = engine => {
  moult(engine)
  watchOver(engine)
  hearWants(engine)
  pursue(engine)
}
