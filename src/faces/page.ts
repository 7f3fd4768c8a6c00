// What the scripts of a page have in common: one client, with one connection, one copy and one queue. Whichever script
// runs first makes it, and the other one finds it here (rule F12).
// Neighbours on the line: the faces before it, the client behind it.
import { clientOf, indexedDBStore, lazyTransport, platformEnv, webSocketTransport } from '../client/index.ts'
import type { BareClient as Client, Engine, Parts } from '../client/index.ts'
import type { Row } from '../core/index.ts'
import { pageEvents } from './events.ts'
import type { PageEvents } from './events.ts'
import { lazily } from './lazy.ts'
import type { Lazy } from './lazy.ts'
import { lent } from './lent.ts'
import type { ScriptOptions } from './script.ts'
import { watchForms } from './submit.ts'
import { wayTo, wordOf } from './words.ts'
import type { ConnectionState } from './words.ts'

/** Elements that need the second script as soon as they are there. */
const marked = '[data-rhtmx-bind],[data-rhtmx-form]'

/** As one script of the page sees it. */
export interface Place {
  readonly page: Page
  /** What this script named may be written to; null: from the beginning. */
  readonly named: Promise<unknown> | null
  /** The first sync of what this script named is done, or has failed. */
  readonly ready: Promise<void>
}

/** Scripts of different releases may meet here: nothing in it is called otherwise in a smaller script. */
export interface Page {
  readonly client: Client
  readonly tell: PageEvents['tell']
  word(): ConnectionState
  readonly log: (...message: readonly unknown[]) => void
  join(options: ScriptOptions): Pick<Place, 'named' | 'ready'>
}

declare global {
  interface Window {
    readonly rhtmxPage?: Page
  }
}

/** What the script that makes the client gives it. */
export type Spelling = Pick<Parts, 'spelled'>

export function placeOf(options: ScriptOptions, document: Document, spelling: Spelling = {}): Place {
  const { rhtmxPage: page = null } = window
  if (page === null) {
    const made = newPage(options, document, spelling)
    Object.assign(window, { rhtmxPage: made, rhtmxLent: lent })
    return { page: made, named: null, ready: made.client.ready }
  }
  return { page, ...page.join(options) }
}

function newPage(options: ScriptOptions, document: Document, spelling: Spelling): Page {
  let { debug } = options
  const log = (...message: readonly unknown[]): void => {
    if (debug) print(...message)
  }
  const env = platformEnv()
  const changed = new Set<string>()
  /** Of which nothing was here when it was named: the first copy is no change, `rhtmx:sync:ready` tells of it. */
  const fresh = new Set<string>()
  let engine: Engine
  const load = lazily(document, options.lazy, () => ({
    ...options,
    client,
    engine,
    page: document,
    changed,
    fresh,
    log,
    complain,
  }))
  const client = clientOf(
    { ...options, env, debug: log, onError: error => complain(error.message, error) },
    {
      ...spelling,
      ...scriptParts(options, load),
      more: made => ({ engine: (engine = made) }),
    },
  )
  const events = pageEvents(
    document,
    (entity, id): Row | null => client.get(entity, id) ?? null,
    (ms, run) => void env.after(ms, run),
    env.saveData === true,
  )
  const word = announce(client, events, log, fresh)
  client.on('changed', change => {
    if (change.source === 'server' && fresh.delete(change.entity)) return
    changed.add(change.entity)
    events.changed(change)
  })
  client.on('ready', () => {
    for (const entity of options.entities) fresh.delete(entity)
  })
  const { prefetch, loaded } = loading(options, document, client, load)
  return {
    client,
    tell: events.tell,
    word,
    log,
    join(more) {
      debug ||= more.debug
      prefetch()
      const named = loaded.then(lazy => lazy.join(more))
      return { named, ready: named.then(synced => synced()) }
    },
  }
}

/** When the second script is loaded: before it is needed, for then there may be no network to load it over. */
function loading(
  { autoRefresh }: ScriptOptions,
  document: Document,
  client: Client,
  load: () => Promise<Lazy>,
): { prefetch(this: void): void; readonly loaded: Promise<Lazy> } {
  let done: (lazy: Lazy) => void
  /** It may take several attempts. */
  const loaded = new Promise<Lazy>(resolve => (done = resolve))
  const prefetch = (): void => void load().then(done, () => {})
  watchForms(document, client, event => {
    load().then(
      lazy => lazy.queueForm(event),
      (error: unknown) => complain('the form could not be kept', error),
    )
  })
  whenParsed(document, () => (autoRefresh || document.querySelector(marked) !== null) && prefetch())
  const soon = (): void => void client.ready.then(prefetch)
  client.on('state', status => status.state === 'ready' && soon())
  soon()
  return { prefetch, loaded }
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
  events: PageEvents,
  log: Page['log'],
  fresh: Set<string>,
): () => ConnectionState {
  let word: ConnectionState = 'disconnected'
  let known = false
  let refused = false
  let begun = false
  client.on('state', status => {
    if (!begun)
      for (const [name, cursor] of Object.entries(client.status().cursors)) if (!cursor) fresh.add(name)
    begun = true
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
  client.on('storage', detail => events.tell('storage:failed', detail))
  client.on('rejected', ({ n, writes, error }) => {
    for (const { entity, id, data } of writes)
      events.tell('mutation:rejected', { entity, id, n, error, data: data ?? null })
  })
  return () => word
}

// reason: a page's developer reads the console; the page's own code has the events
/* oxlint-disable no-console */
const print = (...message: readonly unknown[]): void => console.log('[rhtmx-sync]', ...message)
export const complain = (...message: readonly unknown[]): void => console.error('[rhtmx-sync]', ...message)
