// For clients that are no browsers and hold a token instead of a cookie. It goes where cookies go, into a header, and is
// asked for before each connection and request, so that it may be fetched or renewed then.
import { lazyTransport } from './lazy.ts'
import { sseTransport } from './transport-sse.ts'
import { webSocketTransport } from './transport-websocket.ts'
import type { Transport } from './transport.ts'

/** With what platforms take beyond the standard: Node, Bun and Deno as the second argument, React Native as the third. */
type Constructor = new (address: string, options: object, more: object) => WebSocket

/**
 * `createClient({ url, transports: tokenTransports(url, token) })`. A `token` that rejects is no connection: it is asked
 * for again. In browsers, where a WebSocket has no headers, the event stream carries.
 */
export function tokenTransports(url: string, token: () => string | Promise<string>): Transport[] {
  const authorized = async (): Promise<string> => `Bearer ${await token()}`
  return [
    lazyTransport('websocket', async () => {
      const more = { headers: { authorization: await authorized() } }
      // reason: the standard knows neither argument
      const Socket = WebSocket as unknown as Constructor
      return webSocketTransport(url, undefined, address => new Socket(address, more, more))
    }),
    sseTransport(url, async (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set('authorization', await authorized())
      return fetch(input, { ...init, headers })
    }),
  ]
}
