// A session whose frames go down in answers that end: one request of the client waits for what comes next. What it gets is
// a short event stream, so both ends read and write the same as over a long one. Frames that come while no request waits
// are kept up to the connection's byte budget; beyond it the log is the buffer (rule S4).
import type { Connection } from './connection.ts'
import type { ServerEnv } from './env.ts'
import { eventBytes, namedEvent } from './event-stream.ts'
import type { StreamSink } from './event-stream.ts'
import type { StreamEnds } from './http.ts'
import type { Peer } from './peer.ts'

export const longPollHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
}

/** How long a client may take to ask once more after the session has ended, to hear why. */
const lastWordMs = 30_000

export class LongPoll {
  readonly peer: Peer
  readonly #env: ServerEnv
  readonly #gone: () => void
  #connection: Connection | null = null
  #waiting: StreamSink | null = null
  #bytes: Buffer[] = []
  #size = 0
  #ended = false
  #flushing = false

  /** `gone` is called when nobody will ask for the rest any more. */
  constructor(env: ServerEnv, gone: () => void, address?: string) {
    this.#env = env
    this.#gone = gone
    this.peer = {
      kind: 'long-poll',
      address,
      write: frames => this.#put(...frames.map(eventBytes)),
      buffered: () => this.#size,
      pause() {},
      resume() {},
      // an answer makes the client ask again, which is the sign of life
      probe: () => this.#waiting !== null && this.#put(Buffer.from(': ping\n\n')),
      close: (code, reason, retryAfterMs) => {
        const data = { code, reason, ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }) }
        this.#put(Buffer.from(namedEvent('close', data)))
        this.#ended = true
        this.#flush()
        if (this.#size > 0) env.after(lastWordMs, gone)
      },
    }
  }

  /** The first answer names the session. */
  begin(connection: Connection, session: string): void {
    this.#connection = connection
    this.#put(Buffer.from(namedEvent('session', { session })))
  }

  /** A request that waits; an older one is answered with nothing. */
  wait(sink: StreamSink): StreamEnds {
    if (this.#waiting !== null) this.#answer(Buffer.from(': another request waits\n\n'))
    this.#waiting = sink
    this.#connection?.alive()
    this.#flush()
    return {
      drained() {},
      closed: () => {
        // answered requests end too; this one was given up, and with it the session
        if (this.#waiting !== sink) return
        this.#waiting = null
        this.#connection?.closed()
        this.#gone()
      },
    }
  }

  /** What is written in one go is one answer. */
  #put(...bytes: Buffer[]): void {
    if (this.#ended) return
    this.#bytes.push(...bytes)
    this.#size += bytes.reduce((sum, { length }) => sum + length, 0)
    if (this.#flushing) return
    this.#flushing = true
    this.#env.soon(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#waiting === null || this.#size === 0) return
    const bytes = Buffer.concat(this.#bytes)
    this.#bytes = []
    this.#size = 0
    this.#answer(bytes)
    if (this.#ended) this.#gone()
    else this.#connection?.drained()
  }

  #answer(bytes: Buffer): void {
    const sink = this.#waiting
    this.#waiting = null
    sink?.write(bytes)
    sink?.end()
  }
}
