// The HTTP paths below `/api/sync`, and below `/api/field-sync`, which say the same of fields, as Node middleware and as fetch. WebSocket upgrades are in upgrade.ts.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  asArray,
  asObject,
  decodeFields,
  decodePush,
  invalid,
  isSeq,
  parseJson,
  plainResult,
  SyncError,
} from '../core/index.ts'
import type { Mutation, MutationResult } from '../core/index.ts'
import type { BareDialect } from './bare.ts'
import type { Settings } from './config.ts'
import type { EngineParts } from './engine-parts.ts'
import type { SyncEngine } from './engine.ts'
import { eventStreamPeer, eventStreamHeaders, namedEvent, prelude } from './event-stream.ts'
import type { Connection } from './connection.ts'
import type { Admitted } from './doorkeeper.ts'
import type { StreamSink } from './event-stream.ts'
import { answerFields, answerLatest } from './fields.ts'
import { errorAnswer, jsonAnswer } from './http.ts'
import type { StreamEnds, SyncAnswer, SyncRequest } from './http.ts'
import { LongPoll, longPollHeaders } from './long-poll.ts'
import { namesOf } from './conflicts.ts'
import { changesSince, inTurn } from './pull.ts'
import { checkOrigin, corsHeaders, preflightHeaders } from './origin.ts'
import { answerScript, currentScript, noFields } from './scripts.ts'
import { fetchAdapter, nodeAdapter } from './route-adapters.ts'
import type { EntityInfo, Sender } from './store.ts'
import { makeUpgrader } from './upgrade.ts'
import { viewed } from './viewed.ts'
import { Views } from './views.ts'
import type { User } from './user.ts'

export interface SyncRoutes {
  /** Node, Connect and Express middleware. Foreign paths go to `next()`; without one they are left to others on the server, or 404. */
  (request: IncomingMessage, response: ServerResponse, next?: () => void): void
  /** For Hono, SvelteKit, Next and other fetch-style frameworks. Undefined: not one of our paths. */
  fetch(request: Request): Promise<Response | undefined>
  /** For servers that dispatch upgrades themselves; false: not one of our paths. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /**
   * The path of the script under the name of its content, `/api/sync/client.<hash>.js`: may be cached for ever.
   * `field-client`: that of fields; rejects NOT_FOUND where field sync is not enabled.
   */
  script(name?: 'client' | 'field-client'): Promise<string>
}

export type Answerer = (request: SyncRequest) => Promise<SyncAnswer>

/** A path under which requests are answered. */
export interface Door {
  readonly base: string
  readonly answer: Answerer
}

export function makeRoutes(engine: SyncEngine, parts: EngineParts, settings: Settings): SyncRoutes {
  const handlers = new Routes(engine, parts, settings)
  const own = async (request: SyncRequest, dialect: BareDialect): Promise<SyncAnswer> => {
    try {
      return await handlers.answer(request, dialect)
    } catch (error) {
      if (!(error instanceof SyncError)) parts.log.error({ err: error }, 'syncline: a request failed')
      return errorAnswer(error)
    }
  }
  const door = (base: string, dialect: BareDialect): Door => ({
    base,
    async answer(request) {
      const made = await own(request, dialect)
      return { ...made, headers: { ...made.headers, ...corsHeaders(...originOf(request), settings) } }
    },
  })
  const { path, fieldPath } = settings
  const doors = [door(path, 'plain'), ...(fieldPath === null ? [] : [door(fieldPath, 'field')])]
  return Object.assign(nodeAdapter(doors), {
    fetch: fetchAdapter(doors),
    upgrade: makeUpgrader(engine, parts, settings),
    async script(name: 'client' | 'field-client' = 'client') {
      if (name === 'field-client' && fieldPath === null) throw noFields()
      return `${path}/${await currentScript(name)}`
    },
  })
}

/** What is asked of an entity. */
interface Asked {
  readonly request: SyncRequest
  readonly user: User
  readonly info: EntityInfo
  readonly dialect: BareDialect
}

class Routes {
  readonly #engine: SyncEngine
  readonly #parts: EngineParts
  readonly #settings: Settings
  /** Canonical event streams by their secret, for the POSTs that go up. */
  readonly #streams = new Map<string, Connection>()
  /** Those of them whose frames go down in answers that end. */
  readonly #polls = new Map<string, LongPoll>()

  constructor(engine: SyncEngine, parts: EngineParts, settings: Settings) {
    this.#engine = engine
    this.#parts = parts
    this.#settings = settings
  }

  async answer(request: SyncRequest, dialect: BareDialect): Promise<SyncAnswer> {
    const [first, id, ...rest] = request.segments
    const latest = dialect === 'field' && rest.length === 1 && rest[0] === 'latest' ? id : undefined
    if (first === undefined || (id !== undefined && latest === undefined))
      throw new SyncError('NOT_FOUND', 'there is nothing at this path')
    const reading = request.method === 'GET' || request.method === 'HEAD'
    // scripts may be loaded from anywhere; everything else is data
    const fields = this.#settings.fieldPath !== null
    const script = dialect === 'plain' ? answerScript(first, request, fields) : null
    if (script !== null) return script
    checkOrigin(...originOf(request), this.#settings)
    if (request.method === 'OPTIONS' && request.header('access-control-request-method') !== undefined)
      return { status: 204, headers: preflightHeaders, body: null }
    if (first === 'health' && dialect === 'plain') return this.#health()
    if (first === 'ws') throw new SyncError('UPGRADE_REQUIRED', 'connect here with a WebSocket')
    const from = await this.#parts.doorkeeper.admit(() => request.asked())
    if (first === 'events' && latest === undefined)
      return reading ? this.#events(request, from, dialect) : this.#up(request, from.user)
    const asked: Asked = { request, user: from.user, info: this.#entity(first), dialect }
    if (latest !== undefined && reading) return this.#latest(latest, asked)
    return reading ? this.#pull(asked) : this.#push(asked)
  }

  /** For whoever watches the server; which tables there are is for those who may ask for them. */
  #health(): SyncAnswer {
    const open = this.#settings.authenticate === undefined
    const entities = open ? { entities: namesOf(this.#parts.store) } : {}
    return jsonAnswer(200, JSON.stringify({ status: 'ok', ...entities }))
  }

  #entity(name: string): EntityInfo {
    const info = this.#parts.store.entities.get(name)
    if (info !== undefined) return info
    throw new SyncError('UNKNOWN_ENTITY', `no entity '${name.slice(0, 80)}' is synced here`)
  }

  #views(user: User): Views {
    return new Views(user, this.#parts.store.entities, this.#parts.log)
  }

  #latest(id: string, { user, info }: Asked): Promise<SyncAnswer> {
    this.#parts.meters.user(user.id).charge('control')
    return answerLatest(this.#parts.store, info, id, this.#views(user))
  }

  #pull({ request, user, info, dialect }: Asked): Promise<SyncAnswer> {
    const since = sinceOf(request.query.get('since'))
    const limit = Math.min(
      10_000,
      Math.max(1, Math.trunc(Number(request.query.get('limit') ?? 1000) || 1000)),
    )
    this.#parts.meters.user(user.id).charge('control')
    const store = viewed(this.#parts.store, this.#views(user))
    const asked = { dialect, entity: info.name, since, limit }
    return changesSince(inTurn(store, this.#parts.gate), asked)
  }

  async #push({ request, user, info, dialect }: Asked): Promise<SyncAnswer> {
    if (request.method !== 'POST' || request.segments.length > 1)
      throw new SyncError('NOT_FOUND', `${request.method} is not served here; use GET or POST`)
    const { limits, env, store } = this.#parts
    const { name: entity, integerKey } = info
    const body = asObject(await this.#jsonBody(request), 'the body')
    const changes = asArray(body['changes'], 'changes', limits)
    const client = typeof body['client_id'] === 'string' ? body['client_id'].slice(0, 64) : null
    const sender = { user: user.id, client, lead: null }
    const views = this.#views(user)
    if (dialect === 'field') {
      const fields = decodeFields(changes, entity, limits, env.now())
      const results = await this.#accept(fields.mutations, sender, views)
      return answerFields(store, fields, results, sender, views)
    }
    const mutations = changes.map(item => decodePush(asObject(item, 'a change'), entity, limits, env.now()))
    const results = await this.#accept(mutations, sender, views)
    const printed = results.map((result, i) => {
      const mutation = mutations[i]
      return mutation === undefined ? result : plainResult(mutation, result, integerKey)
    })
    const head = await store.head()
    return jsonAnswer(200, JSON.stringify({ entity, version: head.seq, results: printed }))
  }

  async #accept(mutations: readonly Mutation[], sender: Sender, views: Views): Promise<MutationResult[]> {
    const { meters, acceptor } = this.#parts
    meters.user(sender.user).charge('data', mutations.length)
    const results = await acceptor.accept(sender, mutations, 0, views)
    void this.#parts.wake()
    return results
  }

  #events(request: SyncRequest, from: Admitted, dialect: BareDialect): SyncAnswer {
    if (request.query.get('stream') === 'poll') return this.#poll(request, from)
    const canonical = request.query.get('stream') === 'canonical'
    const wanted = request.query.get('entities')
    const entities =
      wanted === null
        ? namesOf(this.#parts.store)
        : wanted
            .split(',')
            .map(name => name.trim())
            .filter(name => name !== '')
    for (const name of entities) this.#entity(name)
    const last = request.header('last-event-id') ?? request.query.get('since')
    const since = last === null || last === undefined || last === '' ? null : sinceOf(last)
    return {
      status: 200,
      headers: eventStreamHeaders,
      body: null,
      stream: sink => {
        // first: it throws where the engine is closed, and nothing may have been sent by then
        const peer = eventStreamPeer(sink, request.address)
        const connection = this.#engine.connect(peer, from.user, from.again, dialect)
        sink.write(prelude)
        const secret = canonical ? this.#parts.env.secret(16) : null
        if (secret === null) {
          this.#resume(connection, entities, since)
        } else {
          this.#streams.set(secret, connection)
          sink.write(Buffer.from(namedEvent('session', { session: secret })))
        }
        return {
          drained: () => connection.drained(),
          closed: () => {
            if (secret !== null) this.#streams.delete(secret)
            connection.closed()
          },
        }
      },
    }
  }

  /** Frames down in answers that end; without a session, a new one. */
  #poll(request: SyncRequest, from: Admitted): SyncAnswer {
    const session = request.query.get('session') ?? ''
    const poll = this.#polls.get(session)
    if (session !== '') this.#connection(session, from.user)
    if (session !== '' && poll === undefined) throw unknownSession()
    const stream = (sink: StreamSink): StreamEnds => (poll ?? this.#openPoll(request, from)).wait(sink)
    return { status: 200, headers: longPollHeaders, body: null, stream }
  }

  /** The session's, if it is this user's: of somebody else's nobody learns that there is one. */
  #connection(session: string, user: User): Connection {
    const connection = this.#streams.get(session)
    if (connection?.user.id === user.id) return connection
    throw unknownSession()
  }

  #openPoll({ address }: SyncRequest, from: Admitted): LongPoll {
    const { env } = this.#parts
    const secret = env.secret(16)
    const gone = (): void => {
      this.#polls.delete(secret)
      this.#streams.delete(secret)
    }
    const poll = new LongPoll(env, gone, address)
    const connection = this.#engine.connect(poll.peer, from.user, from.again)
    this.#polls.set(secret, poll)
    this.#streams.set(secret, connection)
    poll.begin(connection, secret)
    return poll
  }

  #resume(connection: Connection, entities: readonly string[], since: number | null): void {
    connection.resume(entities, since).catch((error: unknown) => {
      // the engine was closed meanwhile, and the stream with it
      if (!(error instanceof SyncError && error.code === 'CLOSED'))
        this.#parts.log.warn({ err: error }, 'syncline: the log could not be read for an event stream')
      connection.close(1011, 'the log could not be read')
    })
  }

  /** A body counts like anything else that is held of what came in. Rejects OVERLOADED where there is too much. */
  async #jsonBody(request: SyncRequest): Promise<unknown> {
    const { budget, limits } = this.#parts
    if (!/^application\/(.+\+)?json\b/i.test(request.header('content-type') ?? '')) {
      throw new SyncError('UNSUPPORTED_MEDIA_TYPE', 'send the body with content-type application/json')
    }
    if (budget.tight) throw new SyncError('OVERLOADED', 'too much waits already', { retryAfterMs: 1000 })
    let counted = 0
    try {
      const held = (bytes: number): void => void (counted = budget.move(counted, bytes))
      return parseJson(await request.text(limits.maxPayload, held))
    } finally {
      budget.move(counted, 0)
    }
  }

  /** Frames that belong to a canonical event stream, in order. */
  async #up(request: SyncRequest, user: User): Promise<SyncAnswer> {
    const connection = this.#connection(request.query.get('session') ?? '', user)
    const frames = await this.#jsonBody(request)
    if (!Array.isArray(frames)) throw invalid('the body must be an array of messages')
    // an event stream cannot be read more slowly: who sends more than is handled has to wait
    if (connection.congested)
      throw new SyncError('OVERLOADED', 'too many messages of this stream wait; send them again later', {
        retryAfterMs: 1000,
      })
    for (const frame of frames) connection.message(frame)
    return { status: 204, headers: { 'cache-control': 'no-store' }, body: null }
  }
}

function sinceOf(text: string | null): number {
  if (text === null || text === '') return 0
  const since = Number(text)
  if (!/^\d+$/.test(text) || !isSeq(since))
    throw new SyncError('INVALID_CURSOR', 'since must be an integer from 0')
  return since
}

function unknownSession(): SyncError {
  return new SyncError('UNKNOWN_SESSION', 'no stream of this server has that session: open a new one')
}

function originOf(request: SyncRequest): [origin: string | undefined, host: string | undefined] {
  return [request.header('origin'), request.header('host')]
}
