// How good a connection is, from what really went over it: the one heartbeat's pings, and the bytes of its frames.
// Neighbours on the line: the transport, around which it stands, and the connector.
import { unmeasured } from '../core/index.ts'
import type { QualityMetrics } from '../core/index.ts'
import { bytesIn } from './bytes.ts'
import type { ClientEnv } from './env.ts'
import type { Transport, TransportEvents } from './transport.ts'

/** Of the newest pings, and of what became of connections. */
const memory = 20

export interface Traffic {
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly framesSent: number
  readonly framesReceived: number
}

const noTraffic: Traffic = { bytesSent: 0, bytesReceived: 0, framesSent: 0, framesReceived: 0 }

export class Quality {
  readonly #env: ClientEnv
  /** Called with each new reading. */
  readonly #changed: () => void
  /** Milliseconds of each round trip; null: no answer. */
  #pings: (number | null)[] = []
  /** True: a heartbeat was answered; false: the connection was lost. */
  #lives: boolean[] = []
  #asked: number | null = null
  /** What the other end said last; our next reading takes its place. */
  #told: QualityMetrics | null = null
  #traffic = noTraffic

  constructor(env: ClientEnv, changed: () => void) {
    this.#env = env
    this.#changed = changed
  }

  get traffic(): Traffic {
    return this.#traffic
  }

  get metrics(): QualityMetrics {
    if (this.#told !== null) return this.#told
    const times = this.#pings.filter(ms => ms !== null)
    if (this.#pings.length + this.#lives.length === 0) return unmeasured
    const latency = mean(times)
    const jitter = mean(times.slice(1).map((ms, i) => Math.abs(ms - (times[i] ?? ms))))
    const packetLoss = share(this.#pings, ms => ms === null)
    const connectionStability = 1 - share(this.#lives, life => !life)
    const penalty =
      Math.min(40, Math.max(0, latency - 50) / 10) +
      Math.min(20, jitter / 5) +
      Math.min(40, packetLoss * 100) +
      (1 - connectionStability) * 20
    return { qualityScore: Math.max(0, 100 - penalty), latency, packetLoss, jitter, connectionStability }
  }

  tell(metrics: QualityMetrics): void {
    this.#told = metrics
    this.#changed()
  }

  reset(): void {
    this.#pings = []
    this.#lives = []
    this.#asked = this.#told = null
    this.#traffic = noTraffic
  }

  sent(text: string): void {
    const { bytesSent, framesSent } = this.#traffic
    this.#traffic = { ...this.#traffic, bytesSent: bytesSent + bytesIn(text), framesSent: framesSent + 1 }
    if (text !== '{"type":"ping"}') return
    if (this.#asked !== null) this.#note(null)
    // a page that nobody sees is slow on purpose
    this.#asked = this.#visible ? this.#env.now() : null
  }

  received(text: string): void {
    const { bytesReceived, framesReceived } = this.#traffic
    this.#traffic = {
      ...this.#traffic,
      bytesReceived: bytesReceived + bytesIn(text),
      framesReceived: framesReceived + 1,
    }
    if (this.#asked === null || !text.startsWith('{"type":"pong"')) return
    const asked = this.#asked
    this.#asked = null
    if (this.#visible) this.#note(Math.max(0, this.#env.now() - asked))
  }

  /** We closed it; because it did not answer, maybe. */
  left(): void {
    if (this.#asked !== null) this.lost()
  }

  lost(): void {
    this.#lives = [...this.#lives, false].slice(-memory)
    if (this.#asked !== null) this.#note(null)
    this.#asked = null
  }

  get #visible(): boolean {
    return this.#env.visible?.() ?? true
  }

  #note(ms: number | null): void {
    this.#pings = [...this.#pings, ms].slice(-memory)
    if (ms !== null) this.#lives = [...this.#lives, true].slice(-memory)
    this.#told = null
    this.#changed()
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, one) => sum + one, 0) / numbers.length
}

function share<T>(all: readonly T[], counts: (one: T) => boolean): number {
  return all.length === 0 ? 0 : all.filter(counts).length / all.length
}

/** The same transport, watched. */
export function measured(transport: Transport, quality: Quality): Transport {
  return {
    name: transport.name,
    connect(events) {
      let open = false
      const watched: TransportEvents = {
        open() {
          open = true
          events.open()
        },
        frame(text) {
          quality.received(text)
          events.frame(text)
        },
        alive: () => events.alive(),
        closed(code, reason, retryAfterMs) {
          if (open) quality.lost()
          events.closed(code, reason, retryAfterMs)
        },
      }
      const inner = transport.connect(watched)
      return {
        send(text) {
          const taken = inner.send(text)
          if (taken) quality.sent(text)
          return taken
        },
        buffered: () => inner.buffered(),
        close(code, reason) {
          if (open) quality.left()
          inner.close(code, reason)
        },
      }
    },
  }
}
