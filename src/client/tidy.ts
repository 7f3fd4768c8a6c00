// Housekeeping of the store by the tab that leads, a while after the last rows came. Neighbours: `engine`, which says that
// rows were stored; the store, which knows what there is to do.
import { leads } from './crew-state.ts'
import type { Engine } from './engine.ts'

const quietMs = 1_000

/** Rows were stored. */
export function tidyLater(engine: Engine): void {
  // a client that is being closed still stores what it has
  if (engine.store.tidy === undefined || engine.closed) return
  engine.tidying()
  engine.tidying = engine.env.after(quietMs, () => {
    // what cannot be done now can be done after the next rows, and nothing depends on it
    tidy(engine).catch(() => {})
  })
}

async function tidy(engine: Engine): Promise<void> {
  const { store } = engine
  do {
    await engine.disk.idle()
    if (engine.store !== store || engine.closed || !leads(engine)) return
  } while ((await store.tidy?.()) === true)
}
