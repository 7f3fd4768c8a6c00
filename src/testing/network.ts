// A simulated network in virtual time. A line carries text both ways, in order, like a WebSocket or a stream with its
// POSTs; what can go wrong is what goes wrong with those: it is cut, with or without a word to either end; it freezes
// and nobody is told; frames that were on their way when an end gave up still arrive there, behind those of the line
// that took its place.
import type { Connection, Transport, TransportEvents } from '../client/index.ts'
import type { Frame, Peer, PeerEvents, User } from '../server/index.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'

/** What a line leads to; an engine is one. */
export interface ServerEnd {
  /** Throws where it takes nobody any more. */
  connect(peer: Peer, user?: User): PeerEvents
}

/** What a network does to WebSockets that it does not like. */
export type Block = 'refused' | 'swallowed' | 'late'

export interface NetworkOptions {
  readonly time: VirtualTime
  readonly random: Random
  /** Milliseconds that a frame is on its way. Default: 1 to 30. */
  readonly latency?: () => number
}

export interface LineOptions {
  readonly kind: 'websocket' | 'sse'
  /** Whose line it is; for the world's own books. */
  readonly owner: string
  /** Who it is, when the line is made. */
  readonly user?: () => User
  /** The server that answers now; null: nobody does. */
  readonly server: () => ServerEnd | null
  /** What passes, as it is delivered. */
  readonly watch?: (direction: 'up' | 'down', text: string, sentAt: number, line: Line) => void
}

export class Network {
  readonly time: VirtualTime
  readonly random: Random
  readonly latency: () => number
  /** Lines of which at least one end is open. */
  readonly lines = new Set<Line>()
  /** No connection is answered while it is off. */
  reachable: (owner: string) => boolean = () => true
  blocks: { of(owner: string): Block | null } | null = null

  constructor({ time, random, latency }: NetworkOptions) {
    this.time = time
    this.random = random
    this.latency = latency ?? (() => random.between(1, 30))
  }

  transport(options: LineOptions): Transport {
    return {
      name: options.kind,
      connect: events => {
        const line = new Line(this, options, events)
        this.lines.add(line)
        return line.client
      },
    }
  }
}

/** One direction: what is put in first comes out first, later. */
class Lane {
  readonly #network: Network
  #queue: (() => void)[] = []
  #last = 0
  #due = 0
  /** By a fault. */
  frozen = false
  /** By an end that reads no more for a while. */
  paused = false

  constructor(network: Network) {
    this.#network = network
  }

  put(deliver: () => void): void {
    const { time } = this.#network
    this.#last = Math.max(this.#last, time.now() + this.#network.latency())
    this.#queue.push(deliver)
    time.after(this.#last - time.now(), () => {
      this.#due++
      this.#flow()
    })
  }

  release(what: 'frozen' | 'paused'): void {
    this[what] = false
    this.#flow()
  }

  /** What is on its way never arrives. */
  lose(): void {
    this.#queue = []
    this.#due = 0
  }

  #flow(): void {
    if (this.frozen || this.paused || this.#due === 0) return
    this.#due--
    this.#queue.shift()?.()
    // each frame is an event of its own, as a browser gives it
    if (this.#due > 0) this.#network.time.after(0, () => this.#flow())
  }
}

export class Line {
  readonly owner: string
  readonly client: Connection
  readonly #network: Network
  readonly #options: LineOptions
  readonly #up: Lane
  readonly #down: Lane
  #events: TransportEvents | null
  #server: PeerEvents | null = null
  #user: User | undefined
  #end: ServerEnd | null = null
  #upBytes = 0
  #downBytes = 0

  constructor(network: Network, options: LineOptions, events: TransportEvents) {
    this.owner = options.owner
    this.#network = network
    this.#options = options
    this.#events = events
    this.#up = new Lane(network)
    this.#down = new Lane(network)
    this.client = this.#clientEnd()
    const block = options.kind === 'websocket' ? (network.blocks?.of(options.owner) ?? null) : null
    const late = block === 'late' ? network.random.between(200, 8_000) : 0
    network.time.after(late, () => this.#up.put(() => this.#arrive(block)))
  }

  /** Who it was when the line was made. */
  get user(): User | undefined {
    return this.#user
  }

  get open(): boolean {
    return this.#events !== null && this.#server !== null
  }

  leadsTo(end: ServerEnd): boolean {
    return this.#end === end
  }

  #clientEnd(): Connection {
    return {
      send: text => {
        if (this.#events === null) return false
        this.#upBytes += text.length
        const sentAt = this.#network.time.now()
        this.#up.put(() => {
          this.#upBytes -= text.length
          this.#options.watch?.('up', text, sentAt, this)
          this.#server?.frame(text)
        })
        return true
      },
      buffered: () => this.#upBytes,
      close: () => {
        if (this.#events === null) return
        this.#events = null
        this.#up.put(() => this.#serverGone())
      },
    }
  }

  #arrive(block: Block | null): void {
    // as if it were open: what is said on it is heard by nobody
    if (block === 'swallowed') return this.#down.put(() => this.#events?.open())
    const reached = this.#network.reachable(this.owner) && block !== 'refused'
    const end = reached ? this.#options.server() : null
    this.#end = end
    try {
      this.#user = this.#options.user?.()
      this.#server = end?.connect(this.#peer(), this.#user) ?? null
    } catch {
      this.#server = null
    }
    if (this.#server === null) this.#down.put(() => this.#clientGone(1006, ''))
    else this.#down.put(() => this.#events?.open())
  }

  #peer(): Peer {
    const network = this.#network
    return {
      kind: this.#options.kind,
      write: frames => this.#write(frames),
      buffered: () => this.#downBytes,
      pause: () => {
        this.#up.paused = true
      },
      resume: () => this.#up.release('paused'),
      probe: () => {
        this.#down.put(() => {
          if (this.#events === null) return
          // a browser answers a ping by itself, a stream's comment is only seen
          if (this.#options.kind === 'websocket') this.#up.put(() => this.#server?.alive())
          else this.#events.alive()
        })
      },
      close: (code, reason, retryAfterMs) => {
        this.#server = null
        this.#down.put(() => this.#clientGone(code, reason, retryAfterMs ?? null))
        network.time.after(0, () => this.#forget())
      },
    }
  }

  #write(frames: readonly Frame[]): void {
    const sentAt = this.#network.time.now()
    for (const { text } of frames) {
      this.#downBytes += text.length
      this.#down.put(() => {
        this.#downBytes -= text.length
        this.#options.watch?.('down', text, sentAt, this)
        this.#events?.frame(text)
        if (this.#downBytes === 0) this.#server?.drained()
      })
    }
  }

  #clientGone(code: number, reason: string, retryAfterMs: number | null = null): void {
    const events = this.#events
    this.#events = null
    events?.closed(code, reason, retryAfterMs)
    this.#forget()
  }

  #serverGone(): void {
    const server = this.#server
    this.#server = null
    server?.closed()
    this.#forget()
  }

  #forget(): void {
    if (this.#events === null && this.#server === null) this.#network.lines.delete(this)
  }

  // ---- faults

  /** Both ends are told, each in its time; what was on its way is lost. */
  cut(): void {
    this.#up.lose()
    this.#down.lose()
    this.#up.release('frozen')
    this.#up.release('paused')
    this.#down.release('frozen')
    this.#up.put(() => this.#serverGone())
    this.#down.put(() => this.#clientGone(1006, ''))
  }

  /** Nothing arrives either way, and nobody is told. */
  freeze(): void {
    this.#up.frozen = true
    this.#down.frozen = true
  }

  /** All that was held comes at last. */
  thaw(): void {
    this.#up.release('frozen')
    this.#down.release('frozen')
  }

  /** Only the client notices; what it sent is still on its way, and the server believes the line open. */
  halfOpen(): void {
    this.#down.lose()
    this.#clientGone(1006, '')
  }

  /** The server's process is gone. Its machine tells the client, unless the line is frozen. */
  serverDied(): void {
    this.#server = null
    this.#up.lose()
    this.#down.put(() => this.#clientGone(1006, ''))
  }

  /** The browser is gone; `told`: its machine closes the connection, else the server has to notice by itself. */
  clientDied(told: boolean): void {
    this.#events = null
    if (told) this.#up.put(() => this.#serverGone())
    else this.#up.lose()
    this.#forget()
  }
}
