// Which pending mutations go into the next frames: in `n` order, each durable first (rules Q1, Q2), each once per
// connection, a few frames at a time; after a transient error nothing until `resume` (Q4). It spends no attempts: what
// cannot be sent waits (K2).
import type { Failure } from '../core/index.ts'
import { isRetryable } from '../core/index.ts'
import { bytesIn } from './bytes.ts'
import { die, refused } from './settle.ts'
import type { Entry, State } from './state.ts'

/** The server's limit of mutations per frame, and the size at which another frame begins. */
const maxMutations = 1000
const frameChars = 256 * 1024
const maxFrames = 4

/** A frame in flight: its first and its last `n`. */
interface Frame {
  readonly first: number
  readonly last: number
}

export interface Outbox {
  paused: boolean
  frames: Frame[]
  /** A frame was refused as a whole: one mutation at a time until this `n`, to find the one. */
  single: number
}

export function newOutbox(): Outbox {
  return { paused: false, frames: [], single: 0 }
}

/** Every result up to here is on disk or needed no more. */
export function ackedOf(state: State): number {
  let first = state.identity.n + 1
  for (const n of state.entries.keys()) {
    first = Math.min(first, n)
    break // they are in `n` order
  }
  for (const [n, { durable }] of state.dead) if (!durable) first = Math.min(first, n)
  return first - 1
}

/** The one decision: called after every event that may open the way. */
export function pump(state: State): void {
  const { box } = state
  if (!state.open || box.paused || state.entries.size === 0) return
  // pushes do not wait for catch-up: where a scope turns out to be on another branch, the server, which was asked for
  // it first, judges bases from the common place until we know (Session.clamps)
  // they lie in `n` order, and each is answered before the next
  for (let head = box.frames[0]; head !== undefined && landed(state, head); head = box.frames[0])
    box.frames.shift()
  let chars = 0
  let texts: string[] = []
  let first = 0
  let last = 0
  const flush = (): void => {
    if (texts.length === 0) return
    for (const entry of state.entries.values()) if (entry.record.n <= last) entry.sent = true
    box.frames.push({ first, last })
    state.out.push({
      do: 'send',
      text: `{"type":"mutate","acked":${ackedOf(state)},"mutations":[${texts.join(',')}]}`,
    })
    texts = []
    chars = 0
  }
  for (const entry of state.entries.values()) {
    if (entry.sent || entry.result !== null || entry.record.dead !== undefined) continue
    if (!entry.durable) break
    // those behind a refused frame were held back, and say so: what overtook them would make them duplicates (rule Q2)
    if (box.frames.some(frame => frame.first > entry.record.n)) break
    const text = JSON.stringify(entry.record.mutation)
    if (tooLarge(text, state.maxPayload)) {
      die(state, entry, { code: 'PAYLOAD_TOO_LARGE', message: 'larger than the server takes' })
      continue
    }
    const alone = entry.record.n <= box.single
    if (
      texts.length >= (first <= box.single ? 1 : maxMutations) ||
      (chars > 0 && chars + text.length > Math.min(frameChars, state.maxPayload / 4))
    )
      flush()
    if (box.frames.length >= (alone ? 1 : maxFrames)) break
    if (texts.length === 0) first = entry.record.n
    texts.push(text)
    chars += text.length
    last = entry.record.n
  }
  if (box.frames.length < maxFrames) flush()
}

/** What of the frame has no answer yet. */
function* flying(state: State, { first, last }: Frame): Generator<Entry> {
  for (const entry of state.entries.values()) {
    if (entry.record.n > last) break
    if (entry.record.n >= first && entry.sent && entry.result === null) yield entry
  }
}

function landed(state: State, frame: Frame): boolean {
  return flying(state, frame).next().done === true
}

/** Bytes of UTF-8 against the limit, with room for the frame around it. */
function tooLarge(text: string, max: number): boolean {
  const room = max - 256
  return text.length * 3 > room && bytesIn(text) > room
}

/**
 * The server refused a whole `mutate` frame: the one that begins with `n`; a server that does not say, all of them. After
 * a transient failure those behind it come again too: some were stored together with it, and have no answer of their own.
 */
export function frameRefused(state: State, failure: Failure): void {
  const { box } = state
  const { n = 0 } = failure
  const retryable = isRetryable(failure.code)
  const at = n === 0 ? 0 : box.frames.findIndex(({ first }) => first === n)
  if (at < 0) return
  const gone = box.frames.splice(at, retryable || n === 0 ? Infinity : 1)
  const flown = gone.flatMap(frame => [...flying(state, frame)])
  for (const entry of flown) entry.sent = false
  const [first] = flown
  if (first === undefined) return
  if (retryable) refused(state, first, failure)
  else if (flown.length === 1) die(state, first, failure)
  else box.single = flown.at(-1)?.record.n ?? 0
}
