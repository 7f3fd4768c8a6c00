// A tab of a browser of the world: a client over a disk that is slow, fails, and outlives the tab that crashes; the
// tabs of one browser share it, hear each other, and have one lock.
import { SyncError } from '../core/index.ts'
import type { EntityDefinition, Filter, Row } from '../core/index.ts'
import { allParts, clientOf, conflictsOf, createClient, memoryStore } from '../client/index.ts'
import type {
  Change,
  Client,
  ClientEnv,
  ClientOptions,
  ClientStore,
  Engine,
  Hint,
  Home,
  PendingRecord,
  Transport,
} from '../client/index.ts'
import { FakeTabs } from './fake-tabs.ts'
import type { Random } from './random.ts'
import { skewedClock, timersOf } from './time.ts'
import type { Clock, VirtualTime } from './time.ts'

export interface BrowserFaults {
  /** Probability that a save fails, and with it the disk for as long as the page lives. */
  disk: number
}

/** What the tabs of one browser share. */
export interface Profile {
  readonly name: string
  /** What is durable. */
  readonly disk: ClientStore
  readonly tabs: FakeTabs
  readonly notes: Map<string, string>
  /** Nothing more goes onto the disk, of this browser and everything else. */
  full: boolean
  /** How many saves break off from now on. */
  breaking: number
  /** Its one tab is a client of its own, which follows what it likes, as a differential one does. */
  lone: boolean
}

export function newProfile(name: string, time: VirtualTime, random: Random): Profile {
  const later = (run: () => void): void => void time.after(random.between(0, 10), run)
  return {
    name,
    disk: memoryStore(),
    tabs: new FakeTabs(later),
    notes: new Map(),
    full: false,
    breaking: 0,
    lone: false,
  }
}

export interface BrowserParts {
  readonly name: string
  readonly profile: Profile
  readonly time: VirtualTime
  readonly random: Random
  readonly entities: readonly EntityDefinition[]
  /** What a page makes its client with, where that is not all of them. */
  readonly names: (() => Named) | null
  readonly transports: readonly Transport[]
  readonly faults: BrowserFaults
  readonly events: BrowserEvents
}

export interface Named {
  readonly entities: readonly EntityDefinition[]
  readonly where: { readonly [entity: string]: Filter<Row> | undefined }
}

export interface BrowserEvents {
  changed(change: Change): void
  rejected(n: number): void
  /** These mutations are on disk. */
  durable(client: string, records: readonly PendingRecord[]): void
  diskFailed(): void
  /** Its user has all of it thrown away. */
  cleared(client: string): void
  /** The page found its disk new in the place of another, with which so many edits may be lost. */
  evicted(lost: number): void
  /** The page began anew with what was on disk. */
  loaded(client: Client): void
  /** It does not know that there is something on its disk, and shows what the server has. */
  forgot(): void
}

function numberedAs(record: PendingRecord, n: number): PendingRecord {
  return { ...record, n, mutation: { ...record.mutation, n } }
}

/** Nothing happens any more to a page that is dead, and nothing yet to one that is frozen. */
function mortal(
  transport: Transport,
  disk: { readonly dead: boolean },
  run: (what: () => void) => void,
): Transport {
  const alive =
    <A extends unknown[]>(tell: (...args: A) => void) =>
    (...args: A): void =>
      run(() => {
        if (!disk.dead) tell(...args)
      })
  return {
    name: transport.name,
    connect: events =>
      transport.connect({
        open: alive(() => events.open()),
        alive: alive(() => events.alive()),
        frame: alive(text => events.frame(text)),
        closed: alive((...why) => events.closed(...why)),
      }),
  }
}

interface Page {
  readonly client: Client
  /** Of one that follows what it likes. */
  readonly engine: Engine | null
  readonly timers: ReturnType<typeof timersOf>
  readonly hints: Set<(hint: Hint) => void>
  readonly disk: PageDisk
}

/** As a differential one is made. */
function loneClient(options: ClientOptions): [client: Client, engine: Engine | null] {
  const parts = allParts()
  let engine: Engine | null = null
  const more = (made: Engine): object => {
    engine = made
    return parts.more?.(made) ?? {}
  }
  // reason: the parts are those of a client
  const client = clientOf(options, { ...parts, more }) as unknown as Client
  return [Object.assign(client, { conflicts: conflictsOf(client) }), engine]
}

interface PageDisk {
  dead: boolean
  failing: boolean
  /** It was taken away. */
  gone: boolean
  /** Null: the page does not hold anything of it yet. */
  onGone: (() => void) | null
}

export class Browser {
  readonly name: string
  readonly clock: Clock
  readonly #parts: BrowserParts
  #page: Page | null = null
  #seen = true
  #forgetful = false
  #closing = false
  #visits = false
  #pages = 0
  /** Callbacks of a frozen tab. */
  #held: (() => void)[] | null = null

  constructor(parts: BrowserParts) {
    this.name = parts.name
    this.#parts = parts
    const { time, random } = parts
    this.clock = skewedClock(time, random.between(-120_000, 120_000), 1 + (random.next() - 0.5) / 200)
    this.#start()
  }

  get client(): Client {
    if (this.#page === null) this.#start()
    // reason: #start has just made it
    return (this.#page as Page).client
  }

  get engine(): Engine | null {
    return this.#page?.engine ?? null
  }

  /** Whose browser it is. */
  get user(): string {
    return this.#parts.profile.name
  }

  get running(): boolean {
    return this.#page !== null && !this.#closing
  }

  /** Its home has not been loaded yet. */
  get visits(): boolean {
    return this.#visits
  }

  get frozen(): boolean {
    return this.#held !== null
  }

  get diskFailed(): boolean {
    return this.#page?.disk.failing === true || this.#page?.disk.gone === true
  }

  /** The disk is empty now; a page hears of it when it can. */
  diskGone(): void {
    const disk = this.#page?.disk
    if (disk === undefined || disk.onGone === null) return
    disk.gone = true
    this.#parts.time.after(0, () => this.#run(() => !disk.dead && disk.onGone?.()))
  }

  /** The tab is gone at once; what was not durable is gone with it. */
  crash(): void {
    const page = this.#page
    if (page === null) return
    page.disk.dead = true
    page.timers.stop()
    this.#parts.profile.tabs.kill(this.name)
    this.#held = null
    this.#page = null
    this.#closing = false
  }

  /** The page is left in order: nothing of it is there any more when that is done. */
  async close(): Promise<void> {
    const page = this.#page
    if (page === null) return
    this.#closing = true
    await page.client.close()
    if (this.#page === page) this.crash()
  }

  start(): void {
    if (this.#page === null) this.#start()
  }

  /** Timers do not fire until `thaw`, and then all late. */
  freeze(): void {
    this.#held ??= []
    this.#parts.profile.tabs.freeze(this.name)
  }

  thaw(): void {
    const held = this.#held
    this.#held = null
    this.#parts.profile.tabs.thaw(this.name)
    for (const run of held ?? []) run()
    for (const listener of this.#page?.hints ?? []) listener('resume')
  }

  /** Whether somebody looks at it. */
  look(seen: boolean): void {
    if (this.#page === null || this.#held !== null) return
    this.#seen = seen
    this.hint(seen ? 'visible' : 'hide')
  }

  hint(hint: Hint): void {
    for (const listener of this.#page?.hints ?? []) listener(hint)
  }

  #start(): void {
    const { time, random, entities, names, transports, events, profile } = this.#parts
    const timers = timersOf(time)
    const hints = new Set<(hint: Hint) => void>()
    const disk: PageDisk = { dead: false, failing: false, gone: false, onGone: null }
    const env: ClientEnv = {
      now: () => this.clock.now(),
      random: () => random.next(),
      after: (ms, run) => timers.after(ms, () => this.#run(run)),
      unique: () => random.hex(16),
      online: () => true,
      visible: () => this.#seen,
      tabs: profile.tabs.of(this.name),
      notes: {
        get: key => profile.notes.get(key) ?? null,
        set: (key, value) => void profile.notes.set(key, value),
      },
      onHint(listener) {
        hints.add(listener)
        return () => hints.delete(listener)
      },
    }
    const options = {
      url: '/api/sync',
      ...(names?.() ?? { entities }),
      env,
      transports: transports.map(transport => mortal(transport, disk, run => this.#run(run))),
      store: () => this.#disk(disk),
    }
    this.#forgetful = this.#visits = false
    // as the small script does; what it has not is of no use to those who change what they want
    const visits = !profile.lone && names === null && random.chance(0.3)
    const [client, engine] = profile.lone
      ? loneClient(options)
      : [visits ? this.#visitor(options) : createClient(options), null]
    const mine = (): boolean => !disk.dead
    client.on('changed', change => mine() && events.changed(change))
    client.on('rejected', letter => mine() && events.rejected(letter.n))
    client.on('storage', ({ reason, lost = 0 }) => mine() && reason === 'evicted' && events.evicted(lost))
    this.#page = { client, engine, timers, hints, disk }
    events.loaded(client)
    if (this.#forgetful) events.forgot()
  }

  /** A page whose home is loaded when it is ready, or fails to. Now and then nothing says that it was here before. */
  #visitor({ env, ...options }: ClientOptions & { readonly env: ClientEnv }): Client {
    const { time, random, profile, events } = this.#parts
    const parts = allParts()
    const knows = random.chance(0.7)
    this.#forgetful = !knows
    this.#visits = true
    const page = (this.#pages += 1)
    const notes = {
      get: (key: string) => (key === 'syncline' && !knows ? null : (profile.notes.get(key) ?? null)),
      set: (key: string, value: string) => void profile.notes.set(key, value),
    }
    const home = async (): Promise<Home> => {
      await time.sleep(random.between(0, random.chance(0.2) ? 5_000 : 200))
      if (this.#held !== null) await new Promise<void>(go => this.#run(go))
      if (random.chance(0.1)) {
        // it goes on reading without one
        if (page === this.#pages) events.forgot()
        throw new SyncError('INTERNAL', 'no script in this world for a moment')
      }
      if (page === this.#pages) this.#visits = false
      return parts.home
    }
    // reason: the parts are those of a client
    return clientOf({ ...options, env: { ...env, notes } }, { ...parts, home }) as unknown as Client
  }

  #run(run: () => void): void {
    if (this.#held === null) run()
    else this.#held.push(run)
  }

  /** A disk of its own for each page over what is kept; a dead page's saves that did not begin never do. */
  #disk(disk: PageDisk): ClientStore {
    const { time, random, faults, events, profile } = this.#parts
    const kept = profile.disk
    const wait = async (): Promise<void> => {
      if (random.chance(0.6)) await time.sleep(random.between(0, 20))
      // a frozen tab hears nothing of its disk either, and what it had not begun it has not
      if (this.#held !== null) await new Promise<void>(go => this.#run(go))
      if (disk.dead) await new Promise(() => {})
      // whoever waits for the disk hears that it is gone, and then that nothing came of it
      if (disk.gone) disk.onGone?.()
      if (disk.gone) throw new SyncError('STORAGE_FAILED', 'the disk of this world is gone')
    }
    const fail = (): void => {
      disk.failing = true
      events.diskFailed()
    }
    return {
      kind: 'indexeddb',
      async load(entities, known) {
        await wait()
        return kept.load(entities, known)
      },
      async save(work) {
        await wait()
        if (random.chance(faults.disk)) fail()
        if (profile.full && work.news.length + work.puts.length + work.commits.length > 0) fail()
        if (profile.breaking > 0) {
          profile.breaking--
          fail()
          throw new SyncError('STORAGE_FAILED', 'a transaction of this world broke off')
        }
        if (disk.failing) throw new SyncError('STORAGE_FULL', 'the disk of this world is full')
        const saved = await kept.save(work)
        const news = work.news.map((record, i) => numberedAs(record, saved.first + i))
        // whoever emptied the disk meanwhile made it another client's, and what was put there before is gone
        const { identity, pending } = await kept.load([])
        const here = new Set(pending.map(({ n }) => n))
        if (identity !== null)
          events.durable(identity.client, [...news, ...work.puts.filter(({ n }) => here.has(n))])
        await wait()
        return saved
      },
      claim: async (fresh, from) => {
        await wait()
        return kept.claim(fresh, from)
      },
      async clear() {
        const { identity } = await kept.load([])
        if (identity !== null) events.cleared(identity.client)
        await kept.clear()
      },
      onGone(listener) {
        disk.onGone = listener
      },
      close: async () => {},
    }
  }

  /** What a page that starts now would find. */
  durable(): ReturnType<ClientStore['load']> {
    return this.#parts.profile.disk.load(this.#parts.entities.map(entity => entity.name))
  }
}
