// `window.rhtmxSync`: the documented names over the one client. Nothing is decided here.
// Neighbours on the line: the page's calls before it, the client behind it.
import { clientOf, indexedDBStore, lazyTransport, platformEnv, webSocketTransport } from '../client/index.ts'
import type {
  BareClient as Client,
  ClientEnv,
  Engine,
  Confirmation,
  Encodable,
  Id,
  Parts,
  Status,
  WriteHandle,
} from '../client/index.ts'
import { idOfValue, SyncError } from '../core/index.ts'
import type { Action, Row } from '../core/index.ts'
import { pageEvents } from './events.ts'
import { lazily } from './lazy.ts'
import type { Lazy } from './lazy.ts'
import type { InitOptions, ScriptOptions } from './script.ts'
import { watchForms } from './submit.ts'
import { wayTo, wordOf } from './words.ts'
import type { ConnectionState } from './words.ts'

/** Elements that need the second script as soon as they are there. */
const marked = '[data-rhtmx-bind],[data-rhtmx-form]'

/** What became of a `pushChange`. */
export interface PushResult {
  /** `queued`: stored on this device and sent as soon as the server can be reached. */
  readonly status: Confirmation['status'] | 'queued'
  readonly entity: string
  /** The row's id; temporary (`tmp_...`) while it is queued and the database assigns the key. */
  readonly id: string
  /** The place in the log as of which it is settled; null while it is queued. */
  readonly version: number | null
}

/** Columns and what they are given. */
export interface RowData {
  readonly [column: string]: Encodable
}

export interface RhtmxStatus extends Omit<Status, 'state'> {
  readonly state: ConnectionState
  readonly online: boolean
}

type Lent = Pick<
  Client,
  | 'ready'
  | 'get'
  | 'getAll'
  | 'pending'
  | 'deadLetters'
  | 'retry'
  | 'discard'
  | 'connect'
  | 'disconnect'
  | 'clear'
  | 'adopt'
>

export interface RhtmxSync extends Lent {
  /**
   * Writes a row: shown at once, kept over a reload, sent in order. Resolves with the server's answer, or with
   * `status: 'queued'` as soon as it is stored while the server cannot be reached. Rejects with a SyncError where the
   * server refuses it, which also fires `rhtmx:mutation:rejected`. `id` null in a create: the database assigns it.
   */
  pushChange(entity: string, id: Id | null | undefined, action: Action, data?: RowData): Promise<PushResult>
  /** Asks the server again now; resolves when caught up. */
  syncEntity(entity: string): Promise<void>
  /** Prints only with data-debug="true". */
  log(...message: readonly unknown[]): void
  readonly isOnline: boolean
  status(): RhtmxStatus
  /** Begins, where no script tag did. Afterwards it changes nothing. */
  init(options: InitOptions): RhtmxSync
  /** The whole client, with typed writes, transactions and subscriptions. */
  readonly client: Client
}

export function createRhtmxSync(options: ScriptOptions, page: Document): RhtmxSync {
  const log = options.debug ? print : (): void => {}
  const env = platformEnv()
  const changed = new Set<string>()
  let engine: Engine
  const load = lazily(page, options.lazy, () => ({
    ...options,
    client,
    engine,
    page,
    changed,
    log,
    complain,
  }))
  const client = clientOf(
    { ...options, env, debug: log, onError: error => complain(error.message, error) },
    {
      ...scriptParts(options, load),
      more: made => ({ engine: (engine = made) }),
    },
  )
  const state = announce(client, env, page, log, changed)
  const prefetch = (): void => void load().catch(() => {})
  watchForms(page, client, event => {
    load().then(
      lazy => lazy.queueForm(event),
      (error: unknown) => complain('the form could not be kept', error),
    )
  })
  whenParsed(page, () => (options.autoRefresh || page.querySelector(marked) !== null) && prefetch())
  // before it is needed: then there may be no network to load it over
  const soon = (): void => void client.ready.then(prefetch)
  client.on('state', status => status.state === 'ready' && soon())
  soon()
  // a copy of it would not move
  const { online: _, ...lent } = client
  const sync: RhtmxSync = {
    ...lent,
    pushChange: (entity, id, action, data = {}) => push(client, entity, id, action, data),
    syncEntity: entity => client.sync(entity),
    log,
    get isOnline() {
      return client.online
    },
    status: () => ({ ...client.status(), state: state(), online: client.online }),
    init: () => sync,
    client,
  }
  return sync
}

function whenParsed(page: Document, run: () => void): void {
  if (page.readyState === 'loading') page.addEventListener('DOMContentLoaded', run, { once: true })
  else run()
}

function scriptParts({ websocket, longPoll }: ScriptOptions, load: () => Promise<Lazy>): Parts {
  return {
    transports(url, compress) {
      const all = [lazyTransport('sse', async () => (await load()).sseTransport(url))]
      if (websocket) all.unshift(webSocketTransport(url, compress))
      if (longPoll) all.push(lazyTransport('long-poll', async () => (await load()).longPollTransport(url)))
      return all
    },
    database: (name, after) => indexedDBStore(name, after, async () => (await load()).foldPages),
    healing: async () => (await load()).healing,
    rivals: async () => (await load()).rivals,
    exclusive: async (engine, name) => (await load()).exclusive(engine, name),
    adopt: async engine => (await load()).adopt(engine),
  }
}

/** Turns the client's notifications into the page's events; the result is the word for the connection as it is now. */
function announce(
  client: Client,
  env: ClientEnv,
  page: Document,
  log: (...message: unknown[]) => void,
  told: Set<string>,
): () => ConnectionState {
  const row = (entity: string, id: string): Row | null => client.get(entity, id) ?? null
  const events = pageEvents(page, row, (ms, run) => void env.after(ms, run), env.saveData === true)
  let word: ConnectionState = 'disconnected'
  let known = false
  let refused = false
  // Entities of which nothing was here when the page came: their first copy is no change, `rhtmx:sync:ready` tells of it.
  let fresh: Set<string> | null = null
  client.on('state', status => {
    fresh ??= new Set(
      Object.entries(client.status().cursors).flatMap(([name, cursor]) => (cursor ? [] : [name])),
    )
    for (const state of wayTo(word, wordOf(status, known))) {
      const oldState = word
      word = state
      log(`connection: ${oldState} → ${state}`)
      events.tell('connection:state', { state, oldState })
    }
    known = status.state !== 'idle' && (known || status.state === 'ready')
    // once, whatever a page does about it, until somebody was let in
    const { code, reason } = status
    if (status.state === 'ready') refused = false
    if (status.state === 'stopped' && code === 4401 && !refused) {
      refused = true
      events.tell('auth:required', { code, reason })
    }
  })
  client.on('ready', ({ storage }) => {
    fresh = new Set()
    events.tell('sync:ready', { client: 'entity', online: client.online, storage })
  })
  client.on('storage', detail => events.tell('storage:failed', detail))
  client.on('changed', change => {
    if (change.source === 'server' && fresh?.delete(change.entity) === true) return
    told.add(change.entity)
    events.changed(change)
  })
  client.on('rejected', ({ n, writes, error }) => {
    for (const { entity, id, data } of writes)
      events.tell('mutation:rejected', { entity, id, n, error, data: data ?? null })
  })
  return () => word
}

async function push(
  client: Client,
  entity: string,
  id: Id | null | undefined,
  action: Action,
  data: RowData,
): Promise<PushResult> {
  const written = write(client, entity, id ?? null, action, data)
  const unstored = await written.persisted.then(
    () => null,
    (error: SyncError) => error,
  )
  return new Promise((resolve, reject) => {
    const check = (): void => {
      if (client.online) return
      if (unstored === null) resolve({ status: 'queued', entity, id: written.id, version: null })
      else reject(unstored)
    }
    const stop = client.on('state', check)
    check()
    written.confirmed
      .then(({ status, id, version }) => resolve({ status, entity, id, version }), reject)
      .finally(stop)
  })
}

function write(client: Client, entity: string, id: Id | null, action: Action, data: RowData): WriteHandle {
  if (action === 'create') return client.create(entity, { ...(id === null ? {} : { id }), ...data })
  if (id === null) throw new SyncError('INVALID_ID', `name the row to ${action}`)
  return action === 'delete' ? client.delete(entity, id) : client.update(entity, id, withoutId(data, id))
}

/** Pages send the whole row back, where the id is often text and the column a number: that is no change of the key. */
function withoutId(data: RowData, id: Id): RowData {
  const { id: own, ...rest } = data
  return own === undefined || idOfValue(own) === idOfValue(id) ? rest : data
}

// reason: a page's developer reads the console; the page's own code has the events
/* oxlint-disable no-console */
const print = (...message: readonly unknown[]): void => console.log('[rhtmx-sync]', ...message)
export const complain = (...message: readonly unknown[]): void => console.error('[rhtmx-sync]', ...message)
