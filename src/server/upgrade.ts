// WebSocket: which upgrades are ours, and what their sockets say. Neighbour: the peer, which writes to them.
import { STATUS_CODES } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { SyncError } from '../core/index.ts'
import { authRequest } from './auth-request.ts'
import type { BareDialect } from './bare.ts'
import type { Settings } from './config.ts'
import { closeCodeOf } from './connections.ts'
import type { EngineParts } from './engine-parts.ts'
import type { SyncEngine } from './engine.ts'
import { watchExposure } from './exposure.ts'
import type { ExposedServer } from './exposure.ts'
import { compressFrom, errorAnswer } from './http.ts'
import type { SyncAnswer } from './http.ts'
import { checkOrigin } from './origin.ts'
import type { PeerEvents } from './peer.ts'
import { stopAtError } from './receiver.ts'
import { deflateFrom, WebSocketPeer } from './websocket-peer.ts'

/** A Node HTTP(S) server, as far as it is needed. */
export interface UpgradableServer extends ExposedServer {
  on(event: 'upgrade', listener: UpgradeHandler): unknown
  listenerCount(event: 'upgrade'): number
}

export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Handles an upgrade on one of the sync paths; false: not ours. */
export type Upgrader = (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean

export function makeUpgrader(engine: SyncEngine, parts: EngineParts, settings: Settings): Upgrader {
  const { doorkeeper, headcount } = parts
  const { maxPayload, maxFragments } = settings.limits
  // a frame somewhat too large is answered with an error, a much larger one is not even read
  const common = { noServer: true, clientTracking: false, maxPayload: maxPayload * 4, maxFragments }
  const plain = new WebSocketServer(common)
  const deflating = new WebSocketServer({
    ...common,
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 15,
      concurrencyLimit: 4,
    },
  })
  const doors = doorsOf(settings)
  /** Nothing of what it sends is read before it is known who it is. Browsers see no other refusal than a close code. */
  const letIn = async (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    dialect: BareDialect,
    letGo: () => void,
  ): Promise<void> => {
    const from = await doorkeeper.admit(() => authRequest(request)).catch(asError)
    // browsers always offer to compress, and a page cannot say otherwise but here
    const wanted = /[?&]compress=([01])(&|$)/.exec(request.url ?? '')?.[1]
    const server = wanted === '0' ? plain : deflating
    const least = wanted === '1' ? compressFrom : deflateFrom
    // from here on the engine counts it
    letGo()
    server.handleUpgrade(request, socket, head, websocket => {
      stopAtError(websocket)
      if (from instanceof Error) return turnAway(websocket, from)
      const peer = new WebSocketPeer(websocket, socket, settings.env, least, request.socket.remoteAddress)
      greet(websocket, socket, () => engine.connect(peer, from.user, from.again, dialect))
    })
  }
  return (request, socket, head) => {
    const path = pathOf(request)
    const common = settings.socketPaths === null && (path === '/ws' || path === '/')
    const dialect = doors.get(path) ?? (common ? 'plain' : undefined)
    if (dialect === undefined) return false
    const { origin, host } = request.headers
    let letGo: () => void
    try {
      checkOrigin(origin, host, settings)
      letGo = headcount.arrive(request.socket.remoteAddress)
    } catch (error) {
      // before the 101: a page of another site, or one too many, learns nothing and holds nothing open
      refuse(socket, errorAnswer(error))
      return true
    }
    // nobody else hears of its reset while it waits
    socket.on('error', () => {})
    socket.once('close', letGo)
    void letIn(request, socket, head, dialect, letGo)
    return true
  }
}

/** The paths that are nobody's but ours, and how changes are told there. */
function doorsOf({ path, fieldPath, socketPaths }: Settings): ReadonlyMap<string, BareDialect> {
  const paths = [`${path}/ws`, ...(socketPaths ?? [])]
  const doors = new Map<string, BareDialect>(paths.map(one => [one, 'plain']))
  if (fieldPath !== null) doors.set(`${fieldPath}/ws`, 'field')
  return doors
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function turnAway(websocket: WebSocket, error: Error): void {
  websocket.on('error', () => {})
  const code = closeCodeOf(error)
  const wait = error instanceof SyncError ? error.retryAfterMs : undefined
  websocket.close(code, code === 1013 ? `retry_after_ms=${wait ?? 1000}` : error.message.slice(0, 120))
}

/** Throws INVALID_CONFIG for what is no server, and for one that must not be reached as it listens; see exposure.ts. */
export function attachUpgrades(server: UpgradableServer, upgrade: Upgrader, settings: Settings): () => void {
  // reason: an application may be written without types; one of Express takes listeners too, and never calls them
  if (typeof (server as Partial<UpgradableServer> | undefined)?.address !== 'function')
    throw new SyncError('INVALID_CONFIG', 'attach takes the HTTP server, e.g. what app.listen() returns')
  const unwatch = watchExposure(server, settings)
  const doors = doorsOf(settings)
  const listener: UpgradeHandler = (request, socket, head) => {
    const alone = server.listenerCount('upgrade') === 1
    // `/` and `/ws` may belong to somebody else who listens on the same server (a dev server's reload socket)
    if ((alone || doors.has(pathOf(request))) && upgrade(request, socket, head)) return
    if (alone) refuse(socket, errorAnswer(new SyncError('NOT_FOUND', 'there is nothing at this path')))
  }
  server.on('upgrade', listener)
  return () => {
    unwatch()
    server.off('upgrade', listener)
  }
}

/** An upgraded socket is nobody's but ours: Node neither hears its errors nor closes it when the other side does not. */
function refuse(socket: Duplex, { status, headers }: SyncAnswer): void {
  // a reset of the refused connection would end the process
  socket.on('error', () => {})
  socket.once('finish', () => socket.destroy())
  const wait = headers['retry-after']
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${wait === undefined ? '' : `Retry-After: ${wait}\r\n`}Connection: close\r\nContent-Length: 0\r\n\r\n`,
  )
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/[?#].*$/, '')
}

function greet(websocket: WebSocket, socket: Duplex, connect: () => PeerEvents): void {
  // an error is always followed by `close`; without a listener it would end the process
  websocket.on('error', () => {})
  let events: PeerEvents
  try {
    events = connect()
  } catch (error) {
    if (error instanceof SyncError && error.code === 'CLOSED')
      return websocket.close(1012, 'server restarting')
    return turnAway(websocket, asError(error))
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
