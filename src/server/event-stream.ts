// Server-sent events as a peer. The same frames as on a socket go down; up come POSTs that name the stream's secret.
import type { Frame } from './frames.ts'
import type { Peer } from './peer.ts'

/** Where the bytes of a stream go: a Node response or a web stream. */
export interface StreamSink {
  write(bytes: Buffer): void
  buffered(): number
  end(): void
}

export const eventStreamHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  // no-transform: a proxy that compresses would buffer; X-Accel-Buffering says the same to nginx
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  connection: 'keep-alive',
}

/** Two kilobytes of comment push the head of the stream through what buffers small answers. */
export const prelude: Buffer = Buffer.from(`:${' '.repeat(2048)}\nretry: 1000\n\n`)

export function eventStreamPeer(sink: StreamSink, address?: string): Peer {
  return {
    kind: 'sse',
    address,
    write(frames) {
      sink.write(
        frames.length === 1 && frames[0] !== undefined
          ? eventBytes(frames[0])
          : Buffer.concat(frames.map(eventBytes)),
      )
    },
    buffered: () => sink.buffered(),
    // what goes up comes in requests, which are answered one by one
    pause() {},
    resume() {},
    probe: () => sink.write(Buffer.from(': ping\n\n')),
    close(code, reason, retryAfterMs) {
      const data = { code, reason, ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }) }
      sink.write(Buffer.from(namedEvent('close', data)))
      sink.end()
    },
  }
}

export function namedEvent(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/**
 * One `data:` line. JSON columns are spliced as they are stored, maybe over several lines; in valid JSON a raw line
 * break is only whitespace, so a space says the same.
 */
export function eventBytes(frame: Frame): Buffer {
  const id = frame.eventId === null ? '' : `id: ${frame.eventId}\n`
  return (frame.eventStream ??= Buffer.from(`${id}data: ${frame.text.replaceAll(/[\r\n]+/g, ' ')}\n\n`))
}
