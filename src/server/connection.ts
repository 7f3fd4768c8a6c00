// The shell of one session: decodes its frames, carries out what the machine decides, keeps two queues (what it reads
// and what it writes) and joins the hub. Neighbours: a peer (WebSocket, event stream) in front, hub, reader and
// acceptor behind.
import type { Cursor, Mutate, Mutation } from '../core/index.ts'
import { printConfirmed, printSubscribed, SyncError } from '../core/index.ts'
import { asErrorBody } from './accept.ts'
import type { BareDialect } from './bare.ts'
import type { EngineParts } from './engine-parts.ts'
import { ackFields } from './fields.ts'
import { Frame, printAcks, withoutId } from './frames.ts'
import type { Hub, Lane, Subscriber } from './hub.ts'
import { Hold } from './hold.ts'
import { about, answerTo, failureOf, Inbox, isPing, pongAt, Refusal } from './inbox.ts'
import type { About } from './inbox.ts'
import { classOf } from './meter.ts'
import type { Meter } from './meter.ts'
import type { Peer, PeerEvents } from './peer.ts'
import { Pulse } from './pulse.ts'
import { Readings } from './readings.ts'
import type { Reached } from './readings.ts'
import type { LiveReply } from './session-bare.ts'
import { openSession, step } from './session.ts'
import type { Effect, Session, SessionEvent } from './session.ts'
import type { User } from './user.ts'
import { verifyScopes } from './verify.ts'
import { viewed } from './viewed.ts'
import { Views } from './views.ts'
import { welcome } from './welcome.ts'

type AcceptEffect = Extract<Effect, { type: 'accept' }>
/** Times `maxBuffered` that wait for a sender of refused frames before it is given up. */
const abandonAt = 4

export class Connection implements Subscriber, PeerEvents {
  lanes: Lane[] = []
  readonly session: Session
  /** As the application described the user last. */
  user: User
  /** What its user may see. */
  readonly views: Views
  readonly #parts: EngineParts
  readonly #peer: Peer
  #open = true
  readonly #pulse: Pulse
  readonly #meter: Meter
  /** It has asked for something. */
  #used = false
  /** Bytes that wait for it, as the process's budget was told last. */
  #counted = 0
  readonly #inbox: Inbox
  readonly #hold = new Hold()
  #handling = false
  #results: Frame[] = []
  readonly #idle: (() => void)[] = []
  #ending = false
  readonly #readings: Readings
  /** The greatest version that a result named: also lanes that join later bring the client's cursor there. */
  #settledAt = 0

  constructor(parts: EngineParts, peer: Peer, user: User, dialect: BareDialect) {
    this.#parts = parts
    this.#peer = peer
    this.user = user
    this.session = openSession(user.id, dialect)
    this.views = new Views(user, parts.store.entities, parts.log)
    const now = (): number => parts.env.now()
    this.#inbox = new Inbox(peer, parts.limits, parts.budget, now)
    this.#pulse = new Pulse(peer, now, parts.limits.helloTimeout)
    this.#meter = parts.meters.connection(user.id)
    this.#readings = new Readings(parts, viewed(parts.store, this.views), {
      session: this.session,
      open: () => this.#open,
      ready: () => this.ready(),
      shapeOf: entity => this.views.shapeOf(entity),
      write: frames => this.#open && peer.write(frames),
      apply: event => this.#apply(event),
      rejoin: reached => this.#rejoin(reached),
      failed: (error, what) => this.#failed(error, what),
      close: (code, reason, retryAfterMs) => this.close(code, reason, retryAfterMs),
    })
    parts.log.debug({ kind: peer.kind, user: user.id }, 'syncline: connection opened')
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
    this.#pulse.hear()
    try {
      put()
      if (this.#meter.waits) this.#answerPings()
      if (!this.#handling) void this.#handleInbox()
    } catch (error) {
      if (error instanceof Refusal && error.type === 'mutate') this.#hold.refused(error.n)
      this.#answer(error)
      if (this.#inbox.abused) this.close(1008, 'too many invalid messages')
    }
  }

  get congested(): boolean {
    return this.#inbox.full
  }

  /** Who does not read its answers gets no more of them, or they would pile up here without end. */
  #answer(error: unknown): void {
    if (this.#peer.buffered() > abandonAt * this.#parts.limits.maxBuffered)
      return this.close(1008, 'answers are not read')
    // a refused mutation is named all the same: without the answer its client would wait for ever
    if (this.ready() || (error instanceof Refusal && error.n !== null)) this.#send(answerTo(error))
  }

  alive(): void {
    this.#pulse.hear()
  }

  drained(): void {
    this.#readings.release(true)
    if (this.#open) this.#hub().flushOne(this)
  }

  closed(): void {
    if (!this.#open) return
    this.#open = false
    const { client } = this.session
    this.#parts.log.debug({ kind: this.#peer.kind, client }, 'syncline: connection closed')
    this.#hub().leave(this)
    this.#parts.connections.delete(this)
    this.#counted = this.#parts.budget.move(this.#counted, 0)
    this.#inbox.drop()
    this.#readings.release(false)
    this.#rest()
  }

  // ---- from the engine

  close(code: Parameters<Peer['close']>[0], reason: string, retryAfterMs?: number): void {
    if (!this.#open) return
    this.#peer.close(code, reason, retryAfterMs)
    this.closed()
  }

  /** Called every `beatMs`: ends what is dead, and what is there for nothing. */
  beat(): void {
    const finding = this.#pulse.beat(this.congested, this.#used)
    if (finding === 'dead') this.close(1001, 'no sign of life')
    else if (finding === 'idle') this.close(4408, 'nothing was asked for')
    else this.ready()
  }

  /** The same user is described otherwise than before. With other rights they come back, and are healed (rule V4). */
  changedUser(): void {
    const { scopes } = this.session
    const before = this.views.keyOf(scopes.keys())
    this.views.renew(this.user)
    if (this.views.keyOf(scopes.keys()) !== before) this.close(1012, 'what this user may see has changed', 0)
  }

  /** Waits until what was received is handled; for a graceful stop. */
  settled(): Promise<void> {
    if (!this.#handling || !this.#open) return Promise.resolve()
    // nobody will wait for a slow reader any more: what it sent is stored, whether it takes the answers or not
    this.#ending = true
    this.#readings.release(true)
    return new Promise(resolve => this.#idle.push(resolve))
  }

  #rest(): void {
    for (const go of this.#idle.splice(0)) go()
  }

  // ---- from the hub

  ready(): boolean {
    if (!this.#open) return false
    const { budget, limits } = this.#parts
    const waiting = this.#peer.buffered()
    this.#counted = budget.move(this.#counted, waiting)
    return waiting < budget.limit(limits.maxBuffered)
  }

  deliver(frames: readonly Frame[]): void {
    const data = this.#replaying() ? frames.map(withoutId) : frames
    const all = this.#results.length === 0 ? data : [...data, ...this.#results]
    if (this.#results.length > 0) this.#results = []
    if (all.length > 0 && this.#open) this.#peer.write(all)
  }

  fellBehind(lane: Lane): void {
    this.#readings.fellBehind(lane)
  }

  /** Only what is still wanted; several places become one at the next flush. */
  #rejoin(reached: readonly Reached[]): void {
    if (!this.#open) return
    for (const { entities, at } of reached) {
      const live = entities.filter(entity => this.session.scopes.get(entity)?.phase === 'live')
      if (live.length > 0) this.#hub().join(this, live, at, this.#settledAt)
    }
    this.#hub().flushOne(this)
  }

  /** An event's id says that all before it has come, which is not so while a scope is read from the log. */
  #replaying(): boolean {
    if (this.#peer.kind !== 'sse') return false
    return this.session.scopes.size > this.lanes.reduce((sum, lane) => sum + lane.scopes.list.length, 0)
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
      if (!this.ready() && !this.#ending && !(await this.#readings.room())) break
      try {
        this.#parts.log.debug({ client: this.session.client, type: message.type }, 'syncline: message')
        // what writes is charged when it is its turn, by the number of its mutations
        if (classOf[message.type] === 'control') await this.#meter.turn(() => this.#mayWait())
        this.#used ||= !isPing(message)
        await this.#apply({ type: 'up', message })
      } catch (error) {
        this.#failed(error, about(message))
      }
    }
    this.#handling = false
    this.#rest()
  }

  /** Before a message that asks too much waits for its turn: heartbeats do not wait with the others. */
  #mayWait(): boolean {
    this.#answerPings()
    return this.#open && !this.#ending
  }

  #answerPings(): void {
    for (const message of this.#inbox.takePings())
      for (const effect of step(this.session, { type: 'up', message }, this.views))
        if (effect.type === 'send') this.#send(pongAt(effect.message, this.#parts.env.now()))
  }

  #failed(error: unknown, what: About): void {
    if (error instanceof SyncError && error.code === 'FENCED') return this.close(4409, error.message)
    if (!(error instanceof SyncError))
      this.#parts.log.error({ err: error, ...what }, 'syncline: a message could not be handled')
    this.#send(failureOf(asErrorBody(error), what))
  }

  async #apply(event: SessionEvent): Promise<void> {
    for (const effect of step(this.session, event, this.views)) await this.#perform(effect)
  }

  async #perform(effect: Effect): Promise<void> {
    switch (effect.type) {
      case 'send':
        return this.#send(pongAt(effect.message, this.#parts.env.now()))
      case 'fail':
        return this.#send(failureOf(effect.error, effect.about))
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
        return this.#send(await welcome(this.#parts, this.session.user, this.#last, this.views))
      case 'verify':
        return this.#verify(effect)
      case 'accept':
        return this.#accept(effect)
      case 'join':
        return this.#join(effect.entities, effect.at)
      case 'leave':
        return this.#hub().leave(this, effect.entities)
      case 'listen':
        return this.#listen(effect.entities, effect.reply)
      default:
        return this.#readings.perform(effect)
    }
  }

  #last = 0

  async #verify({ scopes: requests, turn, asked }: Extract<Effect, { type: 'verify' }>): Promise<void> {
    const head = await this.#parts.store.head()
    const scopes = await verifyScopes(this.#parts.store, requests)
    await this.#apply({ type: 'verified', scopes, head, turn, asked })
  }

  async #join(entities: readonly string[], at: Cursor): Promise<void> {
    await this.#parts.listening(this.session.dialect)
    this.#rejoin([{ entities, at }])
    void this.#parts.wake()
  }

  /** A bare event stream: live from now on, or from the version that it has seen. */
  async resume(entities: readonly string[], since: number | null): Promise<void> {
    this.#used = true
    // before anything else: what falls behind or changes shape is found by the scopes
    for (const entity of entities) this.session.scopes.set(entity, { phase: 'live', turn: 0 })
    if (since === null) return this.#listen(entities, null)
    await this.#parts.listening(this.session.dialect)
    const head = await this.#parts.store.head()
    if (!this.#open) return
    // a version ahead of the log is of another branch: as far behind as can be
    const at = { epoch: head.epoch, seq: since, check: 0 }
    if (since === 0 || since > head.seq) this.#readings.replay(entities, since, since === 0)
    else this.#rejoin([{ entities, at }])
    void this.#parts.wake()
  }

  async #listen(entities: readonly string[], reply: LiveReply | null): Promise<void> {
    const hub = this.#hub()
    hub.leave(this, entities)
    await this.#parts.listening(this.session.dialect)
    const head = await this.#parts.store.head()
    if (!this.#open) return
    if (entities.length > 0) hub.join(this, entities, head)
    if (reply === 'subscribed') this.#print(printSubscribed(entities, head.seq, head.epoch))
    else if (reply !== null) this.#print(printConfirmed(entities, this.#parts.env.now()))
    hub.flushOne(this)
    void this.#parts.wake()
  }

  async #accept(first: AcceptEffect): Promise<void> {
    this.#hold.check(first.mutations, first.acked)
    this.#hold.unless(first.mutations, () => this.#meter.charge('data', first.mutations.length))
    const mutations: Mutation[] = [...first.mutations]
    const acked =
      first.reply === 'results' ? Math.max(first.acked, await this.#gather(mutations)) : first.acked
    const sender = { user: this.session.user, client: this.session.client, lead: this.session.lead }
    const results = await this.#hold.unless(mutations, () =>
      this.#parts.acceptor.accept(sender, mutations, acked, this.views),
    )
    this.#hold.passed(mutations, acked)
    const settled = Math.max(0, ...results.map(result => result.version))
    this.#settledAt = Math.max(this.#settledAt, settled)
    for (const lane of this.lanes) lane.owed = Math.max(lane.owed, settled)
    if (first.reply === 'results') this.#results.push(new Frame(JSON.stringify({ type: 'results', results })))
    else if (typeof first.reply === 'object')
      this.#results.push(await ackFields(this.#parts.store, first.reply, results, sender, this.views))
    else
      for (const [i, result] of results.entries())
        this.#results.push(...printAcks(mutations[i], result, first.reply, this.#parts.store.entities))
    await this.#parts.wake()
    this.#hub().flushOne(this)
  }

  /** Group commit: the mutations that wait behind in the inbox join the same transaction. */
  async #gather(mutations: Mutation[]): Promise<number> {
    let acked = 0
    await new Promise<void>(resolve => this.#parts.env.soon(resolve))
    const room = (message: Mutate): boolean =>
      mutations.length < this.#parts.limits.maxItems &&
      !this.#hold.holds(message.mutations, message.acked) &&
      this.#meter.wait('data') === 0
    for (const message of this.#inbox.takeMutations(room)) {
      this.#meter.charge('data', message.mutations.length)
      for (const effect of step(this.session, { type: 'up', message }, this.views)) {
        if (effect.type !== 'accept') continue
        mutations.push(...effect.mutations)
        acked = Math.max(acked, effect.acked)
      }
    }
    return acked
  }

  #send(message: object): void {
    this.#print(JSON.stringify(message))
  }

  #print(frame: string): void {
    if (this.#open) this.#peer.write([new Frame(frame)])
  }

  #hub(): Hub {
    return this.#parts.hubs[this.session.dialect]
  }
}
