// The beginning and the end of a connection as the replica sees them: hello, welcome, what to ask for, what is lost.
import type { Hello, Welcome } from '../core/index.ts'
import { protocolVersion } from '../core/index.ts'
import { askAll, prepare, shapeIn } from './ask.ts'
import { send } from './state.ts'
import type { State } from './state.ts'
import { dieWith } from './settle.ts'
import { firstDraft } from './store.ts'

export function hello(state: State): void {
  const { client, lead } = state.identity
  const message: Hello = { type: 'hello', protocol: protocolVersion, client, lead, acked: ackedOf(state) }
  send(state, message)
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

export function receiveWelcome(state: State, welcome: Welcome): void {
  const { identity } = state
  if (identity.user !== null && identity.user !== welcome.user) {
    // another user's rows and edits are in this database: nothing of it may go to this connection
    state.out.push({ do: 'user', user: welcome.user })
    return
  }
  state.epoch = welcome.epoch
  state.head = welcome.head
  state.maxPayload = welcome.max_payload
  const n = Math.max(identity.n, welcome.last)
  if (n !== identity.n || identity.user !== welcome.user) {
    state.identity = { ...identity, n, user: welcome.user }
    state.saveIdentity = !state.follows
  }
  for (const entry of state.entries.values()) {
    // a backup was put in place: the result is of a branch of the log that is no more, and its version may never come
    const { result, record } = entry
    if (result !== null && (record.n > welcome.last || (result.version > welcome.head && !state.follows))) {
      entry.result = null
      state.waiting -= 1
    }
    // what was processed is sent again all the same: only its result says whether it was refused (rule Q3)
    const unsent = entry.record.n > welcome.last && entry.record.n < firstDraft
    // a follower may hear of a welcome that is older than the results that it has
    if (entry.doomed && entry.result === null && unsent && !state.follows) dieWith(state, entry)
  }
  state.shapes = welcome.entities
  askAll(
    state,
    [...state.entities.values()].filter(kept => prepare(state, kept)),
  )
  for (const kept of state.entities.values()) {
    // the answer will say nothing new
    const { cursor, shape } = kept
    const same = shape !== null && shape.hash === shapeIn(state, kept)?.hash
    if (same && cursor !== null && cursor.seq === welcome.head && cursor.epoch === welcome.epoch)
      kept.current = true
  }
}

/** What the connection had in flight is lost with it: staged parts, repairs, and which mutations were handed over. */
export function lost(state: State): void {
  for (const kept of state.entities.values()) {
    kept.stage = null
    kept.heal = null
    kept.asked = kept.shifting = false
    kept.again = false
    kept.current = false
  }
  for (const entry of state.entries.values()) entry.sent = false
}
