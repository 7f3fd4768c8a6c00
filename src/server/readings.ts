// The long readings of one connection, one after the other: what the session machine wants read, and what a listener
// that fell behind has missed. Neighbours: the connection asks and carries the frames, the reader makes them.
import type { Cursor } from '../core/index.ts'
import { isRetryable, SyncError } from '../core/index.ts'
import { Answers } from './answers.ts'
import type { EngineParts } from './engine-parts.ts'
import type { Frame } from './frames.ts'
import { Ticket } from './gate.ts'
import type { Lane } from './hub.ts'
import { about } from './inbox.ts'
import type { About } from './inbox.ts'
import type { Peer } from './peer.ts'
import { Reader } from './reader.ts'
import type { Outlet } from './reader.ts'
import { compareSummaries } from './reconcile.ts'
import type { Effect, Session, SessionEvent } from './session.ts'
import type { ReadStore } from './viewed.ts'

type ReadEffect = Extract<
  Effect,
  { type: 'catchUp' | 'snapshot' | 'repair' | 'compare' | 'repairHeld' | 'pull' | 'request' }
>

/** Requests of their own, which no scope waits for. */
type Pulling = Extract<ReadEffect, { type: 'pull' | 'request' }>

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
  shapeOf: Outlet['shapeOf']
  write(frames: readonly Frame[]): void
  apply(event: SessionEvent): Promise<void>
  /** Takes scopes that are still wanted back into the hub. */
  rejoin(reached: readonly Reached[]): void
  failed(error: unknown, what: About): void
  close: Peer['close']
}

type Alive = () => boolean
type Job = (readers: Readers, alive: Alive) => Promise<void>

interface Readers {
  readonly reader: Reader
  readonly answers: Answers
}

/** The first rows are looked for no oftener, however often a table changes. */
const lookMs = 100

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
  /** When the first rows may be looked for again. */
  #lookAt = 0

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
    const outlet: Outlet = {
      dialect: dialect === 'field' ? dialect : 'plain',
      room: async () => (await this.#placeAndRoom()) && alive(),
      // what was read meanwhile of a scope that is asked for otherwise by now is neither the one nor the other
      deliver: frames => alive() && this.#host.write(frames),
      shapeOf: entity => this.#host.shapeOf(entity),
      overtaken: () => this.#host.close(1012, 'a cleanup overtook this reading', 0),
      unfinished: this.#unfinished,
    }
    const readers = {
      reader: new Reader(this.#store, outlet),
      answers: new Answers(this.#store, outlet, () => this.#parts.env.now()),
    }
    this.#queue = this.#queue.then(() => this.#inTurn(readers, alive, job)).catch(failed)
  }

  async #inTurn(readers: Readers, alive: Alive, job: Job): Promise<void> {
    const wanted = (): boolean => this.#host.open() && alive()
    if (!wanted()) return
    try {
      if ((await this.#ticket.enter()) && wanted()) await job(readers, alive)
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
    if (effect.type === 'pull' || effect.type === 'request') return this.#pull(effect)
    const still = this.#still(namesIn(effect))
    this.#read(
      () => still().length > 0,
      (readers, alive) => this.#carryOut(effect, readers, alive),
      error => this.#lost(error),
    )
  }

  async #carryOut(
    effect: Exclude<ReadEffect, Pulling>,
    { reader, answers }: Readers,
    alive: Alive,
  ): Promise<void> {
    const apply = (event: SessionEvent): Promise<void> => this.#host.apply(event)
    switch (effect.type) {
      case 'catchUp': {
        const { entities, turn, asked, from, whole } = effect
        const [entity = ''] = entities
        const at = await (asked === undefined
          ? reader.catchUp(entities, from, whole)
          : answers.since(asked, entity, from))
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

  #pull(effect: Pulling): void {
    const pull: Job = async ({ reader, answers }) =>
      void (effect.type === 'pull'
        ? await reader.pull(effect.entity, effect.since, effect.batch)
        : await answers.request(effect.request))
    this.#read(
      () => true,
      pull,
      // a request of its own: what cannot get better is said and the connection goes on
      error =>
        error instanceof SyncError && !isRetryable(error.code)
          ? this.#host.failed(error, effect.type === 'pull' ? { re: 'sync' } : about(effect.request))
          : this.#lost(error),
    )
  }

  /** A lane whose place is no longer in the window: from the log, then back into the hub. */
  fellBehind(lane: Lane): void {
    const { list } = lane.scopes
    if (lane.scopes.windows) return this.#lookAgain(lane)
    const { dialect } = this.#host.session
    if (dialect === 'differential') return this.#repeat(list, lane.through)
    if (dialect !== 'canonical') return this.replay(list, lane.through, false)
    const still = this.#still(list)
    this.#read(
      () => still().length > 0,
      async ({ reader }) => {
        const at = await reader.catchUp(list, lane.at, false)
        if (at !== null) this.#host.rejoin([{ entities: still(), at }])
      },
      error => this.#lost(error),
    )
  }

  /** Something may be among the first rows that was not, or the other way round (rule V12). */
  #lookAgain({ scopes: { list }, at }: Lane): void {
    const { env } = this.#parts
    const still = this.#still(list)
    const wait = Math.max(0, this.#lookAt - env.now())
    this.#lookAt = env.now() + wait + lookMs
    const look: Job = async ({ reader }) => {
      const [entity = ''] = list
      const reached = await reader.lookAgain(entity, at)
      if (reached !== null) this.#host.rejoin([{ entities: still(), at: reached }])
    }
    const begin = (): void =>
      this.#read(
        () => still().length > 0,
        look,
        error => this.#lost(error),
      )
    if (wait === 0) begin()
    else env.after(wait, begin)
  }

  /** A differential follower hears what it missed as if it had come live. */
  #repeat(list: readonly string[], since: number): void {
    const still = this.#still(list)
    this.#read(
      () => still().length > 0,
      async ({ answers }) => {
        const at = await answers.missed(list, since)
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
      async ({ reader }) => {
        const reached = await reader.replay(still(), since, whole)
        // together and at the end: a live change may say how far the stream is only when all of it is that far
        if (reached !== null) this.#host.rejoin(reached)
      },
      error => this.#lost(error),
    )
  }
}

function namesIn(effect: Exclude<ReadEffect, Pulling>): readonly string[] {
  if (effect.type === 'catchUp') return effect.entities
  return [effect.type === 'repairHeld' ? effect.message.entity : effect.entity]
}
