// Frames over a WebSocket. Close codes 1012 and 1013 may carry `retry_after_ms=NNN` in their reason.
import type { Transport } from './transport.ts'

/**
 * `compress`: frames from 1 kB on, or none; undefined: as the server does by default. `open`: for platforms whose
 * WebSocket takes more than an address.
 */
export function webSocketTransport(
  url: string,
  compress?: boolean,
  open = (address: string): WebSocket => new WebSocket(address),
): Transport {
  // a browser cannot say so in the handshake itself
  const query = compress === undefined ? '' : `?compress=${Number(compress)}`
  return {
    name: 'websocket',
    connect(events) {
      let socket: WebSocket
      try {
        socket = open(`${absolute(url).replace(/^http/, 'ws')}/ws${query}`)
      } catch {
        // no WebSocket here, or a page that may not use it
        queueMicrotask(() => events.closed(0, '', null))
        return { send: () => false, buffered: () => 0, close() {} }
      }
      const quiet = (): void => {
        socket.onopen = socket.onmessage = socket.onclose = null
      }
      socket.onopen = () => events.open()
      socket.onmessage = ({ data }) => events.frame(String(data))
      socket.onclose = ({ code, reason }) => {
        quiet()
        const wait = /retry_after_ms=(\d+)/.exec(reason)
        events.closed(code, reason, wait === null ? null : Number(wait[1]))
      }
      return {
        send(text) {
          if (socket.readyState !== 1) return false
          socket.send(text)
          return true
        },
        buffered: () => socket.bufferedAmount,
        close(code, reason) {
          quiet()
          socket.close(code, reason)
        },
      }
    },
  }
}

/** A location-relative address as an absolute one, without a slash at its end. */
export function absolute(url: string): string {
  const base = typeof location === 'undefined' ? undefined : location.href
  return new URL(url, base).href.replace(/\/$/, '')
}
