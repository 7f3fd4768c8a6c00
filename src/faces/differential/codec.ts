// The dialect between link and wire. A scope that somebody waits for goes up as `sync:request`, and what is answered comes
// down as the batch that the replica takes; everything else passes as it is. Neighbours on the line: the link before it,
// the transport behind it.
import {
  batchOf,
  cursorOf,
  decodeAnswer,
  decodeDown,
  errorCodes,
  printClock,
  SyncError,
} from '../../core/index.ts'
import type {
  Cursor,
  EntityShape,
  ErrorCode,
  LamportClock,
  QualityMetrics,
  ScopeRequest,
  Subscribe,
  SyncAnswer,
  VectorClock,
  Welcome,
} from '../../core/index.ts'
import type { Transport, TransportEvents } from '../../client/index.ts'

/** What the codec asks its client, and tells it. */
export interface CodecHost {
  /** The request that waits for this entity, where nothing more is asked with it. */
  requested(entity: string): string | undefined
  /** Whether an answer to it is still to come: what comes live until then is none. */
  owed(entity: string, owed: boolean): void
  /** How far the replica has it. */
  placeOf(entity: string): Cursor | null
  clockAt(cursor: Cursor): VectorClock
  lamport(): LamportClock
  quality(): QualityMetrics
  /** A frame is here, and nobody has it yet. Several may come in one turn. */
  coming(): void
  /** Before the replica has it. `text`: the frame that it came in. */
  answered(answer: SyncAnswer, text: string): void
  /** No frame that anybody understands. */
  malformed(error: SyncError): void
  /** Understood, and for nobody here. */
  passedOver(text: string): void
}

/** As our server prints them: they need no look to be passed on. */
const canonical = /^\{"type":"(?:batch|results|reset|mismatch|pong|ping|error)"/
/** Questions that are remembered: an answer that comes twice is known by where it began. */
const maxAsked = 100

interface Question {
  readonly entity: string
  readonly cursor: Cursor
}

/** By `syncId`, and which of them is the last that was asked about each entity. */
class Questions {
  readonly #asked = new Map<string, Question>()
  readonly #newest = new Map<string, string>()

  get(syncId: string): Question | undefined {
    return this.#asked.get(syncId)
  }

  add(syncId: string, question: Question): void {
    this.#asked.delete(syncId)
    this.#asked.set(syncId, question)
    this.#newest.set(question.entity, syncId)
    for (const old of this.#asked.keys()) if (this.#asked.size > maxAsked) this.#asked.delete(old)
  }

  /** It is asked about in another form. */
  over(entity: string): void {
    this.#newest.delete(entity)
  }

  isNewest(syncId: string, entity: string): boolean {
    return this.#newest.get(entity) === syncId
  }
}

export function differential(transport: Transport, host: CodecHost): Transport {
  const asked = new Questions()
  return {
    name: transport.name,
    connect(events) {
      const door = new Door(host, asked, events)
      const inner = transport.connect({ ...events, frame: text => door.receive(text) })
      return {
        send: text => outgoing(text, host, asked).every(one => inner.send(one)),
        buffered: () => inner.buffered(),
        close: (code, reason) => inner.close(code, reason),
      }
    },
  }
}

function outgoing(text: string, host: CodecHost, asked: Questions): string[] {
  if (!text.startsWith('{"type":"subscribe"')) return [text]
  const { scopes } = JSON.parse(text) as Subscribe // reason: our own client made it
  const requests: string[] = []
  const rest = scopes.filter(scope => {
    const syncId = host.requested(scope.entity)
    // from nothing, whole pages are shorter
    if (syncId === undefined || scope.cursor === null) {
      asked.over(scope.entity)
      return true
    }
    asked.add(syncId, { entity: scope.entity, cursor: scope.cursor })
    host.owed(scope.entity, true)
    requests.push(printRequest(syncId, scope, scope.cursor, host))
    return false
  })
  return rest.length === 0 ? requests : [JSON.stringify({ type: 'subscribe', scopes: rest }), ...requests]
}

function printRequest(syncId: string, scope: ScopeRequest, cursor: Cursor, host: CodecHost): string {
  const { entity: entityType, marks, shape, where } = scope
  const clock = host.clockAt(cursor)
  return JSON.stringify({
    type: 'sync:request',
    syncId,
    data: {
      clientId: clock.clientId,
      entityType,
      lastKnownVectorClock: printClock(clock),
      clientLamportClock: host.lamport(),
      qualityMetrics: host.quality(),
      marks,
      shape,
      where,
    },
  })
}

class Door {
  readonly #host: CodecHost
  readonly #asked: Questions
  readonly #events: TransportEvents
  #shapes: Welcome['entities'] = {}

  constructor(host: CodecHost, asked: Questions, events: TransportEvents) {
    this.#host = host
    this.#asked = asked
    this.#events = events
  }

  receive(text: string): void {
    this.#host.coming()
    if (canonical.test(text) && text.endsWith('}')) return this.#events.frame(text)
    try {
      this.#take(text)
    } catch (cause) {
      const error =
        cause instanceof SyncError ? cause : new SyncError('INVALID_MESSAGE', String(cause), { cause })
      this.#host.malformed(error)
    }
  }

  #take(text: string): void {
    const message: unknown = JSON.parse(text)
    if (typeof message !== 'object' || message === null || !('type' in message))
      throw new SyncError('INVALID_MESSAGE', 'a message must be a JSON object with a type')
    switch (message.type) {
      case 'sync:response':
        return this.#answer(decodeAnswer({ ...message }), text)
      case 'sync:error':
        return this.#events.frame(this.#failure({ ...message }))
      case 'sync:delta':
      case 'sync:ack':
      case 'sync:pong':
      case 'subscription:confirmed':
      case 'unsubscription:confirmed':
        return this.#host.passedOver(text)
      default:
        return this.#pass(text)
    }
  }

  #pass(text: string): void {
    const message = decodeDown(text)
    if (message === undefined) throw new SyncError('INVALID_MESSAGE', 'a message of no known type')
    if (message.type === 'welcome') this.#shapes = message.entities
    this.#events.frame(text)
  }

  #answer(answer: SyncAnswer, text: string): void {
    const { entityType, syncId } = answer
    const shape = Object.hasOwn(this.#shapes, entityType) ? this.#shapes[entityType] : undefined
    if (shape === undefined) return this.#host.passedOver(text)
    const asked = this.#asked.get(syncId)
    if (asked?.entity !== entityType) return this.#bring(answer, text, null, shape)
    // it was asked again since, which is answered by all of this and more: who waits for that would take this for it
    if (!this.#asked.isNewest(syncId, entityType)) return this.#host.passedOver(text)
    const from = this.#fromOf(answer, asked)
    if (!answer.hasMore) this.#host.owed(entityType, false)
    this.#bring(answer, text, from, shape)
  }

  #bring(answer: SyncAnswer, text: string, from: Cursor | null, shape: EntityShape): void {
    this.#host.answered(answer, text)
    this.#events.frame(JSON.stringify(batchOf(answer, from, shape)))
  }

  /**
   * Where it goes on. What a batch brought that crossed the question is in the answer as well, as it is by now, so what is
   * here beyond the place that was asked with is no gap, as long as the answer goes further.
   */
  #fromOf({ entityType, currentVectorClock }: SyncAnswer, { cursor }: Question): Cursor {
    const at = this.#host.placeOf(entityType)
    const to = cursorOf(currentVectorClock)
    const isBetween =
      at?.epoch === cursor.epoch && at.epoch === to.epoch && cursor.seq < at.seq && at.seq < to.seq
    return isBetween ? at : cursor
  }

  /** As the protocol says that a scope could not be read. */
  #failure({ syncId, code, message, details, entity }: Readonly<Record<string, unknown>>): string {
    const known = typeof code === 'string' && Object.hasOwn(errorCodes, code)
    return JSON.stringify({
      type: 'error',
      re: 'subscribe',
      entity: this.#asked.get(String(syncId))?.entity ?? entity,
      // reason: a code of the closed list
      code: known ? (code as ErrorCode) : 'SYNC_OPERATION_ERROR',
      message: String(message),
      details: known ? details : { code, details },
    })
  }
}
