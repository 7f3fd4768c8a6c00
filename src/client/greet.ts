// The beginning and the end of a connection as the replica sees them: hello, welcome, what to ask for, what is lost.
import type { Hello, Welcome } from '../core/index.ts'
import { protocolVersion } from '../core/index.ts'
import { askAll, prepare, shapeIn } from './ask.ts'
import { send, unheard } from './state.ts'
import type { State } from './state.ts'

export function hello(state: State): void {
  const { client, lead } = state.identity
  const message: Hello = {
    type: 'hello',
    protocol: protocolVersion,
    client,
    lead,
    acked: state.desk?.acked(state) ?? 0,
  }
  send(state, message)
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
  state.desk?.welcomed(state, welcome)
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
  state.head = unheard
  state.open = false
  state.held = []
  state.desk?.lost(state)
}
