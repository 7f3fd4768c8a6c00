// One tab among others over one database: carries out what `lead` decides, and keeps the followers' replicas with the
// leader's (rules T1 to T5). The leader forwards what the server says; what does not fit, a follower reads from disk.
import { afterClose, decodeDown } from '../core/index.ts'
import type { Batch, Down } from '../core/index.ts'
import { asked, askLeader, synced } from './asking.ts'
import { drive as driveLink } from './connector.ts'
import { connects } from './crew-state.ts'
import type { Crew } from './crew-state.ts'
import { asError, check, linkOf, moved, newIdentity, report, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { answerMs, stepLead, watchMs } from './lead.ts'
import type { LeadEffect, LeadEvent } from './lead.ts'
import type { Link } from './link.ts'
import type { Change, State } from './state.ts'
import { hearRecords, inOrder, isAnother, readPending, reload } from './crew-disk.ts'
import { cleared } from './opening.ts'
import type { PendingRecord } from './store.ts'
import type { ChangedRow, TabMessage } from './tabs.ts'

/** Nobody else can be here: this tab leads, without a lock. */
export function newCrew(): Crew {
  return {
    name: '',
    lead: { role: 'alone', asked: null },
    channel: null,
    lock: null,
    known: 0,
    heard: 0,
    guest: false,
    link: null,
    welcome: null,
    stale: false,
    saying: false,
    others: false,
    held: null,
    again: null,
    turn: 0,
    said: [],
    cancel: () => {},
    unwatch: () => {},
  }
}

function newFollower(name: string, known: number): Crew {
  return { ...newCrew(), name, known, lead: { role: 'follow', asked: null } }
}

/**
 * Among the tabs that share the database `name`, of which one leads. `guest`: with a connection as the client whose database
 * it is, which lives on if this tab will lead.
 */
export function join(engine: Engine, name: string, known: number, guest = false): void {
  const { welcome } = engine.crew
  const crew = (engine.crew = newFollower(name, known))
  if (guest) Object.assign(crew, { guest, welcome })
  crew.channel =
    engine.env.tabs?.channel(name, message => {
      // a tab that slept may not know yet that another database is in the place of its own
      if (engine.crew === crew && message.client === engine.replica.state.identity.client)
        hear(engine, message)
    }) ?? null
  queue(engine)
  watch(engine)
}

/**
 * A tab that is seen looks after the leader now and then also when it awaits nothing: the lock may have gone to a tab that
 * was frozen while it waited for it, and says nothing.
 */
function watch(engine: Engine): void {
  const { env } = engine
  engine.crew.unwatch = env.after(watchMs, () => {
    // what a newcomer was told counts for a while only
    if (env.visible?.() ?? true) need(engine, engine.replica.state.told > 0)
    watch(engine)
  })
}

export function leave(engine: Engine): void {
  const { crew } = engine
  post(engine, { type: 'bye', tab: engine.replica.state.node })
  engine.crew = newCrew()
  crew.cancel()
  crew.unwatch()
  crew.lock?.release()
  crew.channel?.close()
}

/** The page is left, and can come back as it is only if it holds no lock and hears nothing. */
export function suspend(engine: Engine): void {
  const { name, lead } = engine.crew
  if (name === '') return
  follow(engine)
  if (lead.role !== 'follow') step(engine, { type: 'lost' })
  // with the lead may have gone the last reason to stay
  if (engine.crew.name !== name) return
  const { known } = engine.crew
  leave(engine)
  engine.crew = newFollower(name, known)
}

/** It came back: among other tabs than before, and behind them. */
export function rejoin(engine: Engine): void {
  const { name, known, channel } = engine.crew
  if (name !== '' && channel === null) join(engine, name, known)
  void readPending(engine)
}

/** Another tab leads, or will: what a guest had of its own ends. */
function follow(engine: Engine): void {
  const { crew } = engine
  if (!crew.guest) return
  Object.assign(crew, { guest: false, welcome: null, stale: true })
  // first: how far it has heard of the log counts after its connection
  tell(engine, { type: 'role', follows: true, lead: crew.known })
  driveLink(engine.connector, { type: 'stop' })
}

/** A guest has its connection, or a reason to have none: not that another tab led, which is over. */
function isKept({ state, code }: Link): boolean {
  return state !== 'idle' && (state !== 'stopped' || afterClose(code) === 'auth')
}

/** Waits for the lock. */
function queue(engine: Engine): void {
  const { crew, env } = engine
  const mine = (event: LeadEvent) => () => engine.crew === crew && step(engine, event)
  crew.lock =
    env.tabs?.lock(crew.name, { granted: mine({ type: 'granted' }), lost: mine({ type: 'lost' }) }) ?? null
}

export function step(engine: Engine, event: LeadEvent): void {
  const { crew } = engine
  for (const effect of stepLead(crew.lead, event, engine.env.now()))
    if (engine.crew === crew) carry(engine, effect)
}

/** Something is awaited of the leader; `stale`: and what it has is to be read again. */
export function need(engine: Engine, stale: boolean): void {
  const { crew } = engine
  if (stale && !crew.stale) {
    crew.stale = true
    if (crew.lead.asked !== null) hello(engine)
  }
  step(engine, { type: 'need' })
}

/** Who is there, and who has not seen what is stored here? And what is wanted of whoever leads. */
export function hello(engine: Engine): void {
  const { crew, replica, wants } = engine
  const { node: tab, identity } = replica.state
  post(engine, { type: 'hello', stale: crew.stale, n: identity.n, tab, wants })
}

function carry(engine: Engine, effect: LeadEffect): void {
  const { crew, env } = engine
  switch (effect) {
    case 'ask':
      return hello(engine)
    case 'timer':
      // one that was asked before has answered, and what is left of its time says nothing
      crew.cancel()
      crew.cancel = env.after(answerMs, () => {
        if (engine.crew === crew) step(engine, { type: 'timer', visible: env.visible?.() ?? true })
      })
      return
    case 'steal':
      // where nobody hands on a lock, the one who raises the stored lead has it
      if (crew.lock === null) return step(engine, { type: 'granted' })
      return crew.lock.steal()
    case 'take':
      void take(engine).catch((error: unknown) => {
        // it was left meanwhile, and its store closed
        if (engine.crew !== crew) return
        report(engine, asError(error, 'STORAGE_FAILED'))
        step(engine, { type: 'lost' })
      })
      return
    case 'leads':
      if (
        engine.wanted &&
        !engine.closed &&
        engine.early === null &&
        !(crew.guest && isKept(engine.connector.link))
      )
        driveLink(engine.connector, { type: 'start' })
      crew.guest = false
      return
    case 'yield':
      crew.guest = false
      driveLink(engine.connector, { type: 'stop' })
      // with the connection went the last reason to stay
      if (engine.crew !== crew) return
      crew.lock?.release()
      engine.disk.yield()
      crew.stale = true
      crew.welcome = null
      tell(engine, { type: 'role', follows: true, lead: crew.known })
      return
    case 'queue':
      if (crew.lock !== null) queue(engine)
  }
}

/** The stored lead becomes ours, and what the one before us stored becomes known. */
async function take(engine: Engine): Promise<void> {
  const { crew, store, replica } = engine
  const turn = (crew.turn += 1)
  // what was emptied meanwhile is not ours again: its numbers were given already
  const fresh = newIdentity(engine.env, replica.state.identity.user)
  let { identity, raised } = await store.claim(fresh, crew.known)
  while (!raised) {
    // whoever has the lock may insist; where there is none, another tab was first
    if (crew.lock === null) return step(engine, { type: 'lost' })
    ;({ identity, raised } = await store.claim(fresh, identity.lead))
  }
  const loaded = await store.load([...replica.state.entities.keys()], replica.state.entities)
  if (engine.crew !== crew || engine.closed || isAnother(engine, identity)) return
  crew.known = Math.max(crew.known, identity.lead)
  // the lock was stolen meanwhile, and maybe given again
  if (crew.turn !== turn || crew.lead.role !== 'taking') return
  // it was of the connection of the one before
  if (!crew.guest) crew.welcome = null
  tell(engine, { type: 'role', follows: false, lead: identity.lead })
  // before: what it finds to be stored is the leader's to store
  step(engine, { type: 'taken' })
  tell(engine, { type: 'reloaded', loaded, told: null })
  announce(engine, true)
}

// ---- what the leader says

export function post(engine: Engine, message: TabMessage): void {
  const { crew, replica, home } = engine
  const said = home?.spelled?.(engine, message) ?? message
  crew.channel?.post({ ...said, client: replica.state.identity.client })
}

/** To the others: how the connection is; with `stored` when all of it is on disk. */
export function announce(engine: Engine, stored: boolean): void {
  const { crew } = engine
  const say = (): void => {
    if (stored) crew.saying = false
    if (engine.crew !== crew || crew.lead.role !== 'lead') return
    const { welcome } = crew
    const { head, alias, entities } = engine.replica.state
    const known = [...entities.values()].filter(
      ({ cursor, current, shifting, heal }) => (cursor ?? current) && !shifting && heal === null,
    )
    const places = Object.fromEntries(known.map(({ name, cursor }) => [name, cursor]))
    const told = stored ? { head, renamed: [...alias], places } : null
    post(engine, { type: 'lead', lead: crew.known, link: linkOf(engine), welcome, stored: told })
  }
  if (!stored) return say()
  crew.saying = true
  void engine.disk.idle().then(say)
}

/** A frame of the server has been taken in; `changes` is what it changed. */
export function forward(engine: Engine, message: Down, text: string, changes: readonly Change[]): void {
  const { crew, replica } = engine
  const { parted } = replica.state
  replica.state.parted = false
  if (!crew.others || crew.lead.role !== 'lead') return
  if (message.type === 'results') post(engine, { type: 'results', frame: text })
  // what follows rows that they have yet to read is read with them
  else if (message.type === 'batch' && isLive(replica.state, message) && !parted && !crew.saying)
    post(engine, { type: 'change', entity: message.scopes[0] ?? '', ...one(engine, changes), frame: text })
  // a snapshot, a repair, and what came in parts, of which one that joined meanwhile lacks some, is read from the disk
  else if (
    message.type === 'mismatch' ||
    message.type === 'error' ||
    (message.type === 'batch' && message.to !== undefined)
  )
    announce(engine, true)
}

/** What a follower at the same place can take as it comes. */
function isLive({ entities }: State, { from, to, repair, scopes }: Batch): boolean {
  return (
    from !== null && to !== undefined && repair !== true && scopes.every(name => !entities.get(name)?.heal)
  )
}

function one(engine: Engine, changes: readonly Change[]): { change: ChangedRow | null; entity?: string } {
  const last = changes.at(-1)
  const id = last?.ids.at(-1)
  if (last === undefined || id === undefined) return { change: null }
  const { entity, action, version } = last
  const data = engine.replica.view(entity, id) ?? null
  return { entity, change: { entity, id, entity_id: id, action, data, version } }
}

/** Drafts of ours are stored and have their numbers. */
export function share(engine: Engine, ns: readonly number[]): void {
  const { behind, entries, dead } = engine.replica.state
  if (behind) void readPending(engine)
  tellOthers(
    engine,
    ns.flatMap(n => (entries.get(n) ?? dead.get(n))?.record ?? []),
  )
  need(engine, false)
}

/** What has become of mutations here. */
export function tellOthers(engine: Engine, records: readonly PendingRecord[]): void {
  const write = records[0]?.mutation.writes[0]
  if (write === undefined) return
  const data = engine.replica.view(write.entity, write.id) ?? null
  post(engine, { type: 'optimistic', entity: write.entity, entityId: write.id, data, records })
}

// ---- what the others say

function hear(engine: Engine, message: TabMessage): void {
  const { crew } = engine
  crew.others = true
  switch (message.type) {
    case 'hello':
      // who put it may be gone before it could say so
      if (message.n > engine.replica.state.identity.n) void readPending(engine)
      crew.said.push(message)
      check(engine)
      return announce(engine, message.stale)
    case 'lead':
      return hearLeader(engine, message)
    case 'change':
    case 'field_change':
    case 'results':
      step(engine, { type: 'heard' })
      takeFrame(engine, decodeDown(message.frame))
      return
    case 'optimistic':
    case 'optimistic_field':
      return hearRecords(engine, message.records)
    case 'discarded':
      return inOrder(engine, () => void tell(engine, { type: 'gone', ns: message.ns }))
    case 'cleared':
      return cleared(engine)
    case 'do':
      if (connects(engine)) asked(engine, message)
      // there may be nobody who leads just now: whoever will knows what is wanted
      else if (message.what !== 'sync') engine.wanted = message.what === 'connect'
      return
    case 'synced':
      return inOrder(engine, () => synced(engine, message.id))
    case 'bye':
    case 'refused':
      crew.said.push(message)
      check(engine)
  }
}

/** What the leader had from the server; to a tab that leads by now it means nothing. */
function takeFrame(engine: Engine, message: Down | undefined): void {
  if (message === undefined) return
  inOrder(engine, () => {
    if (engine.crew.lead.role === 'follow') tell(engine, { type: 'frame', message })
  })
}

function hearLeader(engine: Engine, message: Extract<TabMessage, { type: 'lead' }>): void {
  const { crew } = engine
  const { lead, link, welcome, stored } = message
  if (lead < crew.known || (lead === crew.known && crew.lead.role === 'lead')) return
  const another = lead > crew.known
  crew.known = lead
  if (crew.lead.role === 'lead') return step(engine, { type: 'lost' })
  step(engine, { type: 'heard' })
  // it has to know what is wanted here
  if (another) hello(engine)
  // and what is waited for: it may have been asked for while nobody led, or this tab did, or slept
  if (crew.heard !== lead)
    for (const { entity, id } of engine.syncs) if (id !== undefined) askLeader(engine, entity, id)
  crew.heard = lead
  // somebody may have signed in since it was turned away; a page that names its user knows that there is one
  if (crew.link === null && (link.state === 'stopped' || (link.state === 'idle' && engine.options.user)))
    post(engine, { type: 'do', what: 'connect', entity: '' })
  const { state: previous } = linkOf(engine)
  crew.link = link
  follow(engine)
  // who takes over was told otherwise maybe, after that one said it
  if (crew.lead.role === 'follow') engine.wanted = link.wanted
  if (crew.welcome !== welcome) {
    crew.welcome = welcome
    if (welcome === null) tell(engine, { type: 'closed' })
    else takeFrame(engine, decodeDown(welcome))
  }
  moved(engine, previous)
  if (stored === null) {
    // it was not leading yet when it was asked
    if (crew.stale) hello(engine)
  } else {
    void reload(engine, stored)
  }
}
