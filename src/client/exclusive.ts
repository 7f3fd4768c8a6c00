// Where tabs cannot hear each other: the first that has the lock has the disk. A part that is loaded when it is needed.
import type { Engine } from './engine.ts'

/** How long a lock that nobody has may take to be granted. */
const lockMs = 500

/** Null: nobody here knows of locks. */
export function exclusive(engine: Engine, name: string): Promise<boolean | null> {
  return new Promise(resolve => {
    const { env } = engine
    const cancel = env.after(lockMs, () => {
      engine.exclusive?.release()
      resolve(false)
    })
    const end = (held: true | null): void => {
      cancel()
      resolve(held)
    }
    engine.exclusive = env.tabs?.lock(name, { granted: () => end(true), lost: () => {} }) ?? null
    if (engine.exclusive === null) end(null)
  })
}
