// Which pending mutations go into the next frames: in `n` order, each durable first (rules Q1, Q2), each once per
// connection, a few frames at a time; after a transient error nothing until `resume` (Q4). It spends no attempts: what
// cannot be sent waits (K2).
import type { Failure } from '../core/index.ts'
import { isRetryable } from '../core/index.ts'
import { ackedOf } from './greet.ts'
import { die, refused } from './settle.ts'
import type { Entry, State } from './state.ts'

/** The server's limit of mutations per frame, and the size at which another frame begins. */
const maxMutations = 1000
const frameChars = 256 * 1024
const maxFrames = 4

export interface Outbox {
  /** Welcomed, every scope answered, not paused: frames may go. */
  open: boolean
  paused: boolean
  maxPayload: number
  /** The last `n` of each frame in flight. */
  readonly frames: number[]
  /** A frame was refused as a whole: one mutation at a time until this `n`, to find the one. */
  single: number
}

export function newOutbox(): Outbox {
  return { open: false, paused: false, maxPayload: Infinity, frames: [], single: 0 }
}

/** The one decision: called after every event that may open the way. */
export function pump(state: State, box: Outbox): void {
  if (!box.open || box.paused || state.entries.size === 0) return
  // pushes do not wait for catch-up: where a scope turns out to be on another branch, the server, which was asked for
  // it first, judges bases from the common place until we know (Session.clamps)
  while (box.frames.length > 0 && landed(state, box.frames[0] ?? 0)) box.frames.shift()
  let chars = 0
  let texts: string[] = []
  let last = 0
  const flush = (): void => {
    if (texts.length === 0) return
    for (const entry of state.entries.values()) if (entry.record.n <= last) entry.sent = true
    box.frames.push(last)
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
    const text = JSON.stringify(entry.record.mutation)
    if (tooLarge(text, box.maxPayload)) {
      die(state, entry, { code: 'PAYLOAD_TOO_LARGE', message: 'larger than the server takes' })
      continue
    }
    const alone = entry.record.n <= box.single
    if (
      texts.length >= (alone ? 1 : maxMutations) ||
      (chars > 0 && chars + text.length > Math.min(frameChars, box.maxPayload / 4))
    )
      flush()
    if (box.frames.length >= (alone ? 1 : maxFrames)) break
    texts.push(text)
    chars += text.length
    last = entry.record.n
  }
  if (box.frames.length < maxFrames) flush()
}

function landed(state: State, last: number): boolean {
  for (const entry of state.entries.values()) {
    if (entry.record.n > last) break
    if (entry.sent && entry.result === null) return false
  }
  return true
}

/** Bytes of UTF-8 against the limit, with room for the frame around it. */
function tooLarge(text: string, max: number): boolean {
  const room = max - 256
  return text.length * 3 > room && new TextEncoder().encode(text).length > room
}

/** The server refused a whole `mutate` frame. */
export function frameRefused(state: State, box: Outbox, failure: Failure): void {
  const flying = [...state.entries.values()].filter(entry => entry.sent && entry.result === null)
  box.frames.length = 0
  for (const entry of flying) entry.sent = false
  const first: Entry | undefined = flying[0]
  if (first === undefined) return
  if (isRetryable(failure.code)) {
    refused(state, first, failure)
  } else if (flying.length === 1) {
    die(state, first, failure)
  } else {
    box.single = flying.at(-1)?.record.n ?? 0
  }
}
