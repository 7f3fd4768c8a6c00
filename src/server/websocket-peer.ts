// A WebSocket as a peer. Frames are encoded once and written to the TCP socket as they are, so a change costs one
// encoding however many sockets want it; the library keeps handshake, reading and closing.
// Neighbours on the line: frames before it; `upgrade` lets the socket in.
import type { Duplex } from 'node:stream'
import { constants, deflateRawSync } from 'node:zlib'
import type { WebSocket } from 'ws'
import type { CloseCode } from '../core/index.ts'
import type { ServerEnv } from './env.ts'
import type { Frame } from './frames.ts'
import type { Peer } from './peer.ts'

/** Shared frames of at least this many bytes are deflated by default, once for all sockets. */
export const deflateFrom = 8 * 1024
/** After a close frame, how long the other side may take to answer it. */
const closeGraceMs = 1500

/** Every flush asks and writes to each of thousands: two objects to touch, and no closures. */
export class WebSocketPeer implements Peer {
  readonly kind = 'websocket'
  readonly address: string | undefined
  readonly #websocket: WebSocket
  readonly #socket: Duplex
  readonly #env: ServerEnv
  /** In bytes; Infinity: nothing is deflated. */
  readonly #deflateFrom: number

  constructor(websocket: WebSocket, socket: Duplex, env: ServerEnv, from: number, address?: string) {
    this.#websocket = websocket
    this.#socket = socket
    this.#env = env
    this.address = address
    this.#deflateFrom = websocket.extensions.includes('permessage-deflate') ? from : Infinity
  }

  write(frames: readonly Frame[]): void {
    if (this.#websocket.readyState !== 1) return
    const many = frames.length > 1
    if (many) this.#socket.cork()
    for (const frame of frames) this.#socket.write(encode(frame, this.#deflateFrom))
    if (many) this.#socket.uncork()
  }

  buffered(): number {
    return this.#socket.writableLength
  }

  pause(): void {
    this.#websocket.pause()
  }

  resume(): void {
    if (this.#websocket.isPaused) this.#websocket.resume()
  }

  probe(): void {
    this.#websocket.ping()
  }

  close(code: CloseCode, reason: string, retryAfterMs?: number): void {
    const hint = retryAfterMs === undefined ? '' : `retry_after_ms=${retryAfterMs} `
    this.#websocket.close(code, `${hint}${reason}`.slice(0, 120))
    const cancel = this.#env.after(closeGraceMs, () => this.#websocket.terminate())
    this.#websocket.once('close', cancel)
  }
}

function encode(frame: Frame, from: number): Buffer {
  if (frame.text.length >= from) return (frame.deflated ??= encodeText(deflateText(frame.text), true))
  return (frame.websocket ??= encodeText(Buffer.from(frame.text), false))
}

/** RFC 7692: a raw deflate stream that ends in an empty block, whose last four bytes are left out. */
function deflateText(text: string): Buffer {
  const deflated = deflateRawSync(Buffer.from(text), { level: 1, finishFlush: constants.Z_SYNC_FLUSH })
  return deflated.subarray(0, deflated.length - 4)
}

/** RFC 6455: one unmasked, final text frame. */
function encodeText(payload: Buffer, compressed: boolean): Buffer {
  const size = payload.length
  const head = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(head + size)
  bytes[0] = compressed ? 0xc1 : 0x81
  if (head === 2) {
    bytes[1] = size
  } else if (head === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(size, 2)
  } else {
    bytes[1] = 127
    bytes.writeBigUInt64BE(BigInt(size), 2)
  }
  payload.copy(bytes, head)
  return bytes
}
