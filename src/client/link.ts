// The connection as a machine: when to connect over what, when to wait, when to doubt, when to give up. Rules K1 to K5.
// Time and chance come with each event. Neighbours: the client root, which owns the transports and the timers.
import { backoffPolicies, closeMeaning, jitteredDelay, nominalDelay } from '../core/index.ts'
import type { BackoffPolicy } from '../core/index.ts'
import type { Hint } from './env.ts'

/**
 * idle: nobody wants a connection. connecting: no word from the transport. greeting: open, hello said, no welcome.
 * ready: welcomed. waiting: a delay runs. stopped: this client must not reconnect by itself (`why`).
 */
export type LinkState = 'idle' | 'connecting' | 'greeting' | 'ready' | 'waiting' | 'stopped'

export type Timer = 'answer' | 'ping' | 'pong' | 'retry'

export interface Link {
  state: LinkState
  /** Which transport is used, or was used last. */
  transport: number
  /** Attempts since the last welcome; 0 during the first. */
  attempt: number
  /** Milliseconds since 1970, and the delay as documented. */
  retryAt: number | null
  delay: number
  /** Of the last close. */
  code: number
  reason: string
  why: 'auth' | 'stop' | null
  readonly transports: number
  readonly policy: BackoffPolicy
  /** The transport of the last welcome. */
  proven: number | null
  /** Transports tried in this round. */
  tried: number
  readonly due: Map<Timer, number>
  /** Bytes that waited when the last ping was judged. */
  buffered: number
}

export type LinkEvent =
  | { readonly type: 'start' }
  | { readonly type: 'opened' }
  /** Any sign of life; `welcome` when it was one. */
  | { readonly type: 'alive'; readonly welcome: boolean }
  | { readonly type: 'closed'; readonly code: number; readonly reason: string; readonly retryAfterMs: number | null }
  | { readonly type: 'timer'; readonly timer: Timer; readonly buffered: number }
  | { readonly type: 'hint'; readonly hint: Hint }
  | { readonly type: 'stop' }

export type LinkEffect =
  | { readonly do: 'connect'; readonly transport: number }
  | { readonly do: 'close'; readonly code: number; readonly reason: string }
  | { readonly do: 'ping' }
  | { readonly do: 'timer'; readonly timer: Timer; readonly ms: number }
  | { readonly do: 'cancel'; readonly timer: Timer }
  /** Say hello. */
  | { readonly do: 'opened' }
  /** The connection and what was in flight on it are gone. */
  | { readonly do: 'lost' }

const answerMs = 10_000
const pingMs = 30_000
const pongMs = 5_000
/** A timer that fires later than this after its time says that this machine slept, not that the other one died. */
const lateMs = 1_000
/** From this attempt on, a transport that worked before is no longer tried alone. */
const wholeRounds = 3

export function newLink(transports: number, policy: BackoffPolicy = backoffPolicies.rhtmx): Link {
  return {
    state: 'idle', transport: 0, attempt: 0, retryAt: null, delay: 0, code: 0, reason: '', why: null,
    transports, policy, proven: null, tried: 0, due: new Map(), buffered: 0,
  }
}

export function stepLink(link: Link, event: LinkEvent, nowMs: number, chance: number): LinkEffect[] {
  const out: LinkEffect[] = []
  const act = new Act(link, out, nowMs)
  switch (event.type) {
    case 'start':
      if (link.state === 'idle' || link.state === 'stopped' || link.state === 'waiting') act.round()
      break
    case 'opened':
      if (link.state !== 'connecting') break
      link.state = 'greeting'
      act.timer('answer', answerMs)
      out.push({ do: 'opened' })
      break
    case 'alive':
      alive(link, act, event.welcome)
      break
    case 'closed':
      if (connected(link)) closed(link, act, event, chance)
      break
    case 'timer':
      fired(link, act, event, chance)
      break
    case 'hint':
      hinted(link, act, event.hint)
      break
    case 'stop':
      if (connected(link)) act.hangUp(1000, 'closed by the client')
      act.cancelAll()
      link.state = 'idle'
      link.retryAt = null
      break
  }
  return out
}

export function connected({ state }: Link): boolean {
  return state === 'connecting' || state === 'greeting' || state === 'ready'
}

/** What events have in common. */
class Act {
  readonly link: Link
  readonly out: LinkEffect[]
  readonly now: number

  constructor(link: Link, out: LinkEffect[], now: number) {
    this.link = link
    this.out = out
    this.now = now
  }

  timer(timer: Timer, ms: number): void {
    this.link.due.set(timer, this.now + ms)
    this.out.push({ do: 'timer', timer, ms })
  }

  cancelAll(): void {
    for (const timer of this.link.due.keys()) this.out.push({ do: 'cancel', timer })
    this.link.due.clear()
  }

  /** A round over the transports, from the one that worked last. */
  round(): void {
    this.link.tried = 0
    this.connect(this.link.proven ?? 0)
  }

  connect(transport: number): void {
    const { link } = this
    this.cancelAll()
    Object.assign(link, { state: 'connecting', transport, tried: link.tried + 1, retryAt: null, why: null })
    this.timer('answer', answerMs)
    this.out.push({ do: 'connect', transport })
  }

  probe(): void {
    if (this.link.due.has('pong')) return
    this.link.buffered = Infinity
    this.timer('pong', pongMs)
    this.out.push({ do: 'ping' })
  }

  hangUp(code: number, reason: string): void {
    this.out.push({ do: 'close', code, reason }, { do: 'lost' })
  }
}

function alive(link: Link, act: Act, welcome: boolean): void {
  if (welcome && link.state === 'greeting') {
    Object.assign(link, { state: 'ready', attempt: 0, proven: link.transport, code: 0, reason: '' })
    act.cancelAll()
  }
  if (link.state !== 'ready') return
  if (link.due.delete('pong')) act.out.push({ do: 'cancel', timer: 'pong' })
  // a busy connection is not asked; the timer moves on by itself when it fires
  if (link.due.has('ping')) link.due.set('ping', act.now + pingMs)
  else act.timer('ping', pingMs)
}

interface Closing {
  readonly code: number
  readonly reason: string
  readonly retryAfterMs: number | null
}

function closed(link: Link, act: Act, { code, reason, retryAfterMs }: Closing, chance: number): void {
  const meaning = closeMeaning(code)
  const opened = link.state !== 'connecting'
  Object.assign(link, { code, reason: reason === '' ? meaning.reason : reason })
  act.cancelAll()
  act.out.push({ do: 'lost' })
  if (meaning.then !== 'retry') {
    Object.assign(link, { state: 'stopped', why: meaning.then })
    return
  }
  const whole = link.proven === null || link.attempt >= wholeRounds
  if (!opened && whole && retryAfterMs === null && link.tried < link.transports) {
    act.connect((link.transport + 1) % link.transports)
    return
  }
  link.attempt += 1
  link.delay = Math.max(nominalDelay(link.policy, link.attempt), retryAfterMs ?? 0)
  const ms = Math.max(jitteredDelay(link.policy, link.attempt, chance), retryAfterMs ?? 0)
  Object.assign(link, { state: 'waiting', retryAt: act.now + ms })
  act.timer('retry', ms)
}

function fired(link: Link, act: Act, { timer, buffered }: { timer: Timer; buffered: number }, chance: number): void {
  const due = link.due.get(timer)
  if (due === undefined) return
  if (due > act.now) {
    act.timer(timer, due - act.now) // it was moved on
    return
  }
  link.due.delete(timer)
  const late = act.now - due > lateMs
  if (timer === 'retry') act.round()
  else if (timer === 'ping') act.probe()
  else if (timer === 'answer' && late) act.timer(timer, answerMs)
  else if (timer === 'pong' && late) act.probe()
  else if (timer === 'pong' && buffered > 0 && buffered < link.buffered) {
    // our own bytes are still leaving: the answer could not come yet
    link.buffered = buffered
    act.timer(timer, pongMs)
  } else {
    const reason = timer === 'pong' ? 'ping timeout' : 'no answer'
    act.out.push({ do: 'close', code: 1000, reason })
    closed(link, act, { code: 1006, reason, retryAfterMs: null }, chance)
  }
}

function hinted(link: Link, act: Act, hint: Hint): void {
  if (link.state === 'ready' && hint !== 'hide') act.probe()
  else if (link.state === 'waiting' && hint !== 'hide' && hint !== 'offline') act.round()
}
