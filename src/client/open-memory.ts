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
  engine.early = null
  engine.visiting = false
  tell(engine, { type: 'role', follows: false, lead: 1 })
  engine.opening = Promise.resolve().then(() => {
    if (engine.wanted && !engine.closed) drive(engine.connector, { type: 'start' })
    check(engine)
  })
  return true
}
