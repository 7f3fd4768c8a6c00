// WebSocket: which upgrades are ours, and the socket as a peer. Frames are encoded once and written to the TCP socket as
// they are, so a change costs one encoding however many sockets want it; the library keeps handshake, reading and closing.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { deflateRawSync, constants } from 'node:zlib'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import type { Settings } from './config.ts'
import type { SyncEngine } from './engine.ts'
import { watchExposure } from './exposure.ts'
import type { ExposedServer } from './exposure.ts'
import type { Frame } from './frames.ts'
import { checkOrigin } from './origin.ts'
import type { Peer, PeerEvents } from './peer.ts'

/** A Node HTTP(S) server, as far as it is needed. */
export interface UpgradableServer extends ExposedServer {
  on(event: 'upgrade', listener: UpgradeHandler): unknown
  listenerCount(event: 'upgrade'): number
}

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Shared frames of at least this many bytes are deflated, once for all sockets. */
const deflateFrom = 8 * 1024
/** After a close frame, how long the other side may take to answer it. */
const closeGraceMs = 1500

/** Handles an upgrade on one of the sync paths; false: not ours. */
export type Upgrader = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean

export function makeUpgrader(engine: SyncEngine, settings: Settings): Upgrader {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // a frame somewhat too large is answered with an error, a much larger one is not even read
    maxPayload: settings.limits.maxPayload * 4,
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 15,
      concurrencyLimit: 4,
    },
  })
  const own = `${settings.path}/ws`
  return (request, socket, head) => {
    const path = pathOf(request)
    if (path !== own && path !== '/ws' && path !== '/') return false
    const { origin, host } = request.headers
    try {
      checkOrigin(origin, host, settings.origins)
    } catch {
      // before the 101: a page of another site learns nothing and holds nothing open
      refuse(socket, '403 Forbidden')
      return true
    }
    server.handleUpgrade(request, socket, head, websocket => greet(engine, settings, websocket, socket))
    return true
  }
}

/** Throws INVALID_CONFIG for a server that must not be reached as it listens; see exposure.ts. */
export function attachUpgrades(engine: SyncEngine, server: UpgradableServer, settings: Settings): () => void {
  const unwatch = watchExposure(server, settings)
  const upgrade = makeUpgrader(engine, settings)
  const own = `${settings.path}/ws`
  const listener: UpgradeHandler = (request, socket, head) => {
    const alone = server.listenerCount('upgrade') === 1
    // `/` and `/ws` may belong to somebody else who listens on the same server (a dev server's reload socket)
    if ((alone || pathOf(request) === own) && upgrade(request, socket, head)) return
    if (alone) refuse(socket, '404 Not Found')
  }
  server.on('upgrade', listener)
  return () => {
    unwatch()
    server.off('upgrade', listener)
  }
}

/** An upgraded socket is nobody's but ours: Node neither hears its errors nor closes it when the other side does not. */
function refuse(socket: Duplex, status: string): void {
  // a reset of the refused connection would end the process
  socket.on('error', () => {})
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/[?#].*$/, '')
}

function greet(engine: SyncEngine, settings: Settings, websocket: WebSocket, socket: Duplex): void {
  // an error is always followed by `close`; without a listener it would end the process
  websocket.on('error', () => {})
  let events: PeerEvents
  try {
    events = engine.connect(websocketPeer(websocket, socket, settings))
  } catch {
    return websocket.close(1012, 'server restarting')
  }
  websocket.on('message', (data, binary) => {
    // the `nodebuffer` default gives one Buffer a message
    const text = Buffer.isBuffer(data) ? data.toString('utf8') : ''
    events.frame(binary ? '' : text)
  })
  websocket.on('pong', () => events.alive())
  websocket.on('ping', () => events.alive())
  websocket.on('close', () => events.closed())
  socket.on('drain', () => events.drained())
}

function websocketPeer(websocket: WebSocket, socket: Duplex, settings: Settings): Peer {
  const deflate = websocket.extensions.includes('permessage-deflate')
  return {
    kind: 'websocket',
    write(frames) {
      if (websocket.readyState !== 1) return
      if (frames.length > 1) socket.cork()
      for (const frame of frames) socket.write(encode(frame, deflate))
      if (frames.length > 1) socket.uncork()
    },
    buffered: () => socket.writableLength,
    pause: () => websocket.pause(),
    resume() {
      if (websocket.isPaused) websocket.resume()
    },
    probe: () => websocket.ping(),
    close(code, reason, retryAfterMs) {
      const hint = retryAfterMs === undefined ? '' : `retry_after_ms=${retryAfterMs} `
      websocket.close(code, `${hint}${reason}`.slice(0, 120))
      const cancel = settings.env.after(closeGraceMs, () => websocket.terminate())
      websocket.once('close', cancel)
    },
  }
}

function encode(frame: Frame, deflate: boolean): Buffer {
  if (deflate && frame.text.length >= deflateFrom)
    return (frame.deflated ??= encodeText(deflateText(frame.text), true))
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
