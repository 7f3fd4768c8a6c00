// The client's door: text from a server (or from something that only answers like one) becomes a `Down` message.
// Small on purpose: it is in every page. What is not a message of ours is undefined, never an exception.
import type { Down } from './protocol.ts'

const types: ReadonlySet<unknown> = new Set([
  'welcome',
  'batch',
  'results',
  'reset',
  'mismatch',
  'pong',
  'ping',
  'error',
])

/** Undefined: not JSON, or no message of this protocol (a captive portal's page, a proxy's error, a newer server's news). */
export function decodeDown(text: string): Down | undefined {
  try {
    const message: unknown = JSON.parse(text)
    if (typeof message !== 'object' || message === null || !('type' in message) || !types.has(message.type))
      return undefined
    return message as Down // reason: our own server made it; the link closes with INVALID_MESSAGE if a handler trips over it
  } catch {
    return undefined
  }
}
