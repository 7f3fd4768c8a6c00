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
  | {
      readonly type: 'closed'
      readonly code: number
      readonly reason: string
      readonly retryAfterMs: number | null
    }
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
/** A server that says more was misunderstood, or is wrong. */
const maxRetryAfterMs = 300_000
/** From this attempt on, a transport that worked before is no longer tried alone. */
const wholeRounds = 3

export function newLink(transports: number, policy: BackoffPolicy = backoffPolicies.rhtmx): Link {
  return {
    state: 'idle',
    transport: 0,
    attempt: 0,
    retryAt: null,
    delay: 0,
    code: 0,
    reason: '',
    why: null,
    transports,
    policy,
    proven: null,
    tried: 0,
    due: new Map(),
    buffered: 0,
  }
}

export function stepLink(link: Link, event: LinkEvent, nowMs: number, chance: number): LinkEffect[] {
  const act: Act = { link, now: nowMs, out: [] }
  switch (event.type) {
    case 'start':
      if (!connected(link)) round(act)
      break
    case 'opened':
      if (link.state !== 'connecting') break
      link.state = 'greeting'
      timer(act, 'answer', answerMs)
      act.out.push({ do: 'opened' })
      break
    case 'alive':
      alive(act, event.welcome)
      break
    case 'closed':
      if (connected(link)) closed(act, event.code, event.reason, event.retryAfterMs, chance)
      break
    case 'timer':
      fired(act, event.timer, event.buffered, chance)
      break
    case 'hint':
      if (event.hint === 'hide') break
      if (link.state === 'ready') probe(act)
      else if (link.state === 'waiting' && event.hint !== 'offline') round(act)
      break
    case 'stop':
      if (connected(link))
        act.out.push({ do: 'close', code: 1000, reason: 'closed by the client' }, { do: 'lost' })
      cancelAll(act)
      link.state = 'idle'
      link.retryAt = null
      break
  }
  return act.out
}

export function connected({ state }: Link): boolean {
  return state === 'connecting' || state === 'greeting' || state === 'ready'
}

interface Act {
  readonly link: Link
  readonly now: number
  readonly out: LinkEffect[]
}

function timer({ link, now, out }: Act, name: Timer, ms: number): void {
  link.due.set(name, now + ms)
  out.push({ do: 'timer', timer: name, ms })
}

function cancelAll({ link, out }: Act): void {
  for (const name of link.due.keys()) out.push({ do: 'cancel', timer: name })
  link.due.clear()
}

/** A round over the transports, from the one that worked last. */
function round(act: Act): void {
  act.link.tried = 0
  connect(act, act.link.proven ?? 0)
}

function connect(act: Act, transport: number): void {
  const { link, out } = act
  cancelAll(act)
  Object.assign(link, { state: 'connecting', transport, tried: link.tried + 1, retryAt: null, why: null })
  timer(act, 'answer', answerMs)
  out.push({ do: 'connect', transport })
}

function probe(act: Act): void {
  if (act.link.due.has('pong')) return
  act.link.buffered = Infinity
  timer(act, 'pong', pongMs)
  act.out.push({ do: 'ping' })
}

function alive(act: Act, welcome: boolean): void {
  const { link, now, out } = act
  if (welcome && link.state === 'greeting') {
    Object.assign(link, { state: 'ready', attempt: 0, proven: link.transport, code: 0, reason: '' })
    cancelAll(act)
  }
  if (link.state !== 'ready') return
  if (link.due.delete('pong')) out.push({ do: 'cancel', timer: 'pong' })
  // a busy connection is not asked; the timer moves on by itself when it fires
  if (link.due.has('ping')) link.due.set('ping', now + pingMs)
  else timer(act, 'ping', pingMs)
}

function closed(act: Act, code: number, reason: string, retryAfterMs: number | null, chance: number): void {
  const { link, now, out } = act
  const meaning = closeMeaning(code)
  const opened = link.state !== 'connecting'
  Object.assign(link, { code, reason: reason === '' ? meaning.reason : reason })
  cancelAll(act)
  out.push({ do: 'lost' })
  if (meaning.then !== 'retry') {
    Object.assign(link, { state: 'stopped', why: meaning.then })
    return
  }
  const whole = link.proven === null || link.attempt >= wholeRounds
  if (!opened && whole && retryAfterMs === null && link.tried < link.transports) {
    connect(act, (link.transport + 1) % link.transports)
    return
  }
  link.attempt += 1
  const wait = Math.min(retryAfterMs ?? 0, maxRetryAfterMs)
  link.delay = Math.max(nominalDelay(link.policy, link.attempt), wait)
  const ms = Math.max(jitteredDelay(link.policy, link.attempt, chance), wait)
  Object.assign(link, { state: 'waiting', retryAt: now + ms })
  timer(act, 'retry', ms)
}

function fired(act: Act, name: Timer, buffered: number, chance: number): void {
  const { link, now, out } = act
  const due = link.due.get(name)
  if (due === undefined) return
  // only this one is moved on; any other that seems early is on time, and the wall clock was set back
  if (name === 'ping' && due > now) return timer(act, name, Math.min(due - now, pingMs))
  link.due.delete(name)
  const late = now - due > lateMs
  const pong = name === 'pong'
  if (name === 'retry') round(act)
  else if (name === 'ping' || (pong && late)) probe(act)
  else if (late) timer(act, name, answerMs)
  else if (pong && buffered > 0 && buffered < link.buffered) {
    // our own bytes are still leaving: the answer could not come yet
    link.buffered = buffered
    timer(act, name, pongMs)
  } else {
    const reason = pong ? 'ping timeout' : 'no answer'
    out.push({ do: 'close', code: 1000, reason })
    closed(act, 1006, reason, null, chance)
  }
}
