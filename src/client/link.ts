// The connection as a machine: what to connect over, when to wait, when to doubt, when to give up. Rules K1 to K10.
// Time and chance come with each event. Neighbours: the connector, which owns the connections and the one timer; `upkeep`,
// all that a connection does not need at its beginning, a part that may be loaded later.
//
// Two lanes: `best` tries the first transport, on the documented ladder of delays; `spare` tries the others while that
// one does not answer. One lane at most is the carrier: it has said hello and carries data.
import { afterClose, backoffPolicies, noAnswer, nominalDelay } from '../core/index.ts'
import type { BackoffPolicy } from '../core/index.ts'
import type { Hint } from './env.ts'
import type { Upkeep } from './upkeep.ts'

/**
 * idle: nobody wants a connection. connecting: no word from any transport. greeting: open, hello said, no welcome.
 * ready: welcomed; it stays so while a better connection takes over. waiting: a delay runs. stopped: this client must not
 * reconnect by itself (`why`).
 */
export type LinkState = 'idle' | 'connecting' | 'greeting' | 'ready' | 'waiting' | 'stopped'

export type LaneName = 'best' | 'spare'

/** A lane's own: it owes an answer. race: time for a spare. retry: the ladder's next attempt. */
export type Timer = LaneName | 'race' | 'retry' | 'ping'

/** off: no connection. proving: open while the other lane carries; has to answer a ping. */
export type LaneState = 'off' | 'connecting' | 'proving' | 'greeting' | 'ready'

export interface Link {
  state: LinkState
  /** Which transport carries, or was tried last. */
  transport: number
  /** Attempts of the best transport since a connection was last lost; 0 during the first, and when it carries. */
  attempt: number
  /** Nothing speaks against a connection yet: the first round is not over, or there is one. */
  hope: boolean
  /** Before the next attempt, as documented. When it ends, `due` says. */
  delay: number
  /** Of the last close; `afterClose` says why a link is stopped. */
  code: number
  reason: string
  /** The state of each lane, and the transport that it tries. */
  readonly lane: Record<LaneName, LaneState>
  readonly index: Record<LaneName, number>
  carrier: LaneName | null
  /** What is waited for, until when. */
  readonly due: Map<Timer, number>
  readonly transports: number
  readonly policy: BackoffPolicy
  /** Milliseconds from the first byte to the welcome; null: the usual time for either step. */
  readonly patience: number | null
  /** The transport of the last welcome. */
  proven: number | null
  /** Spare transports tried in this round. */
  tried: number
  /** Connections in a row that died as soon as they were welcomed. */
  flaps: number
  welcomedAt: number
  /** The server asked to be left alone until then. */
  until: number
  /** Bytes that waited when the last ping was judged. */
  buffered: number
  /** Null: not loaded yet. */
  upkeep: Upkeep | null
  loading: boolean
  /** Of the event at hand: when it came, its chance, and what is to be done about it. */
  now: number
  chance: number
  out: LinkEffect[]
}

export type LinkEvent =
  | { readonly type: 'start' }
  | { readonly type: 'opened'; readonly lane: LaneName }
  /** Any sign of life; `frame`: what it was, null for what is no frame. */
  | { readonly type: 'alive'; readonly lane: LaneName; readonly frame: 'welcome' | 'frame' | null }
  | {
      readonly type: 'closed'
      readonly lane: LaneName
      readonly code: number
      readonly reason: string
      readonly retryAfterMs: number | null
    }
  /** Something went up that wants an answer. */
  | { readonly type: 'sent' }
  /** The timer that was set for `asked` has fired. */
  | { readonly type: 'tick'; readonly asked: number; readonly buffered: number }
  | { readonly type: 'hint'; readonly hint: Hint }
  | { readonly type: 'stop' }
  /** Null: it could not be loaded. */
  | { readonly type: 'loaded'; readonly upkeep: Upkeep | null }

export type LinkEffect =
  | { readonly do: 'connect'; readonly lane: LaneName; readonly transport: number }
  | { readonly do: 'close'; readonly lane: LaneName }
  | { readonly do: 'ping'; readonly lane: LaneName }
  /** Say hello on the carrier. */
  | { readonly do: 'opened' }
  /** The carrier and what was in flight on it are gone. */
  | { readonly do: 'lost' }
  /** `upkeep` is needed. */
  | { readonly do: 'load' }

/** How long the best transport is tried alone where others have to be loaded first. */
const headMs = 1_000
export const answerMs = 10_000
/** Open and no word: maybe something on the way takes connections and swallows what goes over them. */
const silentMs = 3_000
const pingMs = 30_000
/** A server that says more was misunderstood, or is wrong. */
const maxRetryAfterMs = 300_000

export function newLink(
  transports: number,
  upkeep: Upkeep | null,
  policy: BackoffPolicy = backoffPolicies.rhtmx,
  patience: number | null = null,
): Link {
  return {
    state: 'idle',
    transport: 0,
    attempt: 0,
    hope: true,
    delay: 0,
    code: 0,
    reason: '',
    lane: { best: 'off', spare: 'off' },
    index: { best: 0, spare: 0 },
    carrier: null,
    due: new Map(),
    transports,
    policy,
    patience,
    proven: null,
    tried: 0,
    flaps: 0,
    welcomedAt: 0,
    until: 0,
    buffered: 0,
    upkeep,
    loading: false,
    now: 0,
    chance: 0,
    out: [],
  }
}

export function stepLink(link: Link, event: LinkEvent, now: number, chance: number): readonly LinkEffect[] {
  const { due } = link
  // a wall clock that was set back takes the timers with it
  const known = event.type === 'tick' ? event.asked : link.now
  if (now < known) for (const [name, at] of due) due.set(name, at - known + now)
  const out: LinkEffect[] = []
  Object.assign(link, { now, chance, out })
  switch (event.type) {
    case 'start':
      link.flaps = link.until = 0
      round(link)
      break
    case 'opened':
      if (link.lane[event.lane] !== 'connecting') break
      if (link.carrier === null) greet(link, event.lane)
      else link.upkeep?.opened(link, event.lane)
      break
    case 'alive':
      alive(link, event.lane, event.frame)
      break
    case 'closed':
      closed(link, event.lane, event.code, event.reason, event.retryAfterMs)
      break
    case 'sent':
      link.upkeep?.sent(link)
      break
    case 'tick':
      for (const [name, at] of Array.from(due))
        if (at <= now && due.get(name) === at) fired(link, name, at, event.buffered)
      break
    case 'hint':
      link.upkeep?.hinted(link, event.hint)
      break
    case 'loaded':
      link.upkeep ??= event.upkeep
      // the best transport failed meanwhile, or let itself be waited for
      if (link.loading && (link.state === 'connecting' || link.state === 'greeting')) {
        link.loading = false
        onwards(link, link.upkeep !== null)
      }
      link.loading = false
      break
    case 'stop':
      halt(link)
      link.state = 'idle'
      break
  }
  return out
}

/** A better transport is still tried while another one carries. */
export function climbing({ state, transport, index }: Link): boolean {
  return state === 'ready' && transport !== index.best
}

export function carries({ carrier, lane }: Link): boolean {
  return carrier !== null && lane[carrier] === 'ready'
}

/** An attempt of the best transport, and of others where that one does not answer. What runs already goes on. */
export function round(link: Link): void {
  link.due.delete('retry')
  if (spent(link)) link.attempt = 0
  // the ladder's attempts come faster than a spare is given up
  if (link.lane.spare === 'off') link.tried = 0
  if (link.lane.best === 'off') connect(link, 'best', link.index.best)
  if (link.transports > 1) after(link, 'race', headMs)
  link.upkeep?.round(link)
}

export function after({ due, now }: Link, name: Timer, ms: number): void {
  due.set(name, now + ms)
}

export function connect(link: Link, lane: LaneName, transport: number, ms = link.patience ?? answerMs): void {
  link.lane[lane] = 'connecting'
  link.index[lane] = transport
  after(link, lane, ms)
  if (link.carrier === null) Object.assign(link, { state: 'connecting', transport })
  link.out.push({ do: 'connect', lane, transport })
}

/** It becomes the carrier. */
export function greet(link: Link, lane: LaneName): void {
  link.carrier = lane
  link.lane[lane] = 'greeting'
  if (link.state !== 'ready') Object.assign(link, { state: 'greeting', transport: link.index[lane] })
  if (link.patience === null) after(link, lane, answerMs)
  if (link.due.has('race')) after(link, 'race', silentMs)
  link.out.push({ do: 'opened' })
}

function alive(link: Link, name: LaneName, frame: 'welcome' | 'frame' | null): void {
  const { lane, due } = link
  // a stream that begins and then says nothing is held back by something on the way
  if (lane[name] === 'connecting') after(link, name, silentMs)
  if (lane[name] === 'proving' && frame !== null) return link.upkeep?.take(link, name)
  if (lane[name] === 'greeting' && frame === 'welcome') {
    lane[name] = 'ready'
    const transport = link.index[name]
    const welcomedAt = link.now
    Object.assign(link, {
      state: 'ready',
      transport,
      proven: transport,
      hope: true,
      until: 0,
      welcomedAt,
    })
    due.delete('race')
    if (name === 'best') {
      link.attempt = 0
      due.delete('retry')
      shut(link, 'spare')
    }
  }
  if (lane[name] !== 'ready') return
  due.delete(name)
  after(link, 'ping', pingMs)
}

function closed(link: Link, name: LaneName, code: number, reason: string, retryAfterMs: number | null): void {
  const { lane, now } = link
  const was = lane[name]
  if (was === 'off') return
  lane[name] = 'off'
  link.due.delete(name)
  if (retryAfterMs !== null) link.until = now + Math.min(retryAfterMs, maxRetryAfterMs)
  if (link.carrier === name) {
    drop(link)
    link.state = 'connecting'
  }
  if (!carries(link)) {
    Object.assign(link, { code, reason })
    if (afterClose(code) !== 'retry') {
      halt(link)
      link.state = 'stopped'
      return
    }
  }
  const ready = was === 'ready'
  if (ready) {
    // whatever carried: a new ladder, from its foot
    link.attempt = 0
    link.hope = false
    link.upkeep?.died(link)
  }
  // 0: there is no such transport here, and nothing to try again as long as there is another
  const none = code === 0 && link.carrier === null
  if (lane.best === 'off' && !none && (name === 'best' || ready)) failed(link)
  if (link.carrier === null) onwards(link, !ready)
}

/** Nobody carries, or it is not welcomed. `more`: another transport may be tried at once. */
function onwards(link: Link, more: boolean): void {
  const { lane } = link
  link.due.delete('race')
  if (link.upkeep === null && more && link.transports > 1 && !link.loading) {
    link.loading = true
    link.out.push({ do: 'load' })
  }
  link.upkeep?.onwards(link, more)
  if (link.carrier !== null) return
  link.state = 'connecting'
  if (lane.best !== 'off' || lane.spare !== 'off' || (link.loading && more)) return
  link.state = 'waiting'
  link.hope = false
  if (!link.due.has('retry') && !spent(link)) failed(link)
}

/** No attempt is left. */
function spent({ attempt, policy }: Link): boolean {
  return attempt > (policy.attempts ?? Infinity)
}

/** An attempt of the best transport came to nothing, or a connection was lost: the next rung of the ladder. */
export function failed(link: Link): void {
  const { policy, chance } = link
  link.attempt += 1
  if (spent(link)) return void (link.until = 0)
  const pause = Math.max(0, link.until - link.now)
  const nominal = link.upkeep?.delay(link) ?? nominalDelay(policy, link.attempt)
  link.delay = Math.max(nominal, pause)
  after(link, 'retry', Math.max(Math.round(nominal * (1 - policy.jitter * chance)), pause))
}

/** The carrier is none any more. */
export function drop(link: Link): void {
  link.carrier = null
  link.due.delete('ping')
  link.out.push({ do: 'lost' })
}

export function shut(link: Link, lane: LaneName): void {
  if (link.lane[lane] === 'off') return
  link.lane[lane] = 'off'
  link.due.delete(lane)
  link.out.push({ do: 'close', lane })
}

export function halt(link: Link): void {
  shut(link, 'best')
  shut(link, 'spare')
  if (link.carrier !== null) drop(link)
  link.due.clear()
}

function fired(link: Link, name: Timer, at: number, buffered: number): void {
  link.due.delete(name)
  if (name === 'retry') return round(link)
  if (name === 'race') return carries(link) ? undefined : onwards(link, true)
  // without anybody who doubts it is only looked at again later
  if (link.upkeep?.fired(link, name, at, buffered) ?? name === 'ping')
    return link.upkeep === null ? after(link, name, pingMs) : undefined
  link.out.push({ do: 'close', lane: name })
  closed(link, name, 1006, noAnswer, null)
}
