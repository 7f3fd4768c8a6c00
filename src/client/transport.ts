// The port to the wire: something that carries text frames both ways, in order, while it is open.

export interface TransportEvents {
  open(): void
  /** One frame of text. */
  frame(text: string): void
  /** Something came in that is no frame: a comment of an event stream. */
  alive(): void
  /** The last event. `code` from the close-code table; 1006 where none was given; 0: there is no such transport here. */
  closed(code: number, reason: string, retryAfterMs: number | null): void
}

export interface Connection {
  /** False: not open any more; the frame was not taken. */
  send(text: string): boolean
  /** Bytes that were given to `send` and have not left. */
  buffered(): number
  /** After it no event comes. Twice is fine. */
  close(code: number, reason: string): void
}

export interface Transport {
  readonly name: 'websocket' | 'sse' | 'long-poll' | 'local'
  /** Never throws: what goes wrong is `closed`. */
  connect(events: TransportEvents): Connection
}
