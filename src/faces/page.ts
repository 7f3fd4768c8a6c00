// What the scripts of a page have in common: one client, with one connection, one copy and one queue. Whichever script
// runs first makes it, and the other one finds it here (rule F12).
// Neighbours on the line: the faces before it, the client behind it.
import { callHome, clientOf, lazyTransport, pageEnv, webSocketTransport } from '../client/index.ts'
import type { BareClient as Client, Change, Engine, Home, Parts } from '../client/index.ts'
import { pageEvents } from './events.ts'
import type { PageEvents, ReadyDetail } from './events.ts'
import { loadScript } from './lazy.ts'
import type { Lazy, Lent } from './lazy.ts'
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
  readonly synced: Promise<unknown>
  /** And what is written from here on is shown at once, and kept. */
  readonly ready: Promise<void>
}

/** Scripts of different releases may meet here: nothing in it is called otherwise in a smaller script. */
export interface Page {
  readonly client: Client
  readonly tell: PageEvents['tell']
  word(): ConnectionState
  readonly log: (...message: readonly unknown[]) => void
  join(options: ScriptOptions): Omit<Place, 'page'>
  /** The second script, as soon as it is there. */
  readonly later: Promise<Lazy>
  /** Loads it. */
  second(this: void): Promise<Lazy>
}

declare global {
  interface Window {
    readonly rhtmxPage?: Page
  }
}

export function placeOf(options: ScriptOptions, document: Document, kind: ReadyDetail['client']): Place {
  const { rhtmxPage: page = null } = window
  if (page === null) {
    const made = newPage(options, document, kind)
    Object.assign(window, { rhtmxPage: made, rhtmxLent: lent })
    const { client } = made
    const synced = new Promise(resolve => client.on('ready', resolve))
    return { page: made, named: null, synced, ready: client.ready }
  }
  return { page, ...page.join(options) }
}

function newPage(options: ScriptOptions, document: Document, kind: ReadyDetail['client']): Page {
  let { debug } = options
  const log = (...message: readonly unknown[]): void => {
    if (debug) print(...message)
  }
  /** Of which nothing was here when it was named: the first copy is no change, `rhtmx:sync:ready` tells of it. */
  const fresh = new Set<string>()
  const { tell } = pageEvents(document)
  let engine: Engine
  let done: (lazy: Lazy) => void
  /** It may take several attempts. */
  const later = new Promise<Lazy>(resolve => (done = resolve))
  const second = (): Promise<Lazy> => {
    void callHome(engine)
    return later
  }
  const client = clientOf(
    { ...options, debug: log, onError: error => complain(error.message, error) },
    {
      ...scriptParts(options, second),
      async home(): Promise<Home> {
        const make = await loadScript(document, options.lazy)
        return make({
          ...options,
          client,
          engine,
          kind,
          page: document,
          tell,
          follow,
          fresh,
          done,
          log,
          complain,
        })
      },
      more: made => ({ engine: (engine = made) }),
    },
  )
  const word = announce(client, tell, log, fresh)
  const follow = holdChanges(client, options.entities, fresh)
  whenNeeded(options, document, client, second)
  return {
    client,
    tell,
    word,
    log,
    later,
    second,
    join(more) {
      debug ||= more.debug
      const named = second().then(lazy => lazy.join(more))
      const synced = named.then(synced => synced())
      return { named, synced, ready: synced }
    },
  }
}

const mostHeld = 1_000

/** What changes waits for whoever follows it. */
export function holdChanges(client: Client, entities: readonly string[], fresh: Set<string>): Lent['follow'] {
  const held: Change[] = []
  // of a page that never gets its second script, no more than this is kept
  let hear = (change: Change): unknown => held.push(change) > mostHeld && held.shift()
  client.on('changed', change => {
    if (change.source !== 'server' || !fresh.delete(change.entity)) hear(change)
  })
  client.on('ready', () => {
    for (const entity of entities) fresh.delete(entity)
  })
  return listener => {
    hear = listener
    held.forEach(hear)
  }
}

/** The second script is loaded before it is needed, for then there may be no network to load it over. */
function whenNeeded(
  { autoRefresh }: ScriptOptions,
  document: Document,
  client: Client,
  second: Page['second'],
): void {
  watchForms(document, client, event => void second().then(lazy => lazy.queueForm(event)))
  whenParsed(document, () => {
    if (autoRefresh || document.querySelector(marked) !== null) void second()
  })
}

function whenParsed(page: Document, run: () => void): void {
  if (page.readyState === 'loading') page.addEventListener('DOMContentLoaded', run, { once: true })
  else run()
}

function scriptParts(
  { websocket, longPoll }: ScriptOptions,
  second: Page['second'],
): Pick<Parts, 'env' | 'transports'> {
  return {
    env: pageEnv,
    transports(url, compress) {
      const all = [lazyTransport('sse', async () => (await second()).sseTransport(url))]
      if (websocket) all.unshift(webSocketTransport(url, compress))
      if (longPoll) all.push(lazyTransport('long-poll', async () => (await second()).longPollTransport(url)))
      return all
    },
  }
}

/** Turns the client's notifications into the page's events; the result is the word for the connection as it is now. */
function announce(
  client: Client,
  tell: Page['tell'],
  log: Page['log'],
  fresh: Set<string>,
): () => ConnectionState {
  let word: ConnectionState = 'disconnected'
  let known = false
  let begun = false
  client.on('state', status => {
    if (!begun)
      for (const [name, cursor] of Object.entries(client.status().cursors)) if (!cursor) fresh.add(name)
    begun = true
    for (const state of wayTo(word, wordOf(status, known))) {
      const oldState = word
      word = state
      log(`connection: ${oldState} → ${state}`)
      tell('connection:state', { state, oldState })
    }
    known = status.state !== 'idle' && (known || status.state === 'ready')
  })
  return () => word
}

// reason: a page's developer reads the console; the page's own code has the events
/* oxlint-disable no-console */
const print = (...message: readonly unknown[]): void => console.log('[rhtmx-sync]', ...message)
export const complain = (...message: readonly unknown[]): void => console.error('[rhtmx-sync]', ...message)
