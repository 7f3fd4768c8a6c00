// A page whose second script names more than the first, while the client runs. A part of its own, loaded when there is such
// a page. Neighbours: `wanting`, which goes after what is desired; the faces before it.
import type { ClientOptions } from './api.ts'
import { hello, need } from './crew.ts'
import { leads } from './crew-state.ts'
import { check } from './engine.ts'
import type { Engine } from './engine.ts'
import { deferred } from './handles.ts'
import { wantsOf } from './wants-of.ts'
import { joined } from './wants.ts'

/**
 * Resolves when it may be written to, with what waits until it is here as of now, or cannot be while there is no
 * connection.
 */
export async function wantMore(
  engine: Engine,
  more: Pick<ClientOptions, 'entities' | 'where'>,
): Promise<() => Promise<unknown>> {
  const wants = wantsOf(more)
  engine.wants = joined([engine.wants, wants])
  engine.desired = joined([engine.desired ?? engine.wants, wants])
  await engine.opening
  check(engine)
  // whoever leads is to ask for it
  if (!leads(engine)) {
    hello(engine)
    need(engine, true)
  }
  return async () => {
    await engine.ready.promise
    const here = Object.keys(wants).map(entity => {
      const done = deferred<void>()
      engine.syncs.push({ entity, done })
      return done.promise
    })
    check(engine)
    return Promise.allSettled(here)
  }
}
