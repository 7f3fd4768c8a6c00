// A WebSocket client with nothing around it, the same for every server that is measured: what a library's client would
// spend is not the server's time.
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

/** Resolves when the handshake is done. `onText(text)` per frame; or `onBytes(buffer)` raw, unparsed. */
export function openSocket(port, path, { onText, onBytes } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    const key = randomBytes(16).toString('base64')
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
    let head = Buffer.alloc(0)
    const reader = new FrameReader(text => opened.onText?.(text))
    const opened = {
      onText,
      onBytes,
      send: text => socket.write(maskedFrame(text)),
      /** Frames made beforehand with `maskedFrame`. */
      write: frames => socket.write(frames),
      bytesRead: () => socket.bytesRead,
      close: () => socket.destroy(),
    }
    socket.on('error', reject)
    socket.on('data', function greeting(chunk) {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      socket.off('data', greeting)
      if (!head.toString('latin1').startsWith('HTTP/1.1 101'))
        return reject(new Error(head.toString('latin1')))
      const rest = head.subarray(end + 4)
      const take = data => (opened.onBytes === undefined ? reader.push(data) : opened.onBytes(data))
      socket.on('data', take)
      resolve(opened)
      if (rest.length > 0) queueMicrotask(() => take(rest))
    })
  })
}

/** A client's text frame. The mask is zero: legal, and nothing to compute. */
export function maskedFrame(text) {
  const payload = Buffer.from(text)
  const size = payload.length
  const head = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const frame = Buffer.alloc(head + 4 + size)
  frame[0] = 0x81
  if (head === 2) frame[1] = 0x80 | size
  else if (head === 4) {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(size, 2)
  } else {
    frame[1] = 0x80 | 127
    frame.writeBigUInt64BE(BigInt(size), 2)
  }
  payload.copy(frame, head + 4)
  return frame
}

/** Cuts a server's bytes into text frames; control frames are skipped. */
class FrameReader {
  #onText
  #pieces = []
  #size = 0
  #text = []

  constructor(onText) {
    this.#onText = onText
  }

  push(chunk) {
    this.#pieces.push(chunk)
    this.#size += chunk.length
    for (;;) {
      if (this.#size < 2) return
      const need = this.#frameSize()
      if (need === null || this.#size < need.total) return
      const bytes = this.#take(need.total)
      const code = bytes[0] & 0x0f
      if (code > 2) continue
      const payload = bytes.subarray(need.head)
      if (bytes[0] & 0x80 && this.#text.length === 0) this.#onText(payload.toString('utf8'))
      else {
        this.#text.push(payload)
        if ((bytes[0] & 0x80) === 0) continue
        const whole = Buffer.concat(this.#text)
        this.#text = []
        this.#onText(whole.toString('utf8'))
      }
    }
  }

  #frameSize() {
    const bytes = this.#peek(10)
    const short = bytes[1] & 0x7f
    if (short < 126) return { head: 2, total: 2 + short }
    if (short === 126) return bytes.length < 4 ? null : { head: 4, total: 4 + bytes.readUInt16BE(2) }
    return bytes.length < 10 ? null : { head: 10, total: 10 + Number(bytes.readBigUInt64BE(2)) }
  }

  #peek(count) {
    if (this.#pieces[0].length < Math.min(count, this.#size)) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0]
  }

  #take(count) {
    if (this.#pieces[0].length < count) this.#pieces = [Buffer.concat(this.#pieces)]
    const first = this.#pieces[0]
    const taken = first.subarray(0, count)
    if (first.length === count) this.#pieces.shift()
    else this.#pieces[0] = first.subarray(count)
    this.#size -= count
    return taken
  }
}
