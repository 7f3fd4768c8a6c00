// A client without a disk: there is nothing to open, so what is written is shown at once, also in the very turn in which the
// client was made. Neighbour: `opening`, which opens every other one.
import { drive } from './connector.ts'
import { check, tell } from './engine.ts'
import { newDisk } from './engine-disk.ts'
import type { Engine } from './engine.ts'
import { noStore } from './memory.ts'

export function openMemory(engine: Engine): boolean {
  if (engine.options.store !== 'memory') return false
  engine.store = noStore()
  engine.disk = newDisk(() => engine, engine.store)
  const { early } = engine
  engine.early = null
  engine.visiting = false
  tell(engine, { type: 'role', follows: false, lead: 1 })
  for (const run of early ?? []) run()
  engine.opening = Promise.resolve().then(() => {
    const { link } = engine.connector
    if (engine.wanted && !engine.closed && link.state === 'idle') drive(engine.connector, { type: 'start' })
    check(engine)
  })
  return true
}
