// The closed table of WebSocket close codes. A code that is not here counts as a lost connection: retry.

/** retry: back off and reconnect; auth: stop until the user signs in; stop: this client must not reconnect by itself. */
export type AfterClose = 'retry' | 'auth' | 'stop'

export const closeCodes = {
  /** closed by request */
  1000: 'retry',
  /** going away */
  1001: 'retry',
  /** connection lost */
  1006: 'retry',
  /** too many invalid messages */
  1008: 'stop',
  /** message too large */
  1009: 'retry',
  /** server error */
  1011: 'retry',
  /** server restarting */
  1012: 'retry',
  /** server overloaded */
  1013: 'retry',
  /** protocol version not supported */
  4400: 'stop',
  /** authentication required */
  4401: 'auth',
  /** forbidden */
  4403: 'auth',
  /** no hello in time */
  4408: 'retry',
  /** another tab took the lead */
  4409: 'stop',
} as const satisfies Record<number, AfterClose>

export type CloseCode = keyof typeof closeCodes

export function afterClose(code: number): AfterClose {
  const known: Readonly<Record<number, AfterClose>> = closeCodes
  return known[code] ?? 'retry'
}
