// What a connection has sent and is not handled yet: decoded at the door, counted, held back when it is too much.
import {
  asObject,
  decodeDifferential,
  decodeRhtmx,
  decodeRhtmxField,
  decodeUp,
  parseJson,
  SyncError,
} from '../core/index.ts'
import type { ErrorBody, Failure, Mutate, Unknown } from '../core/index.ts'
import { asErrorBody } from './accept.ts'
import type { ByteBudget } from './budget.ts'
import type { ServerLimits } from './limits.ts'
import type { Peer } from './peer.ts'
import type { Message } from './session.ts'

/** From so many messages, or characters of them, on the sender is not read further; below a quarter it is again. */
const fullMessages = 2_000
const fullChars = 4 * 1024 * 1024
/** Undecodable frames in a row after which the sender is given up. */
const maxAbuse = 20

/** A message of a known type that could not be decoded. */
export class Refusal {
  readonly error: unknown
  readonly type: string
  /** The number of its first mutation, where it had one. */
  readonly n: number | null
  /** Of a differential request: which one. */
  readonly syncId: string | null

  constructor(error: unknown, message: Unknown) {
    this.error = error
    this.type = String(message['type']).slice(0, 40)
    const [first] = Array.isArray(message['mutations']) ? (message['mutations'] as readonly unknown[]) : [] // reason: isArray gives any[]
    const n = typeof first === 'object' && first !== null && 'n' in first ? first.n : null
    this.n = typeof n === 'number' && Number.isSafeInteger(n) ? n : null
    const { syncId } = message
    this.syncId = typeof syncId === 'string' && syncId.length <= 256 ? syncId : null
  }
}

/** Messages that have another name on the wire. */
const names: Readonly<Record<string, string>> = {
  pull: 'sync',
  listen: 'subscribe',
  pushFields: 'push_fields',
}

/** What a message was that failed. */
export interface About extends Pick<Failure, 'n' | 'entity'> {
  readonly re?: string
  readonly syncId?: string
}

/** What is said of a message that failed as a whole: its type, its first mutation or the entity that it is about. */
export function about(message: Message): About & { readonly re: string } {
  const re = names[message.type] ?? message.type
  if (message.type === 'reconcile') return { re, entity: message.entity }
  if (message.type === 'sync:request') return { re, entity: message.scope.entity, syncId: message.syncId }
  const n = message.type === 'mutate' ? message.mutations[0]?.n : null
  return n == null ? { re } : { re, n }
}

/** An error in the dialect of the message that it is about. */
export function failureOf(error: ErrorBody, what: About = {}): object {
  return { type: what.re?.startsWith('sync:') === true ? 'sync:error' : 'error', ...error, ...what }
}

/** What is said of a frame that could not be taken. */
export function answerTo(error: unknown): object {
  if (!(error instanceof Refusal)) return failureOf(asErrorBody(error))
  const { type, n, syncId } = error
  const about = { re: type, ...(n === null ? {} : { n }), ...(syncId === null ? {} : { syncId }) }
  return failureOf(asErrorBody(error.error), about)
}

/** The machine has no clock: its pongs get their time here, each in the words of its dialect. */
export function pongAt(message: object, nowMs: number): object {
  if (!('type' in message)) return message
  if (message.type === 'pong') return { ...message, server_time: nowMs }
  return message.type === 'sync:pong' ? { ...message, timestamp: nowMs } : message
}

export function isPing({ type }: Message): boolean {
  return type === 'ping' || type === 'sync:ping'
}

interface Waiting {
  readonly message: Message
  readonly chars: number
}

export class Inbox {
  readonly #peer: Peer
  readonly #limits: ServerLimits
  readonly #budget: ByteBudget
  readonly #now: () => number
  readonly #messages: Waiting[] = []
  #chars = 0
  #first = 0
  #paused = false
  #abuse = 0

  constructor(peer: Peer, limits: ServerLimits, budget: ByteBudget, now: () => number) {
    this.#peer = peer
    this.#limits = limits
    this.#budget = budget
    this.#now = now
  }

  /** A frame of text. Throws INVALID_MESSAGE, PAYLOAD_TOO_LARGE, UNKNOWN_TYPE. */
  put(text: string): void {
    this.#abuse += 1
    const { maxPayload } = this.#limits
    if (text.length > maxPayload) {
      throw new SyncError(
        'PAYLOAD_TOO_LARGE',
        `a frame may have at most ${maxPayload} bytes; send fewer changes at once`,
      )
    }
    this.#decode(parseJson(text), () => text.length)
  }

  /** A frame that came parsed, inside another request. */
  putParsed(value: unknown): void {
    this.#abuse += 1
    this.#decode(value, () => JSON.stringify(value).length)
  }

  #decode(value: unknown, chars: () => number): void {
    const message = asObject(value, 'a message')
    let decoded: Message | undefined
    try {
      decoded =
        decodeUp(message, this.#limits) ??
        decodeRhtmx(message, this.#limits, this.#now()) ??
        decodeRhtmxField(message, this.#limits, this.#now()) ??
        decodeDifferential(message, this.#limits, this.#now())
    } catch (error) {
      const refusal = new Refusal(error, message)
      // edits of long ago that today's limits do not take: each is refused for itself and the queue goes on (rule Q4)
      if (refusal.type === 'mutate') this.#abuse = 0
      throw refusal
    }
    this.#abuse = 0
    if (decoded === undefined) {
      // the news of a newer client: answered, not punished
      throw new SyncError('UNKNOWN_TYPE', `unknown message type '${String(message['type']).slice(0, 40)}'`)
    }
    const waiting = { message: decoded, chars: chars() }
    this.#messages.push(waiting)
    this.#count(this.#chars + waiting.chars)
    if ((this.size >= fullMessages || this.#chars >= this.#budget.limit(fullChars)) && !this.#paused) {
      this.#paused = true
      this.#peer.pause()
    }
  }

  /** Whether the last frames were all refused, so many that the sender means no good. */
  get abused(): boolean {
    return this.#abuse >= maxAbuse
  }

  /** Whether the sender has to wait until some of it is handled. */
  get full(): boolean {
    return this.#paused
  }

  get size(): number {
    return this.#messages.length - this.#first
  }

  peek(): Message | undefined {
    return this.#messages[this.#first]?.message
  }

  /** Takes the `mutate` messages that wait next, as long as `wanted` says so. */
  *takeMutations(wanted: (message: Mutate) => boolean): Generator<Mutate> {
    for (let message = this.peek(); message?.type === 'mutate' && wanted(message); message = this.peek()) {
      this.take()
      yield message
    }
  }

  take(): Message | undefined {
    const waiting = this.#messages[this.#first]
    if (waiting === undefined) return undefined
    this.#first += 1
    this.#count(this.#chars - waiting.chars)
    if (this.#first === this.#messages.length || this.#first > 1024) {
      this.#messages.splice(0, this.#first)
      this.#first = 0
    }
    if (this.#paused && this.size < fullMessages / 4 && this.#chars < fullChars / 4) {
      this.#paused = false
      this.#peer.resume()
    }
    return waiting.message
  }

  /** Takes the heartbeats out of what waits. */
  takePings(): Message[] {
    const rest = this.#messages.splice(0).slice(this.#first)
    this.#messages.push(...rest.filter(({ message }) => !isPing(message)))
    this.#first = 0
    this.#count(this.#messages.reduce((sum, { chars }) => sum + chars, 0))
    return rest.map(({ message }) => message).filter(isPing)
  }

  /** The sender is gone, and nothing of it will be handled. */
  drop(): void {
    this.#messages.length = this.#first = 0
    this.#count(0)
  }

  #count(chars: number): void {
    this.#chars = this.#budget.move(this.#chars, chars)
  }
}
