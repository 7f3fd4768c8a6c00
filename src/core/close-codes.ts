// The closed table of WebSocket close codes. A code that is not here counts as a lost connection: retry.

export interface CloseMeaning {
  readonly reason: string
  /** retry: back off and reconnect; auth: stop until the user signs in; stop: this client must not reconnect by itself. */
  readonly then: 'retry' | 'auth' | 'stop'
}

export const closeCodes = {
  1000: { reason: 'closed by request', then: 'retry' },
  1001: { reason: 'going away', then: 'retry' },
  1006: { reason: 'connection lost', then: 'retry' },
  1008: { reason: 'too many invalid messages', then: 'stop' },
  1009: { reason: 'message too large', then: 'retry' },
  1011: { reason: 'server error', then: 'retry' },
  1012: { reason: 'server restarting', then: 'retry' },
  1013: { reason: 'server overloaded', then: 'retry' },
  4400: { reason: 'protocol version not supported', then: 'stop' },
  4401: { reason: 'authentication required', then: 'auth' },
  4403: { reason: 'forbidden', then: 'auth' },
  4408: { reason: 'no hello in time', then: 'retry' },
  4409: { reason: 'another tab took the lead', then: 'stop' },
} as const satisfies Record<number, CloseMeaning>

export type CloseCode = keyof typeof closeCodes

export function closeMeaning(code: number): CloseMeaning {
  return Object.hasOwn(closeCodes, code)
    ? closeCodes[code as CloseCode] // reason: hasOwn narrowed a number to a key, which the type system cannot say
    : closeCodes[1006]
}
