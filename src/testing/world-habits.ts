// What pages of a world do with their clients beside writing: they ask for a sync, follow and give up, clear and close, are
// left and come back, settle conflicts, and look through queries. Each with what has to be true of it.
import { idOfValue, sameJson } from '../core/index.ts'
import type { Row } from '../core/index.ts'
import { follow, pull } from '../client/index.ts'
import type { Change, Client } from '../client/index.ts'
import { seededRandom } from './random.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Books } from './world-books.ts'
import type { Browser, Profile } from './world-browser.ts'
import type { WorldDatabase } from './world-database.ts'
import { idIn, Mirrors } from './world-mirrors.ts'
import { Questions } from './world-questions.ts'
import { worldNames } from './world-schema.ts'
import type { WorldViews } from './world-views.ts'

/** Apart from all other seeds. */
const seedsApart = 13 * 2 ** 32

/** What habits are had in. */
interface Stage {
  readonly time: VirtualTime
  readonly database: WorldDatabase
  readonly views: WorldViews | null
  readonly scopes: object | null
}

/** What somebody waits for, of a page that still runs. */
interface Awaited {
  readonly who: string
  readonly what: string
  readonly client: Client
}

/** After a commit the log may hear of it so much later, in milliseconds. */
const behindMs = 100

export class Habits {
  readonly problems: string[] = []
  /** Rows that a server reads at once: snapshots come in parts. */
  readonly pageRows: number
  readonly #random: Random
  readonly #stage: Stage
  readonly #books: Books
  readonly #trace: (line: string) => void
  readonly #mirrors: Mirrors
  readonly questions: Questions
  readonly #awaited = new Set<Awaited>()
  #browsers: readonly Browser[] = []
  #over = false
  /** Counts backups that were put in place. */
  #branch = 0

  /** Draws lots of its own: where there are none, histories stay what they are. */
  constructor(seed: number, stage: Stage, books: Books, trace: (line: string) => void) {
    this.#random = seededRandom(seed + seedsApart)
    this.#stage = stage
    this.#books = books
    this.#trace = trace
    this.questions = new Questions(stage.time)
    this.#mirrors = new Mirrors(this.#random.fork())
    this.pageRows = this.#random.chance(0.75) ? this.#random.between(1, 3) : Infinity
  }

  /** A browser with so many tabs. */
  begins(profile: Profile, tabs: number): void {
    if (tabs > 1 || this.#stage.scopes !== null || !this.#random.chance(0.7)) return
    profile.lone = true
    profile.tabs.channels = false
  }

  begin(browsers: readonly Browser[]): void {
    this.#browsers = browsers
    this.#live()
  }

  #live(): void {
    const random = this.#random
    this.#stage.time.after(random.between(50, 2_000), () => {
      if (this.#over) return
      const browser = random.pick(this.#browsers)
      if (browser.running && !browser.frozen) this.#act(browser)
      this.#live()
    })
  }

  #act(browser: Browser): void {
    const random = this.#random
    const kind = random.weighted({
      sync: 6,
      follow: browser.engine === null ? 0 : 8,
      household: 3,
      settle: 3,
      leave: 1,
      close: 0.7,
      clear: 0.3,
    })
    this.#trace(`-- ${browser.name}: ${kind}`)
    switch (kind) {
      case 'sync':
        return this.#sync(browser)
      case 'follow':
        return this.#follows(browser)
      case 'household':
        return household(browser, random, this.#books)
      case 'settle':
        return settle(browser, random, this.#books)
      case 'leave':
        return this.#leave(browser)
      case 'close':
        return this.#close(browser)
      case 'clear':
        return this.#clear(browser)
    }
  }

  // ---- what is asked of the server

  /** When it is done, all is on the screen that was committed before it was asked for (but for what is still unsent). */
  #sync(browser: Browser): void {
    const random = this.#random
    const entity = random.pick(worldNames)
    const client = browser.client
    const patience = {
      answerMs: 3_000,
      policy: { initial: 500, max: 2_000, factor: 2, jitter: 0.2, attempts: 3 },
    }
    const seen = this.#seenBy(browser, entity)
    const old = client.getAll(entity).filter(row => !seen.rows.has(idIn(row)))
    this.#stage.time.after(behindMs, () => {
      if (!browser.running || browser.client !== client) return
      const { engine } = browser
      const pulls = engine !== null && random.chance(0.6)
      const what = `${pulls ? 'pull' : 'sync'} of ${entity}`
      const since = this.#stage.time.now()
      const done = pulls ? pull(engine, entity, patience) : client.sync(entity)
      this.#await(browser, what, done, () => {
        if (!this.questions.isAnswered(browser.user, entity, since)) return
        const problem = this.#missing(browser, entity, seen, old)
        if (problem !== null) this.problems.push(`[R3] after a ${what} ${browser.name} ${problem}`)
      })
    })
  }

  #seenBy({ user }: Browser, entity: string): { rows: ReadonlyMap<string, Row>; turn: string } {
    const { database, views } = this.#stage
    const all = new Map(database.rows(entity))
    const turn = `${this.#branch} ${views?.levelOf(user) ?? ''}`
    return { rows: views?.expected(user, entity, all) ?? all, turn }
  }

  #missing(
    browser: Browser,
    entity: string,
    before: { readonly rows: ReadonlyMap<string, Row>; readonly turn: string },
    old: readonly Row[],
  ): string | null {
    const now = this.#seenBy(browser, entity)
    // other rights, another log; and what a part of a table is, others look after
    if (now.turn !== before.turn || this.#stage.scopes !== null) return null
    const { client } = browser
    const unsent = new Set(client.pending().flatMap(({ writes }) => writes.map(write => write.id)))
    for (const [id, row] of before.rows) {
      const still = now.rows.get(id)
      const shown = client.get(entity, id)
      if (still === undefined || unsent.has(id) || !sameJson(still, row)) continue
      if (shown === undefined || !sameJson(shown, row))
        return `shows ${JSON.stringify(shown)} and not ${JSON.stringify(row)}`
    }
    for (const row of old) {
      const id = idIn(row)
      const shown = client.get(entity, id)
      if (shown !== undefined && !now.rows.has(id) && !unsent.has(id) && sameJson(shown, row))
        return `still shows ${JSON.stringify(row)}, which was gone`
    }
    return null
  }

  /** It ends, in whichever way, while the page lives. */
  #await(browser: Browser, what: string, done: Promise<unknown>, then: () => void): void {
    const { client, name } = browser
    const awaited = { who: name, what, client }
    this.#awaited.add(awaited)
    const end = (good: boolean) => (): void => {
      this.#trace(`-- ${name}: ${what} ${good ? 'is done' : 'failed'}`)
      this.#awaited.delete(awaited)
      if (good && browser.running && browser.client === client) then()
    }
    done.then(end(true), end(false))
  }

  #follows({ engine, name }: Browser): void {
    if (engine === null) return
    const entity = this.#random.pick(worldNames)
    const wanted = this.#random.chance(0.55)
    this.#trace(`-- ${name} ${wanted ? 'follows' : 'gives up'} ${entity}`)
    follow(engine, entity, wanted)
  }

  // ---- where pages go

  /** Into the cache of pages that one may go back to. */
  #leave(browser: Browser): void {
    browser.hint('suspend')
    browser.freeze()
    this.#stage.time.after(this.#random.between(200, 20_000), () => browser.thaw())
  }

  #close(browser: Browser): void {
    const after = this.#random.between(0, 4_000)
    const { client, name } = browser
    const awaited = { who: name, what: 'close', client }
    this.#awaited.add(awaited)
    void browser
      .close()
      .catch((error: unknown) => this.problems.push(`[H2] the close of ${name} failed: ${String(error)}`))
      .then(() => {
        this.#awaited.delete(awaited)
        this.#stage.time.after(after, () => browser.start())
      })
  }

  #clear(browser: Browser): void {
    this.#await(browser, 'clear', browser.client.clear(), () => {})
  }

  // ---- what is seen

  loaded(name: string, client: Client): void {
    this.#mirrors.loaded(name, client)
  }

  changed(name: string, change: Change, client: Client): void {
    this.#mirrors.changed(name, change, client)
  }

  /** A backup was put in place. */
  restored(): void {
    this.#branch += 1
  }

  end(): void {
    this.#over = true
  }

  /** Everything is followed again. */
  mend(): void {
    for (const { engine } of this.#browsers)
      if (engine !== null) for (const entity of worldNames) follow(engine, entity, true)
  }

  differences(): string[] {
    const found = Array.from(this.#awaited).flatMap(({ who, what, client }) =>
      this.#browsers.some(browser => browser.running && browser.name === who && browser.client === client)
        ? [`[T3] the ${what} of ${who} does not end`]
        : [],
    )
    return [...found, ...this.#mirrors.differences(this.#browsers)]
  }
}

/** Rows of several tables in one transaction, made, changed and ended under temporary ids. */
function household({ client, name }: Browser, random: Random, books: Books): void {
  const pick = (entity: string): string | null => {
    const rows = client.getAll(entity)
    return rows.length === 0 ? null : idOfValue(random.pick(rows)['id'])
  }
  const lists = pick('lists')
  const item = pick('items')
  client.transaction(tx => {
    const list = tx.create('lists', { name: books.mark(name) })
    const first = tx.create('items', { list_id: list, title: books.mark(name) })
    const second = tx.create('items', { list_id: lists, title: books.mark(name) })
    if (random.chance(0.5)) tx.update('items', second, { list_id: list })
    if (random.chance(0.5)) tx.update('items', first, { body: books.mark(name) })
    if (random.chance(0.3)) tx.delete('items', first)
    if (item !== null && random.chance(0.5)) tx.update('items', item, { list_id: list })
    if (random.chance(0.1)) tx.delete('lists', list)
  })
}

function settle({ client, name }: Browser, random: Random, books: Books): void {
  // reason: a small script has none
  const { conflicts } = client as Partial<Pick<Client, 'conflicts'>>
  const open = conflicts?.list() ?? []
  if (open.length === 0) return
  const one = random.pick(open)
  const value = books.mark(name)
  books.settles(one.entity, one.field, [one.mine, one.theirs, one.base])
  const how = random.int(3)
  if (how === 0) one.keepMine()
  else if (how === 1) one.keepTheirs()
  else one.resolve(value)
}
