// `requestSync`: one question at a time about each type, and what became of it. Neighbours: the core client asks (`pull`),
// the codec hands over what came as an answer, the announcer what it changed.
import type { Delta, QualityMetrics, SyncAnswer, VectorClock } from '../../core/index.ts'
import { bytesIn, pull } from '../../client/index.ts'
import type { ClientEnv, Engine, Patience } from '../../client/index.ts'
import type { Emitter } from './emitter.ts'
import type { BandwidthValidated, DifferentialEvents } from './events.ts'

export interface OpenRequest {
  readonly syncId: string
  readonly entityType: string
  /** As it came over the wire; null: not, or not as one. */
  answer: SyncAnswer | null
  /** Bytes of its frames. */
  bytes: number
  /** It was told. */
  responded: boolean
  /** It was asked, and the answer is not here, or was not told. */
  open: boolean
  /** The server has forgotten it. */
  dropped: boolean
  /** What it changed. */
  readonly deltas: Delta[]
}

export interface RequestHost {
  readonly engine: Engine
  readonly env: ClientEnv
  readonly clientId: string
  readonly patience: Patience
  readonly targetReduction: number
  clockOf(entityType: string): VectorClock
  quality(): QualityMetrics
  filled(deltas: readonly Delta[]): Delta[]
  /** Bytes of these rows, whole. */
  sizeOf(deltas: readonly Delta[]): number
}

type Kept = ReturnType<Engine['replica']['state']['entities']['get']>

/** What the replica knows of a type. */
export function keptOf({ replica }: Engine, entityType: string): Kept {
  return replica.state.entities.get(entityType)
}

/** So many of the newest syncs are measured. */
const memory = 100

export class Requests {
  readonly #host: RequestHost
  readonly #events: Emitter<DifferentialEvents>
  readonly #open = new Map<string, { readonly request: OpenRequest; readonly done: Promise<Delta[]> }>()
  #durations: number[] = []
  lastSyncAt: number | null = null

  constructor(host: RequestHost, events: Emitter<DifferentialEvents>) {
    this.#host = host
    this.#events = events
  }

  /** Milliseconds; 0 where nothing was measured. */
  get averageLatency(): number {
    const { length } = this.#durations
    return length === 0 ? 0 : this.#durations.reduce((sum, one) => sum + one, 0) / length
  }

  /** Percent; 100 where nothing was measured. */
  get sub100msRate(): number {
    const { length } = this.#durations
    return length === 0 ? 100 : (this.#durations.filter(ms => ms < 100).length / length) * 100
  }

  reset(): void {
    this.#durations = []
  }

  get(entityType: string): OpenRequest | undefined {
    return this.#open.get(entityType)?.request
  }

  /** What was asked about it will not be answered any more: it is asked anew. */
  drop(entityType: string): void {
    const request = this.get(entityType)
    if (request !== undefined) request.dropped = true
  }

  /** What comes from elsewhere answers it: what is live meanwhile does not, nor what comes after the answer. */
  answering(entityType: string): OpenRequest | undefined {
    const request = this.get(entityType)
    return request?.open === true && keptOf(this.#host.engine, entityType)?.shifting === false
      ? request
      : undefined
  }

  /** Before a frame is taken, and when what the last one brought was told: what is caught up has had its answer. */
  settle(): void {
    for (const { request } of this.#open.values())
      if (keptOf(this.#host.engine, request.entityType)?.current === true) request.open = false
  }

  /** Who asks while the question is open waits for the same answer. */
  run(entityType: string): Promise<Delta[]> {
    const known = this.#open.get(entityType)
    if (known !== undefined) return known.done
    const { env } = this.#host
    const syncId = `${entityType}-${env.now()}-${env.random()}`
    const request: OpenRequest = {
      syncId,
      entityType,
      answer: null,
      bytes: 0,
      responded: false,
      open: false,
      dropped: false,
      deltas: [],
    }
    // who is told of the question may ask as well, and finds it open
    const done = Promise.resolve()
      .then(() => this.#ask(request))
      .finally(() => this.#open.delete(entityType))
    this.#open.set(entityType, { request, done })
    return done
  }

  async #ask(request: OpenRequest): Promise<Delta[]> {
    const { engine, env, patience } = this.#host
    const { entityType, syncId, deltas } = request
    const timestamp = env.now()
    const lastKnownVectorClock = this.#host.clockOf(entityType)
    this.#events.emit('sync:requested', { syncId, entityType, lastKnownVectorClock, timestamp })
    do {
      request.dropped = false
      request.open = true
      await pull(engine, entityType, patience)
    } while (request.dropped && !request.responded)
    if (!request.responded) this.respond(request, [])
    this.lastSyncAt = env.now()
    this.#validate(request)
    this.#measure(entityType, Math.max(0, env.now() - timestamp))
    return deltas
  }

  #measure(entityType: string, duration: number): void {
    this.#durations = [...this.#durations, duration].slice(-memory)
    const { sub100msRate, averageLatency } = this
    this.#events.emit('sync:performance', { entityType, duration, sub100msRate, averageLatency })
  }

  /** From the wire, before it is applied. True: it is the whole answer of an open question. */
  answered(answer: SyncAnswer, text: string): boolean {
    const request = this.get(answer.entityType)
    if (request?.syncId !== answer.syncId) return false
    // asked again, a page that came already comes again
    const again = new Set(answer.deltas.map(({ entityId }) => entityId))
    const before = request.answer?.deltas.filter(({ entityId }) => !again.has(entityId)) ?? []
    const deltas = [...before, ...this.#host.filled(answer.deltas)]
    request.bytes += bytesIn(text)
    request.answer = { ...answer, deltas }
    if (!answer.hasMore) this.#tell(request, request.answer)
    return !answer.hasMore
  }

  /** Of what did not come as an answer. */
  respond(request: OpenRequest, deltas: readonly Delta[]): void {
    const { syncId, entityType } = request
    const { clientId, env } = this.#host
    const currentVectorClock = this.#host.clockOf(entityType)
    const { lamportCounter: counter, cursor } = currentVectorClock
    const timestamp = env.now()
    this.#tell(request, {
      syncId,
      clientId,
      entityType,
      deltas,
      currentVectorClock,
      serverLamportClock: { counter, nodeId: cursor?.epoch ?? '', timestamp },
      qualityMetrics: this.#host.quality(),
      timestamp,
      hasMore: false,
    })
  }

  #tell(request: OpenRequest, answer: SyncAnswer): void {
    request.responded = true
    this.#events.emit('sync:response', answer)
  }

  #validate({ entityType, answer, bytes: deltaSize, deltas }: OpenRequest): void {
    if (answer === null || answer.hasMore || deltas.length === 0) return
    const { targetReduction, env } = this.#host
    const fullSize = this.#host.sizeOf(deltas)
    const actualReduction = fullSize === 0 ? 0 : Math.max(0, 1 - deltaSize / fullSize)
    const isValid = actualReduction >= targetReduction
    const timestamp = env.now()
    const detail: BandwidthValidated = {
      entityType,
      isValid,
      actualReduction,
      targetReduction,
      fullSize,
      deltaSize,
      timestamp,
    }
    this.#events.emit('bandwidth:validated', detail)
  }
}
