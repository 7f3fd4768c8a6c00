// Whether a connection is still there: pings, what a timer that fires late says, what the page hears of the network. Rules K3
// to K5. Works on the state of `link`, whose part it is.
import { afterClose } from '../core/index.ts'
import type { Hint } from './env.ts'
import { after, answerMs, carries, halt, round } from './link.ts'
import type { Link, Timer } from './link.ts'

export interface Doubts {
  /** Something went up that wants an answer. */
  sent(link: Link): void
  hinted(link: Link, hint: Hint): void
  /** A timer that was set for `at`. True: there is another explanation than that nobody answers. */
  fired(link: Link, name: Timer, at: number, buffered: number): boolean
}

const pongMs = 5_000
/** A timer that fires later than this after its time says that this machine slept, not that the other one died. */
const lateMs = 1_000
/** Who has to sign in is looked for once in so long, however often a page says that it is seen. */
const authMs = 40_000

export const doubts: Doubts = {
  sent({ due, now }) {
    if ((due.get('ping') ?? 0) > now + pongMs) due.set('ping', now + pongMs)
  },

  hinted(link, hint) {
    const { state, now } = link
    if (hint === 'hide' || state === 'idle') return
    // who signed in elsewhere comes back to this page
    if (state === 'stopped' && (afterClose(link.code) !== 'auth' || hint === 'offline' || hint === 'suspend'))
      return
    if (hint === 'suspend') {
      // whoever holds a connection open is not kept for the way back
      halt(link)
      link.state = 'waiting'
      after(link, 'retry', link.policy.initial)
      return
    }
    if (carries(link)) probe(link)
    if (hint === 'offline') return
    link.flaps = 0
    if (now < link.until) return
    round(link)
    if (state === 'stopped') link.until = now + authMs
  },

  fired(link, name, at, buffered) {
    const late = link.now - at > lateMs
    if (name === 'ping' || (late && name !== 'retry' && name !== 'race' && link.lane[name] === 'ready'))
      probe(link)
    else if (late) after(link, name, answerMs)
    else if (buffered > 0 && buffered < link.buffered) {
      // our own bytes are still leaving: the answer could not come yet
      link.buffered = buffered
      after(link, name, pongMs)
    } else return false
    return true
  },
}

/** Doubt is no verdict: it asks. */
function probe(link: Link): void {
  const { carrier: lane, due } = link
  if (lane === null || due.has(lane)) return
  link.buffered = Infinity
  after(link, lane, pongMs)
  link.out.push({ do: 'ping', lane })
}
