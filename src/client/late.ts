// What a client does beside its work. A page is ready without it, and a script that must be small brings it later.
import type { Engine } from './engine.ts'
import { watchOver } from './eviction.ts'
import { gone, moult } from './moult.ts'
import type { ClientStore } from './store.ts'

export interface Late {
  /** After every event, and once when it comes. */
  attend(engine: Engine): void
  gone(engine: Engine, store: ClientStore): void
}

export const late: Late = {
  attend(engine) {
    moult(engine)
    watchOver(engine)
  },
  gone,
}
