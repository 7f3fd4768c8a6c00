// The shell of one session: decodes its frames, carries out what the machine decides, keeps two queues (what it reads
// and what it writes) and joins the hub. Neighbours: a peer (WebSocket, event stream) in front, hub, reader and
// acceptor behind.
import type { Cursor, EntityShape, Mutate, Mutation, ScopeRequest } from '../core/index.ts'
import { protocolVersion, SyncError } from '../core/index.ts'
import { asErrorBody } from './accept.ts'
import type { EngineParts } from './engine-parts.ts'
import { Frame, printAcks } from './frames.ts'
import type { Hub, Lane, Subscriber } from './hub.ts'
import { Hold } from './hold.ts'
import { answerTo, Inbox, Refusal } from './inbox.ts'
import type { Message } from './inbox.ts'
import type { Peer, PeerEvents } from './peer.ts'
import { Reader } from './reader.ts'
import { compareSummaries } from './reconcile.ts'
import { openSession, step } from './session.ts'
import type { Effect, Session, SessionEvent } from './session.ts'
import { verifyScopes } from './verify.ts'

type AcceptEffect = Extract<Effect, { type: 'accept' }>
type ReadEffect = Extract<
  Effect,
  { type: 'catchUp' | 'snapshot' | 'repair' | 'compare' | 'repairHeld' | 'pull' }
>

export class Connection implements Subscriber, PeerEvents {
  lanes: Lane[] = []
  readonly session: Session
  readonly #parts: EngineParts
  readonly #peer: Peer
  #open = true
  /** When the last sign of life came. */
  heard: number
  readonly #inbox: Inbox
  readonly #hold = new Hold()
  #handling = false
  #reads: Promise<void> = Promise.resolve()
  #results: Frame[] = []
  #waiting: ((room: boolean) => void)[] | null = null
  #reader: Reader | undefined

  constructor(parts: EngineParts, peer: Peer, user: string) {
    this.#parts = parts
    this.#peer = peer
    this.session = openSession(user)
    this.#inbox = new Inbox(peer, parts.limits, () => parts.env.now())
    this.heard = parts.env.now()
    parts.log.debug({ kind: peer.kind, user }, 'syncline: connection opened')
  }

  // ---- from the peer

  frame(text: string): void {
    this.#receive(() => this.#inbox.put(text))
  }

  /** A frame that came parsed, inside another request. */
  message(value: unknown): void {
    this.#receive(() => this.#inbox.putParsed(value))
  }

  #receive(put: () => void): void {
    if (!this.#open) return
    this.heard = this.#parts.env.now()
    try {
      put()
      if (!this.#handling) void this.#handleInbox()
    } catch (error) {
      if (error instanceof Refusal && error.type === 'mutate') this.#hold.refused(error.n)
      this.#send(answerTo(error))
      if (this.#inbox.abused) this.close(1008, 'too many invalid messages')
    }
  }

  alive(): void {
    this.heard = this.#parts.env.now()
  }

  drained(): void {
    const waiting = this.#waiting
    this.#waiting = null
    for (const go of waiting ?? []) go(true)
    if (this.#open) this.#hub().flushOne(this)
  }

  closed(): void {
    if (!this.#open) return
    this.#open = false
    this.#parts.log.debug(
      { kind: this.#peer.kind, client: this.session.client },
      'syncline: connection closed',
    )
    this.#hub().leave(this)
    this.#parts.connections.delete(this)
    for (const go of this.#waiting ?? []) go(false)
    this.#waiting = null
  }

  // ---- from the engine

  close(code: Parameters<Peer['close']>[0], reason: string, retryAfterMs?: number): void {
    if (!this.#open) return
    this.#peer.close(code, reason, retryAfterMs)
    this.closed()
  }

  /** Asks for a sign of life; false: it was asked long ago and none came. */
  probe(silentMs: number, deadMs: number): boolean {
    // nothing ever comes up an event stream: that it is dead, the network says
    if (silentMs > deadMs && this.#peer.kind !== 'sse') return false
    this.#peer.probe()
    return true
  }

  /** Waits until what was received is handled; for a graceful stop. */
  async settled(): Promise<void> {
    while (this.#handling && this.#open) await new Promise<void>(resolve => this.#parts.env.soon(resolve))
  }

  // ---- from the hub

  ready(): boolean {
    return this.#open && this.#peer.buffered() < this.#parts.limits.maxBuffered
  }

  deliver(frames: readonly Frame[]): void {
    const all = this.#results.length === 0 ? frames : [...frames, ...this.#results]
    if (this.#results.length > 0) this.#results = []
    if (all.length > 0 && this.#open) this.#peer.write(all)
  }

  fellBehind(lane: Lane): void {
    this.#read(async reader => {
      const at =
        this.session.dialect === 'canonical'
          ? await reader.catchUp(lane.scopes.list, lane.at)
          : await this.#replay(reader, lane)
      if (at !== null) this.#rejoin(lane.scopes.list, at)
    })
  }

  /** Only what was not subscribed anew meanwhile. */
  #rejoin(entities: readonly string[], at: Cursor): void {
    const live = entities.filter(entity => this.session.scopes.get(entity)?.phase === 'live')
    if (live.length === 0 || !this.#open) return
    this.#hub().join(this, live, at)
    this.#hub().flushOne(this)
  }

  /** A bare listener that fell behind is caught up per entity, as if it had asked with `sync`. */
  async #replay(reader: Reader, lane: Lane): Promise<null> {
    for (const entity of lane.scopes.list) {
      const at = await reader.pull(entity, lane.through, false)
      if (at !== null) this.#rejoin([entity], at)
    }
    return null
  }

  // ---- the machine and its effects

  /** Messages are handled one after the other; mutations that wait together are stored together. */
  async #handleInbox(): Promise<void> {
    this.#handling = true
    for (
      let message = this.#inbox.take();
      message !== undefined && this.#open;
      message = this.#inbox.take()
    ) {
      // who does not take the answers is not asked for more work
      if (!this.ready() && !(await this.#room())) break
      try {
        this.#parts.log.debug({ client: this.session.client, type: message.type }, 'syncline: message')
        await this.#apply({ type: 'up', message })
      } catch (error) {
        this.#failed(error, message.type, firstOf(message))
      }
    }
    this.#handling = false
  }

  #failed(error: unknown, re: string, n?: number | null): void {
    if (error instanceof SyncError && error.code === 'FENCED') return this.close(4409, error.message)
    if (!(error instanceof SyncError))
      this.#parts.log.error({ err: error, re }, 'syncline: a message could not be handled')
    this.#send({ type: 'error', ...asErrorBody(error), re, ...(n == null ? {} : { n }) })
  }

  async #apply(event: SessionEvent): Promise<void> {
    for (const effect of step(this.session, event, this.#parts)) await this.#perform(effect)
  }

  async #perform(effect: Effect): Promise<void> {
    switch (effect.type) {
      case 'send':
        return this.#send(this.#complete(effect.message))
      case 'fail':
        return this.#send({
          type: 'error',
          ...effect.error,
          re: effect.re,
          ...(effect.entity === undefined ? {} : { entity: effect.entity }),
        })
      case 'close':
        return this.close(effect.code, effect.reason)
      case 'identify': {
        const known = await this.#parts.store.identify({
          user: this.session.user,
          client: effect.hello.client,
          lead: effect.hello.lead,
        })
        this.#last = known.last
        return this.#apply({ type: 'identified', hello: effect.hello, lead: known.lead })
      }
      case 'welcome':
        return this.#welcome()
      case 'verify':
        return this.#verify(effect.scopes, effect.turn)
      case 'accept':
        return this.#accept(effect)
      case 'join':
        return this.#join(effect.entities, effect.at)
      case 'leave':
        return this.#hub().leave(this, effect.entities)
      case 'listen':
        return this.#listen(effect.entities)
      default:
        return this.#performReading(effect)
    }
  }

  #performReading(effect: ReadEffect): void {
    this.#read(async reader => {
      switch (effect.type) {
        case 'catchUp': {
          const at = await reader.catchUp(effect.entities, effect.from)
          return this.#finished(effect.entities, at, false, effect.turn)
        }
        case 'snapshot':
          return this.#finished([effect.entity], await reader.snapshot(effect.entity), false, effect.turn)
        case 'repair': {
          const done = await reader.repairAbove(effect.entity, effect.above, effect.to)
          return this.#finished([effect.entity], done ? effect.to : null, true, effect.turn)
        }
        case 'compare': {
          const { entity, cursor, hashes } = effect
          const buckets = await compareSummaries(this.#parts.store, entity, hashes, () => this.#open)
          return this.#apply({ type: 'compared', entity, cursor, buckets })
        }
        case 'repairHeld': {
          const { entity, cursor } = effect.message
          if (!(await reader.repairHeld(effect.message, () => this.#open))) return
          return this.#apply({ type: 'repaired', entity, cursor })
        }
        case 'pull':
          await reader.pull(effect.entity, effect.since, effect.batch)
          return
      }
    })
  }

  async #finished(
    entities: readonly string[],
    at: Cursor | null,
    repair: boolean,
    turn: number,
  ): Promise<void> {
    if (at !== null) await this.#apply({ type: 'read', entities, at, repair, turn })
  }

  /** Readings follow each other; none begins while the one before still waits for the network. */
  #read(job: (reader: Reader) => Promise<void>): void {
    this.#reader ??= new Reader(this.#parts.store, {
      room: () => this.#room(),
      deliver: frames => this.#open && this.#peer.write(frames),
      overtaken: () => this.close(1012, 'a cleanup overtook this reading', 0),
    })
    const reader = this.#reader
    this.#reads = this.#reads
      .then(() => (this.#open ? job(reader) : undefined))
      .catch((error: unknown) => this.#failed(error, 'subscribe'))
  }

  #room(): Promise<boolean> {
    if (!this.#open) return Promise.resolve(false)
    // even with room, the event loop gets its turn between two pages
    if (this.ready()) return new Promise(resolve => this.#parts.env.soon(() => resolve(this.#open)))
    return new Promise(resolve => (this.#waiting ??= []).push(resolve))
  }

  // ---- single effects

  #last = 0

  async #welcome(): Promise<void> {
    const head = await this.#parts.store.head()
    this.#send({
      type: 'welcome',
      protocol: protocolVersion,
      user: this.session.user,
      epoch: head.epoch,
      head: head.seq,
      last: this.#last,
      server_time: this.#parts.env.now(),
      max_payload: this.#parts.limits.maxPayload,
      entities: this.#parts.shapes(),
    })
  }

  async #verify(requests: readonly ScopeRequest[], turn: number): Promise<void> {
    const head = await this.#parts.store.head()
    const scopes = await verifyScopes(this.#parts.store, requests)
    await this.#apply({
      type: 'verified',
      scopes,
      head: { epoch: head.epoch, seq: head.seq, check: head.check },
      turn,
    })
  }

  async #join(entities: readonly string[], at: Cursor): Promise<void> {
    await this.#parts.listening(this.session.dialect)
    this.#rejoin(entities, at)
    void this.#parts.wake()
  }

  /** A bare event stream: live from now on, or from the version that it has seen. */
  async resume(entities: readonly string[], since: number | null): Promise<void> {
    if (since === null) return this.#listen(entities, false)
    for (const entity of entities) this.session.scopes.set(entity, { phase: 'live', turn: 0 })
    await this.#parts.listening('plain')
    const head = await this.#parts.store.head()
    if (!this.#open) return
    // a version ahead of the log is of another branch: as far behind as can be
    const at = { epoch: head.epoch, seq: since, check: 0 }
    if (since > head.seq)
      this.fellBehind({ scopes: this.#hub().scopeSet(entities), at, through: since, owed: 0 })
    else this.#rejoin(entities, at)
    void this.#parts.wake()
  }

  async #listen(entities: readonly string[], announce = true): Promise<void> {
    const hub = this.#hub()
    hub.leave(this, entities)
    await this.#parts.listening('plain')
    const head = await this.#parts.store.head()
    if (!this.#open) return
    if (entities.length > 0) hub.join(this, entities, { epoch: head.epoch, seq: head.seq, check: head.check })
    if (announce) this.#send({ type: 'subscribed', entities, version: head.seq, epoch: head.epoch })
    hub.flushOne(this)
    void this.#parts.wake()
  }

  async #accept(first: AcceptEffect): Promise<void> {
    this.#hold.check(first.mutations, first.acked)
    const mutations: Mutation[] = [...first.mutations]
    const acked =
      first.reply === 'results' ? Math.max(first.acked, await this.#gather(mutations)) : first.acked
    const sender = { user: this.session.user, client: this.session.client, lead: this.session.lead }
    const results = await this.#parts.acceptor.accept(sender, mutations, acked).catch((error: unknown) => {
      this.#hold.refused(mutations[0]?.n)
      throw error
    })
    this.#hold.passed(mutations, acked)
    if (first.reply === 'results') this.#results.push(new Frame(JSON.stringify({ type: 'results', results })))
    else
      for (const [i, result] of results.entries())
        this.#results.push(...printAcks(mutations[i], result, this.#parts.store.entities))
    const settled = Math.max(0, ...results.map(result => result.version))
    for (const lane of this.lanes) lane.owed = Math.max(lane.owed, settled)
    await this.#parts.wake()
    this.#hub().flushOne(this)
  }

  /** Group commit: the mutations that wait behind in the inbox join the same transaction. */
  async #gather(mutations: Mutation[]): Promise<number> {
    let acked = 0
    await new Promise<void>(resolve => this.#parts.env.soon(resolve))
    const room = (message: Mutate): boolean =>
      mutations.length < this.#parts.limits.maxItems && !this.#hold.holds(message.mutations, message.acked)
    for (const message of this.#inbox.takeMutations(room)) {
      for (const effect of step(this.session, { type: 'up', message }, this.#parts)) {
        if (effect.type !== 'accept') continue
        mutations.push(...effect.mutations)
        acked = Math.max(acked, effect.acked)
      }
    }
    return acked
  }

  #complete(message: object): object {
    return 'type' in message && message.type === 'pong'
      ? { ...message, server_time: this.#parts.env.now() }
      : message
  }

  #send(message: object): void {
    if (this.#open) this.#peer.write([new Frame(JSON.stringify(message))])
  }

  #hub(): Hub {
    return this.#parts.hubs[this.session.dialect]
  }
}

export type Shapes = Readonly<Record<string, EntityShape>>

/** The first mutation of a message that has numbered ones. */
function firstOf(message: Message): number | null {
  return message.type === 'mutate' ? (message.mutations[0]?.n ?? null) : null
}
