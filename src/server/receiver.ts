// A fault of ws 8.23.0: what it had buffered behind a frame that it refused (text that is no UTF-8, a bad close code, too
// many pieces) it reads all the same, in the middle of that frame, and throws where nobody can catch it. One connection
// would end the process. Neighbour: upgrade.
import { Writable } from 'node:stream'
import type { WebSocket } from 'ws'

/** Nothing more is read of a connection that failed. */
export function stopAtError(websocket: WebSocket): void {
  const receiver: unknown = Reflect.get(websocket, '_receiver')
  if (receiver instanceof Writable) receiver._write = writeUntilError
}

/** One function for all sockets, since each of thousands would pay for its own. */
function writeUntilError(
  this: Writable,
  chunk: unknown,
  encoding: BufferEncoding,
  done: (error?: Error | null) => void,
): void {
  if (Reflect.get(this, '_errored') === true) return done()
  const own = Object.getPrototypeOf(this) as Writable // reason: the class, whose `_write` this one stands before
  own._write.call(this, chunk, encoding, done)
}
