// What a page seldom needs, loaded a little after it is ready or when it is needed first: a script of its own, served as
// `lazy.<hash>.js` beside `client.js`. It works on the state of the script that loads it, so both are of one release.
import {
  adopt,
  exclusive,
  foldPages,
  healing,
  late,
  longPollTransport,
  rivals,
  sseTransport,
} from '../client/index.ts'
import { bindElements } from './bind.ts'
import { queueForm } from './forms.ts'
import type { Lazy, Lent } from './lazy.ts'
import { watchLoops } from './loops.ts'
import { autoRefresh } from './refresh.ts'

const rhtmxLazy = (lent: Lent): Lazy => {
  const { engine } = lent
  engine.late = late
  late(engine)
  bindElements(lent)
  if (lent.autoRefresh) autoRefresh(lent)
  if (lent.debug) watchLoops(lent)
  return {
    adopt,
    exclusive,
    foldPages,
    healing,
    rivals,
    sseTransport,
    longPollTransport,
    queueForm: event => queueForm(lent, event),
  }
}
Object.assign(window, { rhtmxLazy })
