// The link as its users hear of it: the events of a connection, and the promises of those who wait for one. Neighbours: the
// core link, which connects, waits and gives up; `words`, which says what that is called.
import { SyncError } from '../../core/index.ts'
import { closedError } from '../../client/index.ts'
import type { BareClient, ClientEnv, StateDetail } from '../../client/index.ts'
import type { Emitter } from './emitter.ts'
import type { DifferentialEvents } from './events.ts'
import type { Settings } from './options.ts'
import { wordsOf } from './words.ts'
import type { Word } from './words.ts'

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: SyncError) => void
}

export interface ConnectionHost {
  readonly client: BareClient
  readonly env: ClientEnv
  readonly settings: Settings
  readonly events: Emitter<DifferentialEvents>
  /** Tells of it, once. */
  fail(error: SyncError): SyncError
}

export class Connecting {
  readonly #host: ConnectionHost
  #waiting: Waiting[] = []
  connected = false
  closed = false
  /** Milliseconds since 1970. */
  connectedAt: number | null = null
  connections = 0
  losses = 0

  constructor(host: ConnectionHost) {
    this.#host = host
    host.client.on('state', detail => this.#moved(detail))
  }

  /** Rejects with the error of the first attempt; further ones go on by themselves. */
  connect(): Promise<void> {
    if (this.connected) return Promise.resolve()
    if (this.closed) return Promise.reject(this.#host.fail(closedError()))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#host.client.connect()
    })
  }

  /** Whoever connects when they hear of it is connected anew. */
  disconnect(): void {
    const waiting = this.#waiting.splice(0)
    this.#host.client.disconnect()
    for (const { reject } of waiting) reject(new SyncError('NOT_CONNECTED', 'disconnected on request'))
  }

  /** For good. */
  close(): void {
    this.closed = true
    this.disconnect()
  }

  #settle(how: (waiting: Waiting) => void): void {
    for (const waiting of this.#waiting.splice(0)) how(waiting)
  }

  #moved(detail: StateDetail): void {
    const { reconnect, url } = this.#host.settings
    for (const word of wordsOf(detail, this.connected, url, reconnect.attempts)) this.#say(word)
  }

  #say(word: Word): void {
    const { events, env, settings } = this.#host
    switch (word.say) {
      case 'connected':
        this.connected = true
        this.connectedAt = env.now()
        this.connections += 1
        events.emit('connected', { clientId: settings.clientId, url: settings.url })
        return this.#settle(({ resolve }) => resolve())
      case 'disconnected': {
        const { code, reason, intentional } = word
        this.connected = false
        this.connectedAt = null
        if (!intentional) this.losses += 1
        return events.emit('disconnected', { code, reason, intentional })
      }
      case 'error':
        this.#host.fail(word.error)
        return this.#settle(({ reject }) => reject(word.error))
      case 'reconnect:scheduled': {
        const delay = Math.max(0, word.at - env.now())
        return events.emit('reconnect:scheduled', {
          attempt: word.attempt,
          delay,
          maxRetries: settings.reconnect.attempts,
        })
      }
      case 'reconnect:failed':
        return events.emit('reconnect:failed', { attempts: settings.reconnect.attempts })
    }
  }
}
