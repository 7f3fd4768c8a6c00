// The long readings of one connection, one after the other: what the session machine wants read, and what a listener
// that fell behind has missed. Neighbours: the connection asks and carries the frames, the reader makes them.
import type { Cursor } from '../core/index.ts'
import { isRetryable, SyncError } from '../core/index.ts'
import type { EngineParts } from './engine-parts.ts'
import type { Frame } from './frames.ts'
import { Ticket } from './gate.ts'
import type { Lane } from './hub.ts'
import type { Peer } from './peer.ts'
import { Reader } from './reader.ts'
import { compareSummaries } from './reconcile.ts'
import type { Effect, Session, SessionEvent } from './session.ts'
import type { ReadStore } from './views.ts'

type ReadEffect = Extract<
  Effect,
  { type: 'catchUp' | 'snapshot' | 'repair' | 'compare' | 'repairHeld' | 'pull' }
>

/** Scopes and the place up to which their client has them now. */
export interface Reached {
  readonly entities: readonly string[]
  readonly at: Cursor
}

/** Their connection, as readings see it. */
interface ReadingHost {
  readonly session: Session
  open(): boolean
  ready(): boolean
  write(frames: readonly Frame[]): void
  apply(event: SessionEvent): Promise<void>
  /** Takes scopes that are still wanted back into the hub. */
  rejoin(reached: readonly Reached[]): void
  failed(error: unknown, re: string): void
  close: Peer['close']
}

type Alive = () => boolean
type Job = (reader: Reader, alive: Alive) => Promise<void>

/** How long a client whose reading failed stays away, where the error does not say. */
const retryMs = 1000

export class Readings {
  readonly #parts: EngineParts
  readonly #store: ReadStore
  readonly #host: ReadingHost
  /** One place for all of them: they follow each other. */
  readonly #ticket: Ticket
  #queue: Promise<void> = Promise.resolve()
  #waiting: ((room: boolean) => void)[] = []
  readonly #unfinished = new Map<string, number>()

  constructor(parts: EngineParts, store: ReadStore, host: ReadingHost) {
    this.#parts = parts
    this.#store = store
    this.#host = host
    this.#ticket = new Ticket(parts.gate)
  }

  /** What waits for the network goes on, or ends where the connection is gone. */
  release(room: boolean): void {
    if (!this.#host.open()) this.#ticket.leave()
    for (const go of this.#waiting.splice(0)) go(room)
  }

  room(): Promise<boolean> {
    if (!this.#host.open()) return Promise.resolve(false)
    // even with room, the event loop gets its turn between two pages
    if (this.#host.ready()) return this.#turn()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  #turn(): Promise<boolean> {
    return new Promise(resolve => this.#parts.env.soon(() => resolve(this.#host.open())))
  }

  /** Readings follow each other; none begins while the one before still waits for the network. */
  #read(alive: Alive, job: Job, failed: (error: unknown) => void): void {
    const { dialect } = this.#host.session
    const reader = new Reader(this.#store, {
      dialect: dialect === 'field' ? dialect : 'plain',
      room: async () => (await this.#placeAndRoom()) && alive(),
      deliver: frames => this.#host.write(frames),
      overtaken: () => this.#host.close(1012, 'a cleanup overtook this reading', 0),
      unfinished: this.#unfinished,
    })
    this.#queue = this.#queue.then(() => this.#inTurn(reader, alive, job)).catch(failed)
  }

  async #inTurn(reader: Reader, alive: Alive, job: Job): Promise<void> {
    const wanted = (): boolean => this.#host.open() && alive()
    if (!wanted()) return
    try {
      if ((await this.#ticket.enter()) && wanted()) await job(reader, alive)
    } finally {
      this.#ticket.leave()
    }
  }

  /** Who does not read holds no place meanwhile: a few of them would keep all others out. */
  async #placeAndRoom(): Promise<boolean> {
    while (this.#host.open() && !this.#host.ready()) {
      this.#ticket.leave()
      if (!(await this.room()) || !(await this.#ticket.enter(true))) return false
    }
    return this.room()
  }

  /** Its scope would be live without a lane, and never hear of anything again: the client comes back and asks anew. */
  #lost(error: unknown): void {
    if (!this.#host.open()) return
    const retry = error instanceof SyncError ? error.retryAfterMs : undefined
    if (error instanceof SyncError && error.code === 'OVERLOADED')
      return this.#host.close(1013, error.message, retry)
    this.#parts.log.error({ err: error }, 'syncline: a reading failed; the client has to connect again')
    this.#host.close(1013, 'what changed could not be read', retry ?? retryMs)
  }

  /** Those of `entities` that were neither given up nor asked for anew since this was called. */
  #still(entities: readonly string[]): () => string[] {
    const { scopes } = this.#host.session
    const turns = new Map(entities.map(entity => [entity, scopes.get(entity)?.turn]))
    return () =>
      entities.filter(entity => scopes.has(entity) && scopes.get(entity)?.turn === turns.get(entity))
  }

  perform(effect: ReadEffect): void {
    if (effect.type === 'pull') return this.#pull(effect)
    const still = this.#still(namesIn(effect))
    this.#read(
      () => still().length > 0,
      (reader, alive) => this.#carryOut(effect, reader, alive),
      error => this.#lost(error),
    )
  }

  async #carryOut(
    effect: Exclude<ReadEffect, { type: 'pull' }>,
    reader: Reader,
    alive: Alive,
  ): Promise<void> {
    const apply = (event: SessionEvent): Promise<void> => this.#host.apply(event)
    switch (effect.type) {
      case 'catchUp': {
        const { entities, turn } = effect
        const at = await reader.catchUp(entities, effect.from)
        if (at !== null) await apply({ type: 'read', entities, at, repair: false, turn })
        return
      }
      case 'snapshot': {
        const at = await reader.snapshot(effect.entity)
        const entities = [effect.entity]
        if (at !== null) await apply({ type: 'read', entities, at, repair: false, turn: effect.turn })
        return
      }
      case 'repair': {
        const { entity, above, had, to, turn } = effect
        if (!(await reader.repairAbove({ entity, above, had }, to))) return
        return apply({ type: 'read', entities: [entity], at: to, repair: true, turn })
      }
      case 'compare': {
        const { entity, cursor, hashes } = effect
        const turn = async (): Promise<boolean> => (await this.#turn()) && alive()
        const buckets = await compareSummaries(this.#store, entity, hashes, turn)
        return buckets === null ? undefined : apply({ type: 'compared', entity, cursor, buckets })
      }
      case 'repairHeld': {
        const { entity, cursor } = effect.message
        if (await reader.repairHeld(effect.message)) await apply({ type: 'repaired', entity, cursor })
      }
    }
  }

  #pull(effect: Extract<ReadEffect, { type: 'pull' }>): void {
    const pull: Job = async reader => void (await reader.pull(effect.entity, effect.since, effect.batch))
    this.#read(
      () => true,
      pull,
      // a request of its own: what cannot get better is said and the connection goes on
      error =>
        error instanceof SyncError && !isRetryable(error.code)
          ? this.#host.failed(error, 'sync')
          : this.#lost(error),
    )
  }

  /** A lane whose place is no longer in the window: from the log, then back into the hub. */
  fellBehind(lane: Lane): void {
    const { list } = lane.scopes
    if (this.#host.session.dialect !== 'canonical') return this.replay(list, lane.through, false)
    const still = this.#still(list)
    this.#read(
      () => still().length > 0,
      async reader => {
        const at = await reader.catchUp(list, lane.at)
        if (at !== null) this.#host.rejoin([{ entities: still(), at }])
      },
      error => this.#lost(error),
    )
  }

  /** A bare listener is caught up per entity, as if it had asked with `sync`; with `whole` it begins with nothing. */
  replay(entities: readonly string[], since: number, whole: boolean): void {
    const still = this.#still(entities)
    this.#read(
      () => still().length > 0,
      async reader => {
        const reached = await reader.replay(still(), since, whole)
        // together and at the end: a live change may say how far the stream is only when all of it is that far
        if (reached !== null) this.#host.rejoin(reached)
      },
      error => this.#lost(error),
    )
  }
}

function namesIn(effect: Exclude<ReadEffect, { type: 'pull' }>): readonly string[] {
  if (effect.type === 'catchUp') return effect.entities
  return [effect.type === 'repairHeld' ? effect.message.entity : effect.entity]
}
