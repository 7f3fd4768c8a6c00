// The closed table of WebSocket close codes. A code that is not here counts as a lost connection: retry.

/** retry: back off and reconnect; auth: stop until the user signs in; stop: this client must not reconnect by itself. */
export type AfterClose = 'retry' | 'auth' | 'stop'

/** What is said with each; those that `last` names not are retried. */
export type CloseCode =
  /** closed by request */
  | 1000
  /** going away */
  | 1001
  /** connection lost */
  | 1006
  /** too many invalid messages */
  | 1008
  /** message too large */
  | 1009
  /** server error */
  | 1011
  /** server restarting */
  | 1012
  /** server overloaded */
  | 1013
  /** protocol version not supported */
  | 4400
  /** authentication required */
  | 4401
  /** forbidden */
  | 4403
  /** no hello in time */
  | 4408
  /** another tab took the lead */
  | 4409

const last: Readonly<Record<number, AfterClose>> = {
  1008: 'stop',
  4400: 'stop',
  4401: 'auth',
  4403: 'auth',
  4409: 'stop',
} satisfies Partial<Record<CloseCode, AfterClose>>

export function afterClose(code: number): AfterClose {
  return last[code] ?? 'retry'
}

/** The reason of a connection that was given up because nothing came over it in time. */
export const noAnswer = 'no answer'
