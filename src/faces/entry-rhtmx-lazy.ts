// What a page seldom needs, loaded a little after it is ready or when it is needed first: a script of its own, served as
// `lazy.<hash>.js` beside `client.js`. It works on the state of the script that loads it, so both are of one release.
import { conflictsOf, home, longPollTransport, platform, sseTransport, wantMore } from '../client/index.ts'
import { bindElements } from './bind.ts'
import { changeEvents } from './changes.ts'
import { tellConflicts } from './conflict-events.ts'
import { queueForm } from './forms.ts'
import type { Joining, Lazy, Lent } from './lazy.ts'
import { watchLoops } from './loops.ts'
import { push } from './push.ts'
import { autoRefresh } from './refresh.ts'
import { fieldSpelling } from './spelling.ts'

/** For each entity once, whichever script names it. */
function once(run: (entities: readonly string[]) => void): (entities: readonly string[]) => void {
  const done = new Set<string>()
  return entities => run(entities.filter(entity => !done.has(entity) && done.add(entity)))
}

const rhtmxLazy = (lent: Lent): Lazy => {
  const { engine } = lent
  const conflicts = conflictsOf(lent.client)
  Object.assign(engine.env, platform)
  const bind = once(bindElements(lent))
  const changed = new Set<string>()
  const refresh = once(entities => autoRefresh(lent, entities, changed))
  const watch = once(entities => watchLoops(lent, entities))
  const see = ({ entities, autoRefresh, debug }: Omit<Joining, 'url' | 'where'>): void => {
    bind(entities)
    if (autoRefresh) refresh(entities)
    if (debug) watch(entities)
  }
  see(lent)
  const told = changeEvents(
    lent.tell,
    (entity, id) => lent.client.get(entity, id) ?? null,
    (ms, run) => void engine.env.after(ms, run),
    engine.env.saveData === true,
  )
  lent.follow(change => {
    changed.add(change.entity)
    told(change)
  })
  return {
    home: lent.kind === 'field' ? { ...home, ...fieldSpelling } : home,
    sseTransport,
    longPollTransport,
    conflicts,
    tellConflicts: tell => tellConflicts(conflicts, tell),
    push: (...change) => push(lent.client, ...change),
    queueForm: event => queueForm(lent, event),
    async join(more) {
      const { entities, url } = more
      if (url !== lent.url) lent.complain(`this page is synced with ${lent.url} already`)
      const { cursors } = lent.client.status()
      for (const entity of entities) if (!cursors[entity]) lent.fresh.add(entity)
      const synced = await wantMore(engine, more)
      see(more)
      return async () => {
        await synced()
        for (const entity of entities) lent.fresh.delete(entity)
      }
    },
  }
}
Object.assign(window, { rhtmxLazy })
