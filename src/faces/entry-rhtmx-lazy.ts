// What a page seldom needs, loaded a little after it is ready or when it is needed first: a script of its own, served as
// `lazy.<hash>.js` beside `client.js`. It works on the state of the script that loads it, so both are of one release.
import type { Desk, Home } from '../client/index.ts'
import {
  conflictsOf,
  home,
  linkOf,
  longPollTransport,
  platform,
  sseTransport,
  wantMore,
} from '../client/index.ts'
import { conflictsName } from '../core/index.ts'
import { bindElements } from './bind.ts'
import { changeEvents } from './changes.ts'
import { tellConflicts } from './conflict-events.ts'
import { queueForm } from './forms.ts'
import type { Joining, Lazy, Lent } from './lazy.ts'
import { watchLoops } from './loops.ts'
import { push } from './push.ts'
import { autoRefresh } from './refresh.ts'
import { fieldSpelling } from './spelling.ts'
import { strategyOf } from './strategy.ts'

/** For each entity once, whichever script names it. */
function once(run: (entities: readonly string[]) => unknown): (entities: readonly string[]) => void {
  const done = new Set<string>()
  return entities => run(entities.filter(entity => !done.has(entity) && done.add(entity)))
}

/** As the page says it: how conflicts look, and what other tabs are told. `lazy`: the rest of what is for the page. */
function homeOf({ kind, strategyText, complain, done }: Lent, lazy: Lazy): Home {
  const strategy = strategyOf(strategyText, kind, complain)
  const desk: Desk = {
    ...home.desk,
    begin(state) {
      home.desk.begin(state)
      Object.assign(state, { strategy })
    },
  }
  return {
    ...home,
    desk,
    ...(kind === 'field' && fieldSpelling),
    open(engine, user) {
      home.open(engine, user)
      done(lazy)
    },
  }
}

/** What a page is told of; `changed`: and what was. */
function tellPage({ client, engine, tell, follow }: Lent, changed: Set<string>): void {
  const { env } = engine
  client.on('storage', detail => tell('storage:failed', detail))
  client.on('rejected', ({ n, writes, error }) => {
    for (const { entity, id, data } of writes)
      tell('mutation:rejected', { entity, id, n, error, data: data ?? null })
  })
  let refused = false
  // once, whatever a page does about it, until somebody was let in
  const check = (): void => {
    const { state, code, reason } = linkOf(engine)
    if (state === 'ready') refused = false
    if (state !== 'stopped' || code !== 4401 || refused) return
    refused = true
    tell('auth:required', { code, reason })
  }
  client.on('state', check)
  check()
  const told = changeEvents(
    tell,
    (entity, id) => client.get(entity, id) ?? null,
    (ms, run) => void env.after(ms, run),
    env.saveData === true,
  )
  follow(change => {
    changed.add(change.entity)
    told(change)
  })
}

const rhtmxLazy = (lent: Lent): Home => {
  const { client, engine, tell } = lent
  Object.assign(engine.env, platform)
  const conflicts = conflictsOf(client)
  const changed = new Set<string>()
  const bind = once(bindElements(lent))
  const refresh = once(entities => autoRefresh(lent, entities, changed))
  const watch = once(entities => watchLoops(lent, entities))
  const watchConflicts = once(entities => entities.includes(conflictsName) && tellConflicts(conflicts, tell))
  const see = ({ entities, autoRefresh, debug }: Omit<Joining, 'url' | 'where'>): void => {
    bind(entities)
    if (autoRefresh) refresh(entities)
    if (debug) watch(entities)
    watchConflicts(entities)
  }
  see(lent)
  tellPage(lent, changed)
  return homeOf(lent, {
    sseTransport,
    longPollTransport,
    conflicts,
    push: (...change) => push(client, ...change),
    queueForm: event => queueForm(lent, event),
    async join(more) {
      const { entities, url } = more
      if (url !== lent.url) lent.complain(`this page is synced with ${lent.url} already`)
      const { cursors } = client.status()
      for (const entity of entities) if (!cursors[entity]) lent.fresh.add(entity)
      const synced = await wantMore(engine, more)
      see(more)
      return async () => {
        await synced()
        for (const entity of entities) lent.fresh.delete(entity)
      }
    },
  })
}
Object.assign(window, { rhtmxLazy })
