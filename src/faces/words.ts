// One state, the face's words for it. Pure: the link says what is, this says how the documents call it.
import type { Status } from '../client/index.ts'

/** The five words of `rhtmx:connection:state`. */
export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'fallback_sse'

/** From the attempt after this one on, WebSocket counts as given up, whatever is connected. */
const webSocketAttempts = 10

/** `known`: a connection was made or lost before, so the next attempt is no first one. */
export function wordOf(
  { state, transport, trying, attempt }: Pick<Status, 'state' | 'transport' | 'trying' | 'attempt'>,
  known: boolean,
): ConnectionState {
  if (state === 'idle' || state === 'stopped') return 'disconnected'
  // data that flows over another transport ends neither the attempts nor the word for them before they are spent
  if (state === 'ready' && trying === null)
    return transport === 'sse' || transport === 'long-poll' ? 'fallback_sse' : 'connected'
  if (attempt > webSocketAttempts) return 'fallback_sse'
  return state === 'waiting' || known || attempt > 0 ? 'reconnecting' : 'connecting'
}

/** The words on the way: who waits for `disconnected` sees every drop, also where the next attempt is already due. */
export function wayTo(from: ConnectionState, to: ConnectionState): ConnectionState[] {
  if (from === to) return []
  return to === 'reconnecting' && from !== 'disconnected' ? ['disconnected', to] : [to]
}
