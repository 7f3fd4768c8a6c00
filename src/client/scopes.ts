// Parts of entities that a page asks for while it runs: counted, given up a little after the last one is closed, and told
// to the tab that leads. A part of its own: a script that must be small goes without. Neighbours: `wanting` carries out
// what is desired here; `prune` lets go what is not wanted any more.
import { maxWhere, SyncError, textIn } from '../core/index.ts'
import type { ErrorBody, Json, Row } from '../core/index.ts'
import { hello, need, post } from './crew.ts'
import { leads } from './crew-state.ts'
import { hopeful, linkOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { goesBy, testOf, textOf } from './filters.ts'
import type { ScopeOptions } from './filters.ts'
import { deferred } from './handles.ts'
import type { Deferred } from './handles.ts'
import { evict } from './prune.ts'
import { touch, unheard } from './state.ts'
import type { Kept, Shows } from './state.ts'
import type { TabMessage } from './tabs.ts'
import { pursue } from './wanting.ts'
import { filtersIn, joined, union } from './wants.ts'
import type { Wants } from './wants.ts'

export interface Scope {
  /**
   * Its rows are here and as of now. Rejects NOT_CONNECTED while there is no connection (it is asked for with the next
   * one), and for good UNKNOWN_ENTITY, INVALID_MESSAGE (the server does not give what it asks for), CLOSED.
   */
  readonly ready: Promise<void>
  /** Gives it up. Twice is fine. */
  close(): void
  [Symbol.dispose](): void
}

/** What is given up is held for so long: whoever leaves a page and comes back finds it as it was. */
export const graceMs = 5_000

interface Ask {
  readonly entity: string
  readonly filter: string
  readonly done: Deferred<void>
}

export interface Scopes {
  /** Called after every event. */
  follow(): void
  open(entity: string, options: ScopeOptions<Row>): Scope
}

interface Book {
  /** How often each filter is held, by entity. */
  readonly held: Map<string, Map<string, number>>
  /** Those that are not answered. */
  readonly asks: Set<Ask>
  /** What other tabs want, as they said last. */
  readonly tabs: Map<string, Wants>
  /** What the disk held when this tab began to lead, or read it: nobody has had the time to ask for it again. */
  inherited: Wants
  /** Entities of which the disk is being read. */
  readonly loading: Set<Kept>
  /** What the server does not give, by entity. */
  readonly refused: Map<string, Map<string, ErrorBody>>
  readonly handled: WeakSet<ErrorBody>
  /** Entities of which something that was refused is asked for anew: the server may have learnt to give it. */
  readonly forgiven: Set<string>
  /** By which filters an entity of this replica is shown. */
  readonly shown: WeakMap<Kept, string>
  readonly timers: Set<() => void>
  replica: Engine['replica'] | null
  leading: boolean
}

export function newScopes(engine: Engine): Scopes {
  const book: Book = {
    held: new Map(),
    asks: new Set(),
    tabs: new Map(),
    inherited: {},
    loading: new Set(),
    refused: new Map(),
    handled: new WeakSet(),
    forgiven: new Set(),
    shown: new WeakMap(),
    timers: new Set(),
    replica: null,
    leading: false,
  }
  // what a client was made with it wants for good
  for (const [entity, filters] of Object.entries(engine.wants))
    book.held.set(entity, new Map(filters.map(filter => [filter, 1])))
  return {
    follow: () => follow(book, engine),
    open: (entity, options) => open(book, engine, entity, options),
  }
}

// ---- what this page holds

function open(book: Book, engine: Engine, entity: string, options: ScopeOptions<Row>): Scope {
  if (entity.startsWith('_')) throw new SyncError('INVALID_CONFIG', `'${entity}' cannot name an entity`)
  const filter = textOf(options)
  const ask: Ask = { entity, filter, done: deferred<void>() }
  book.asks.add(ask)
  hold(book, ask, 1)
  // to whoever leads it is news only where it was not wanted a moment ago
  if (forgive(book, entity, filter) && !book.leading) {
    const others = engine.wants[entity]?.filter(other => other !== filter) ?? []
    engine.wants = { ...engine.wants, [entity]: others }
    hello(engine)
  }
  renew(book, engine)
  // there may be nothing to ask
  follow(book, engine)
  let closed = false
  const close = (): void => {
    if (closed) return
    closed = true
    book.asks.delete(ask)
    ask.done.reject(new SyncError('CLOSED', 'the scope is closed'))
    if (engine.closed) return
    later(book, engine, () => hold(book, ask, -1))
  }
  return { ready: ask.done.promise, close, [Symbol.dispose]: close }
}

function hold({ held }: Book, { entity, filter }: Ask, more: 1 | -1): void {
  const filters = held.get(entity) ?? new Map<string, number>()
  held.set(entity, filters)
  const count = (filters.get(filter) ?? 0) + more
  if (count > 0) filters.set(filter, count)
  else filters.delete(filter)
}

function later(book: Book, engine: Engine, run: () => void): void {
  const cancel = engine.env.after(graceMs, () => {
    book.timers.delete(cancel)
    run()
    renew(book, engine)
  })
  book.timers.add(cancel)
}

/** What this page wants, and all that is to be asked for, where it leads. */
function renew(book: Book, engine: Engine): void {
  const before = JSON.stringify(engine.wants)
  engine.wants = Object.fromEntries(
    Array.from(book.held, ([entity, filters]) => [entity, [...filters.keys()].sort()]),
  )
  // what is named may be read still
  if (engine.closed) return
  const changed = JSON.stringify(engine.wants) !== before
  // what was asked of the client before its store was open is done in its order
  if (engine.early !== null) return void (changed && engine.early.push(() => renew(book, engine)))
  desire(book, engine)
  pursue(engine, evict)
  show(book, engine)
  askAnew(book, engine)
  if (!changed || book.leading) return
  hello(engine)
  need(engine, true)
}

function forgive({ refused, forgiven }: Book, entity: string, filter: string): boolean {
  const known = refused.get(entity)?.delete(filter) === true
  if (known) forgiven.add(entity)
  return known
}

/** Where nothing else is wanted of it, the same is asked for as was refused. */
function askAnew({ leading, forgiven }: Book, engine: Engine): void {
  const entities = [...forgiven]
  forgiven.clear()
  for (const entity of entities) {
    const refused = engine.replica.state.entities.get(entity)?.refused
    if (leading && linkOf(engine).state === 'ready' && typeof refused === 'object')
      tell(engine, { type: 'ask', entity, again: true })
  }
}

function desire(book: Book, engine: Engine): void {
  const { wants } = engine
  engine.desired = book.leading ? allowed(book, [wants, ...book.tabs.values(), book.inherited]) : wants
  for (const [entity, filters] of book.leading ? Object.entries(engine.desired) : []) {
    if ((union(filters)?.length ?? 0) <= maxWhere) continue
    const message = `all scopes of '${entity}' together are longer than ${maxWhere} characters`
    blame(book, engine, entity, { code: 'INVALID_MESSAGE', message })
    engine.desired = allowed(book, [engine.desired])
  }
}

function allowed({ refused }: Book, all: readonly Wants[]): Wants {
  const entries = Object.entries(joined(all)).map(([entity, filters]) => {
    const given = filters.filter(filter => refused.get(entity)?.has(filter) !== true)
    return [entity, given.length > 0 ? given : filters]
  })
  return Object.fromEntries(entries) as Wants // reason: entries of Wants make Wants
}

// ---- after every event

function follow(book: Book, engine: Engine): void {
  if (engine.closed) return end(book)
  if (book.replica !== engine.replica) {
    book.replica = engine.replica
    book.loading.clear()
    book.leading = false
    show(book, engine)
  }
  const said = engine.crew.said.splice(0)
  for (const message of said) hear(book, engine, message)
  const leading = engine.early === null && leads(engine)
  const turned = leading !== book.leading
  book.leading = leading
  const { entities } = engine.replica.state
  const loaded = loadedNow(book, entities.values())
  // whoever begins to lead knows nothing of the others yet, and they say it only now
  if (turned && leading) book.tabs.clear()
  if (leading) inherit(book, engine, turned ? [...entities.values()] : loaded)
  const refused = leading && refuse(book, engine)
  if (turned || said.length + loaded.length > 0 || refused) renew(book, engine)
  else pursue(engine, evict)
  for (const ask of book.asks) if (answer(engine, ask)) book.asks.delete(ask)
}

function end(book: Book): void {
  for (const cancel of book.timers) cancel()
  for (const { done } of book.asks) done.reject(new SyncError('CLOSED', 'the client is closed'))
  book.timers.clear()
  book.asks.clear()
}

function hear(book: Book, engine: Engine, message: TabMessage): void {
  const { tabs } = book
  if (message.type === 'hello') {
    const before = tabs.get(message.tab)
    tabs.set(message.tab, message.wants)
    for (const [entity, filters] of Object.entries(message.wants))
      for (const filter of filters)
        if (before?.[entity]?.includes(filter) !== true) forgive(book, entity, filter)
  }
  if (message.type === 'refused') giveUp(book, message.entity, message.filters, message.error)
  if (message.type !== 'bye') return
  const wants = tabs.get(message.tab)
  later(book, engine, () => tabs.get(message.tab) === wants && tabs.delete(message.tab))
}

/** Those of which the disk was read since this was called last. */
function loadedNow({ loading }: Book, all: Iterable<Kept>): Kept[] {
  const loaded: Kept[] = []
  for (const kept of all) {
    if (kept.loading) loading.add(kept)
    else if (loading.delete(kept)) loaded.push(kept)
  }
  return loaded
}

function inherit(book: Book, engine: Engine, all: readonly Kept[]): void {
  const inherited = new Map<string, readonly string[]>()
  for (const { name, cursor, shape } of all) {
    if (cursor === null || shape === null) continue
    const text = textIn(shape.hash)
    // it may be one filter of this page's, and not several
    if (text !== union(engine.wants[name] ?? [])) inherited.set(name, filtersIn(text))
  }
  if (inherited.size === 0) return
  const mine = (book.inherited = { ...book.inherited, ...Object.fromEntries(inherited) })
  later(book, engine, () => {
    if (book.inherited === mine) book.inherited = {}
  })
}

/** Whether the server has refused something: what is new of it is given up, and the rest is asked for again. */
function refuse(book: Book, engine: Engine): boolean {
  let found = false
  for (const { name, refused } of engine.replica.state.entities.values()) {
    if (typeof refused === 'boolean' || book.handled.has(refused)) continue
    book.handled.add(refused)
    blame(book, engine, name, refused)
    found = true
  }
  return found
}

function blame(book: Book, engine: Engine, entity: string, { code, message, details }: ErrorBody): void {
  const { cursor = null, shape = null } = engine.replica.state.entities.get(entity) ?? {}
  const proven = cursor === null || shape === null ? [] : filtersIn(textIn(shape.hash))
  const { column } = (details ?? {}) as { column?: Json } // reason: what is no object has none either
  const filters = (engine.desired?.[entity] ?? []).filter(filter =>
    typeof column === 'string' ? goesBy(filter, column) : !proven.includes(filter),
  )
  giveUp(book, entity, filters, { code, message })
  post(engine, { type: 'refused', entity, filters, error: { code, message } })
}

function giveUp(book: Book, entity: string, filters: readonly string[], error: ErrorBody): void {
  const refused = book.refused.get(entity) ?? new Map<string, ErrorBody>()
  book.refused.set(entity, refused)
  for (const filter of filters) refused.set(filter, error)
  for (const ask of book.asks) {
    if (ask.entity !== entity || !filters.includes(ask.filter)) continue
    book.asks.delete(ask)
    ask.done.reject(new SyncError(error.code, error.message))
  }
}

/** True: nothing more is to come of it. */
function answer(engine: Engine, ask: Ask): boolean {
  const { entity, done } = ask
  const { entities, head, shapes } = engine.replica.state
  const kept = entities.get(entity)
  if (linkOf(engine).state !== 'ready') {
    if (hopeful(engine)) return false
    done.reject(new SyncError('NOT_CONNECTED', 'there is no connection'))
  } else if (kept !== undefined && isHere(engine, kept, ask)) {
    done.resolve()
  } else if (head === unheard || Object.hasOwn(shapes, entity)) {
    return false
  } else {
    done.reject(new SyncError('UNKNOWN_ENTITY', `no entity '${entity}' is synced here`))
  }
  return true
}

function isHere({ desired, crew }: Engine, kept: Kept, { entity, filter }: Ask): boolean {
  const { current, refused, shape, where } = kept
  if (!current || refused !== false || shape === null) return false
  // it may be about to go
  if (crew.lead.role !== 'follow' && where !== union(desired?.[entity] ?? [])) return false
  const text = textIn(shape.hash)
  return text === '' || text === filter || filtersIn(text).includes(filter)
}

// ---- what this page sees

/** Rows that only other tabs want are here too, and are not shown; what was written here always is. */
function show(book: Book, engine: Engine): void {
  const { wants, replica } = engine
  const { state } = replica
  for (const [entity, filters] of Object.entries(wants)) {
    const kept = state.entities.get(entity)
    const key = JSON.stringify(filters)
    if (kept === undefined || (book.shown.get(kept) ?? '[""]') === key) continue
    book.shown.set(kept, key)
    const tests = filters.map(testOf)
    const mine = (id: string): boolean =>
      kept.queue.get(id)?.some(({ entry }) => entry.record.tab === state.node) === true
    const shows: Shows = (id, row) => tests.some(test => test(row)) || mine(id)
    tell(engine, {
      type: 'part',
      step() {
        for (const id of [...kept.rows.keys(), ...kept.overlays.keys()]) touch(kept, id, null)
        kept.shows = shows
      },
    })
  }
}
