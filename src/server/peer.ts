// What a connection looks like to the engine, whatever carries it.
import type { CloseCode } from '../core/index.ts'
import type { Frame } from './frames.ts'

export interface Peer {
  readonly kind: 'websocket' | 'sse' | 'long-poll' | 'local'
  /** Of the other end, where the kind of connection has one. */
  readonly address?: string | undefined
  /** One write for all of them. */
  write(frames: readonly Frame[]): void
  /** Bytes written and not yet taken by the network. */
  buffered(): number
  /** Read no more from the other side for a while. */
  pause(): void
  resume(): void
  /** A sign of life is wanted: a ping the other side answers by itself, or a comment. */
  probe(): void
  close(code: CloseCode, reason: string, retryAfterMs?: number): void
}

/** What a peer reports. */
export interface PeerEvents {
  frame(text: string): void
  /** The network took what was buffered. */
  drained(): void
  /** Any sign of life that is no frame. */
  alive(): void
  closed(): void
}
