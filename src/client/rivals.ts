// What a link does beyond one transport: whom else it tries and when, who takes over from whom, what it does where
// connections die at once. Rules K6 to K9. A part of its own, because a page that connects at once never needs it; it works
// on the state of `link`, whose part it is.
import { after, answerMs, carries, connect, drop, failed, greet, halt, shut } from './link.ts'
import type { LaneName, Link } from './link.ts'

export interface Rivals {
  /** An attempt of the best transport begins. */
  round(link: Link): void
  /** A lane opened while the other carries. */
  opened(link: Link, lane: LaneName): void
  /** It was answered. */
  take(link: Link, lane: LaneName): void
  /** The carrier died after its welcome. */
  died(link: Link): void
  /** No carrier, or one that is not welcomed. `more`: another transport may be tried at once. */
  onwards(link: Link, more: boolean): void
  /** Where the next delay is none of the ladder's. */
  delay(link: Link): number | null
}

/** How long the best transport is tried alone: a server is not to open two connections for one. */
const headMs = 250
const spareAnswerMs = 5_000
/** So many attempts of a transport that worked before are made alone. */
const wholeRounds = 3
/** The documented ladder; while data flows over another transport, one probe a minute is what remains of it. */
const ladderAttempts = 10
const probeMs = 60_000
/** Connections that live less than `flapMs`, so many in a row, open the breaker. */
const maxFlaps = 5
const flapMs = 1_000
const breakerMs = 30_000
const maxBreakerMs = 300_000

export const rivals: Rivals = {
  round(link) {
    if (whole(link)) after(link, 'race', headMs)
    else link.due.delete('race')
    if ((link.proven ?? 0) > link.index.best) another(link)
  },

  opened(link, name) {
    if (name === 'best' && !carries(link)) return this.take(link, name)
    link.lane[name] = 'proving'
    after(link, name, spareAnswerMs)
    link.out.push({ do: 'ping', lane: name })
  },

  /** Only one connection at a time may be this client: the old one is closed before hello is said on this one. */
  take(link, name) {
    const old = link.carrier
    if (old !== null) {
      shut(link, old)
      drop(link)
      // should this one not be welcomed after all
      link.tried = 0
      if (old === 'best') failed(link)
    }
    greet(link, name)
  },

  died(link) {
    link.flaps = link.now - link.welcomedAt < flapMs ? link.flaps + 1 : 0
    if (link.flaps >= maxFlaps) halt(link)
  },

  onwards(link, more) {
    const { lane, index, due, now, until } = link
    if (link.code === 0 && lane.best === 'off' && index.best + 1 < link.transports) {
      // there is no such transport here: the next one takes its place, and its ladder
      link.code = 1006
      shut(link, 'spare')
      return connect(link, 'best', index.best + 1)
    }
    if (link.carrier === null) {
      if (lane.best === 'proving') return greet(link, 'best')
      if (lane.spare === 'proving') return greet(link, 'spare')
    }
    if (more && whole(link)) another(link)
    if (lane.best === 'off' && (due.get('retry') ?? 0) < until) after(link, 'retry', until - now)
  },

  delay(link) {
    const { flaps, attempt } = link
    if (flaps >= maxFlaps) return Math.min(maxBreakerMs, breakerMs * 2 ** (flaps - maxFlaps))
    return attempt > ladderAttempts && carries(link) ? probeMs : null
  },
}

/** Whether others are to be tried at all: not for a while where the best transport worked last. */
function whole({ proven, attempt, index, transports }: Link): boolean {
  return index.best + 1 < transports && (proven !== index.best || attempt > wholeRounds)
}

/** The next spare of this round, from the one that worked last. */
function another(link: Link): void {
  const { lane, index, transports, tried, now, until } = link
  const first = index.best + 1
  const count = transports - first
  if (lane.spare !== 'off' || carries(link) || tried >= count || now < until) return
  const from = Math.max(0, (link.proven ?? 0) - first)
  link.tried += 1
  const more = link.tried < count
  connect(link, 'spare', first + ((from + tried) % count), more ? spareAnswerMs : answerMs)
}
