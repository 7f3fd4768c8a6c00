// A transport that is loaded when it is first tried, so that a page does not pay for what it seldom needs.
import type { Connection, Transport } from './transport.ts'

export function lazyTransport(name: Transport['name'], load: () => Promise<Transport>): Transport {
  return {
    name,
    connect(events) {
      let inner: Connection | null = null
      let over = false
      load().then(
        transport => {
          if (!over) inner = transport.connect(events)
        },
        (error: unknown) => {
          if (!over) events.closed(1006, String(error), null)
        },
      )
      return {
        send: text => inner?.send(text) ?? false,
        buffered: () => inner?.buffered() ?? 0,
        close(code, reason) {
          over = true
          inner?.close(code, reason)
        },
      }
    },
  }
}
