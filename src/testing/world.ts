// The seeded world: browsers, servers, programs and a network in one process and in virtual time. A seed is a whole
// history, faults included; at its end everything is mended, time runs on until all is quiet, and the oracles are asked.
import type { EntityDefinition } from '../core/index.ts'
import { conflictsTable } from '../server/index.ts'
import type { ServerStore } from '../server/index.ts'
import { Network } from './network.ts'
import { seededRandom } from './random.ts'
import type { Random } from './random.ts'
import { skewedClock, virtualTime } from './time.ts'
import type { VirtualTime } from './time.ts'
import { breakLine, userWrites } from './world-actions.ts'
import { Bares } from './world-bares.ts'
import { Blocks } from './world-blocks.ts'
import { Books } from './world-books.ts'
import { Disks } from './world-disks.ts'
import { newProfile } from './world-browser.ts'
import type { Browser, Profile } from './world-browser.ts'
import { memoryWorld } from './world-database.ts'
import type { WorldDatabase } from './world-database.ts'
import { differences, openInspector, unequalDisk } from './world-oracles.ts'
import { Programs } from './world-programs.ts'
import { worldEntities, worldNames } from './world-schema.ts'
import type { Screen } from './world-screens.ts'
import { worldLimits } from './world-limits.ts'
import { lotsOf } from './world-lots.ts'
import type { WorldOptions, WorldReport } from './world-report.ts'
import { Habits } from './world-habits.ts'
import { WorldScopes } from './world-scopes.ts'
import { WorldServer } from './world-server.ts'
import { Stamps } from './world-stamps.ts'
import { WorldViews } from './world-views.ts'
import { watched } from './world-watched.ts'

/** Runs one seed; throws with the seed and all problems where there are any. */
export async function checkWorld(options: WorldOptions): Promise<WorldReport> {
  const report = await runWorld(options)
  if (report.problems.length > 0)
    throw new Error(`seed ${options.seed}:\n  ${report.problems.slice(0, 12).join('\n  ')}`)
  return report
}

export async function runWorld(options: WorldOptions): Promise<WorldReport> {
  const world = new World(options)
  try {
    return await world.run()
  } finally {
    world.database.dispose()
  }
}

const quietLimitSeconds = 240

class World {
  readonly random: Random
  readonly time: VirtualTime
  readonly network: Network
  readonly database: WorldDatabase
  readonly servers: WorldServer[]
  /** Every tab of every browser. */
  readonly browsers: Browser[] = []
  readonly #options: WorldOptions
  readonly #programs: Programs
  readonly #books = new Books()
  readonly #profiles: Profile[] = []
  readonly #disks: Disks
  readonly #screens = new Map<string, Screen>()
  readonly bare: Bares
  readonly #stamps = new Stamps()
  readonly #complaints: string[] = []
  readonly #faults = { busy: 0.03, disk: 0 }
  readonly #entities: () => EntityDefinition[]
  readonly views: WorldViews | null
  readonly scopes: WorldScopes | null
  readonly habits: Habits | null
  readonly #unreachable = new Set<string>()
  #inspector: ServerStore | null = null
  #restore: (() => void) | null = null
  #restored = false

  constructor(options: WorldOptions) {
    this.#options = options
    const random = (this.random = seededRandom(options.seed))
    const time = (this.time = virtualTime(random))
    this.network = new Network({ time, random })
    this.network.blocks = new Blocks(time, options.seed)
    this.network.reachable = owner => !this.#unreachable.has(owner)
    const { wide, views, scopes, scarce, habits } = lotsOf(options)
    this.database = (options.database ?? memoryWorld)({
      time,
      random,
      clock: skewedClock(time, random.between(-5000, 5000)),
      wide,
      wrote: (table, id, row) => {
        this.views?.wrote(table, id, row)
        this.scopes?.wrote(table, id, row)
      },
    })
    this.#disks = new Disks(options.seed, time, this.#books, line => this.#trace(line))
    this.#programs = new Programs(this.database, time, random, this.#books, line => this.#trace(line))
    const sighted = seededRandom(options.seed)
    sighted.next()
    this.views = views ? new WorldViews(sighted, wide) : null
    const choosy = seededRandom(options.seed)
    this.scopes = scopes ? new WorldScopes(choosy, time, line => this.#trace(line)) : null
    this.habits = habits ? new Habits(options.seed, this, this.#books, line => this.#trace(line)) : null
    const bare = worldEntities(seededRandom(options.seed))
    const seen = this.views?.entities(bare) ?? bare
    const definitions = this.scopes?.entities(seen) ?? seen
    this.#entities = () => definitions
    if (random.chance(0.03)) this.#faults.disk = 0.02
    const parts = {
      time,
      random,
      database: this.database,
      entities: this.#entities,
      faults: this.#faults,
      limits: worldLimits(options.seed, scarce),
      complaints: this.#complaints,
      pageRows: this.habits?.pageRows ?? Infinity,
    }
    this.servers = Array.from({ length: random.between(1, 2) }, () => new WorldServer(parts))
    this.bare = new Bares(options.seed, {
      time,
      books: this.#books,
      server: among => among.pick(this.servers),
      trace: line => this.#trace(line),
      // who has only a version cannot be told of rights, and who asks for all at once is sent away where little is given
      present: this.views === null && !scarce,
    })
    for (let i = 0, count = random.between(1, 3); i < count; i++) {
      const profile = newProfile(`u${i}`, time, random)
      this.#profiles.push(profile)
      const tabs = random.weighted({ 1: 3, 2: 2, 3: 1 })
      this.habits?.begins(profile, Number(tabs))
      for (let tab = 1; tab <= Number(tabs); tab++) this.browsers.push(this.#browser(`u${i}.${tab}`, profile))
    }
  }

  #browser(name: string, profile: Profile): Browser {
    const { time, random, network, database, views, scopes, habits } = this
    const books = this.#books
    const screens = this.#screens
    const entities = this.#entities()
    const faults = this.#faults
    const trace = this.#options.trace === undefined ? null : (line: string): void => this.#trace(line)
    const server = (): WorldServer => random.pick(this.servers)
    const seen = { views, scopes, habits, books, screens, trace }
    return watched(name, profile, { time, random, network, database, entities, faults, server, ...seen })
  }

  #trace(line: string): void {
    this.#options.trace?.(`${((this.time.now() - Date.UTC(2026, 0, 1)) / 1000).toFixed(3)} ${line}`)
  }

  async run(): Promise<WorldReport> {
    this.#trace(
      `docs: ${this.#entities()
        .map(({ name, strategy, grain }) => `${name} ${strategy} ${grain}`)
        .join(', ')}`,
    )
    await this.#begin()
    const end = this.time.now() + (this.#options.seconds ?? 30) * 1000
    for (let round = 0; this.time.now() < end; round++) {
      await this.#act()
      await this.#disks.act(this.#profiles, this.browsers, tab => this.#crash(tab))
      await this.time.run(
        this.random.weighted({ 0: 2, 1: 1 }) === '0' ? this.random.int(60) : this.random.int(1500),
      )
      if (round % 12 === 11) await this.#inspect()
    }
    await this.#mend()
    const mended = this.time.now()
    const quiet = await this.#untilQuiet()
    const quietAfter = (this.time.now() - mended) / 1000
    await this.#inspect()
    const problems = await this.#ask(quiet)
    await this.#inspector?.close()
    for (const server of this.servers) server.kill()
    for (const browser of this.browsers) browser.crash()
    return {
      seed: this.#options.seed,
      problems,
      steps: this.time.steps,
      mutations: this.#books.size,
      patches: this.#books.patches,
      quietAfter,
    }
  }

  /** Some rows are older than the log. */
  async #begin(): Promise<void> {
    const { app } = this.database
    for (let i = 1; i <= this.random.int(4); i++)
      await app.insert('lists', { id: i, name: this.#books.mark('old') })
    for (let i = 0; i < this.random.int(3); i++)
      await app.insert('docs', { id: `d${i}`, title: this.#books.mark('old') })
    for (const server of this.servers) server.start()
    this.bare.begin()
    for (const { user } of this.browsers) this.views?.levelOf(user)
    this.views?.survey(this.database)
    this.scopes?.survey(this.database)
    this.scopes?.begin(this.browsers)
    this.habits?.begin(this.browsers)
    this.views?.begin(this, line => this.#trace(line))
  }

  async #act(): Promise<void> {
    const { random } = this
    const action = random.weighted({
      user: 40,
      program: 14,
      transaction: 3,
      line: 10,
      away: 4,
      crash: 3,
      freeze: 2,
      look: 1,
      server: 4,
      clock: 3,
      cleanup: 1.5,
      backup: 0.8,
      pause: 3,
    })
    this.#trace(`-- ${action}`)
    switch (action) {
      case 'user':
        return this.#userWrites()
      case 'program':
        return this.#programs.write()
      case 'transaction':
        return this.#programs.transaction()
      case 'line':
        return breakLine(this.network)
      case 'away':
        return this.#away()
      case 'crash':
        return this.#crash(random.pick(this.browsers))
      case 'freeze':
        return this.#freeze()
      case 'look':
        return random.pick(this.browsers).look(random.chance(0.6))
      case 'server':
        return this.#server()
      case 'clock':
        return random.pick([...this.servers, ...this.browsers]).clock.step(random.between(-200_000, 200_000))
      case 'cleanup':
        return this.#cleanup()
      case 'backup':
        return this.#backup()
      case 'pause':
        return this.#pause()
    }
  }

  /**
   * Whoever is away longer than this was away longer than every retention. Not after a backup returned: whether a cursor
   * below the horizon is on this branch can then not be known, and rows that have the same seq on both are not healed.
   */
  #cleanup(): void {
    if (this.#restored) return
    const forget = (): void => this.#stamps.forget()
    forget()
    void this.random.pick(this.servers).engine?.cleanup(0).then(forget, forget)
  }

  #userWrites(): void {
    const browser = this.random.pick(this.browsers)
    if (browser.running && !browser.frozen) userWrites(browser, this.#books, this.random)
  }

  #away(): void {
    const { name } = this.random.pick(this.browsers)
    this.#unreachable.add(name)
    for (const line of this.network.lines) if (line.owner === name) line.cut()
    this.time.after(this.random.between(500, 20_000), () => this.#unreachable.delete(name))
  }

  #crash(browser: Browser): void {
    if (!browser.running) return
    browser.crash()
    for (const line of this.network.lines)
      if (line.owner === browser.name) line.clientDied(this.random.chance(0.5))
    this.time.after(this.random.between(10, 5000), () => browser.start())
  }

  #freeze(): void {
    const browser = this.random.pick(this.browsers)
    if (!browser.running || browser.frozen) return
    browser.freeze()
    const lines = [...this.network.lines].filter(line => line.owner === browser.name)
    for (const line of lines) line.freeze()
    this.time.after(this.random.between(500, 40_000), () => {
      for (const line of lines) line.thaw()
      browser.thaw()
    })
  }

  #server(): void {
    const server = this.random.pick(this.servers)
    if (!server.running) return
    if (this.random.chance(0.7)) this.#kill(server)
    else server.stop()
    this.time.after(this.random.between(10, 4000), () => server.start())
  }

  #kill(server: WorldServer): void {
    const mine = [...this.network.lines].filter(line => line.leadsTo(server))
    server.kill()
    for (const line of mine) line.serverDied()
    this.bare.died(server)
  }

  #backup(): void {
    if (this.#programs.busy || this.#restored || !this.servers.some(server => server.running)) return
    if (this.#restore === null) {
      this.#restore = this.database.backup()
      return
    }
    for (const server of this.servers) this.#kill(server)
    void this.#inspector?.close()
    this.#inspector = null
    this.#books.branch(this.database.history(), this.time.now())
    for (const screen of this.#screens.values()) screen.excuse()
    this.#stamps.forget()
    this.#restore()
    this.views?.survey(this.database)
    this.scopes?.survey(this.database)
    this.#restored = true
    this.bare.forget()
    this.habits?.restored()
    for (const server of this.servers) server.start()
  }

  #pause(): void {
    const { client, running } = this.random.pick(this.browsers)
    if (!running) return
    client.disconnect()
    this.time.after(this.random.between(100, 8000), () => client.connect())
  }

  /** An end to all faults. */
  async #mend(): Promise<void> {
    this.#trace('-- mend')
    this.scopes?.end()
    this.habits?.end()
    this.views?.end()
    this.bare.mend()
    Object.assign(this.#faults, { busy: 0, disk: 0 })
    await this.#programs.end()
    this.#disks.mend(this.#profiles)
    this.#unreachable.clear()
    this.network.blocks = null
    for (const line of this.network.lines) line.thaw()
    for (const browser of this.browsers) {
      browser.start()
      browser.thaw()
      browser.look(true)
      browser.client.connect()
    }
    this.habits?.mend()
    for (const server of this.servers) server.start()
  }

  async #untilQuiet(): Promise<boolean> {
    const end = this.time.now() + quietLimitSeconds * 1000
    for (let calm = 0; this.time.now() < end;) {
      await this.time.run(1500)
      calm = differences(this.browsers, this).length === 0 ? calm + 1 : 0
      if (calm === 3) return true
    }
    return false
  }

  async #ask(quiet: boolean): Promise<string[]> {
    const problems = quiet ? [] : differences(this.browsers, this)
    if (!quiet && problems.length === 0) problems.push('never quiet for long')
    for (const screen of this.#screens.values()) problems.push(...screen.problems)
    this.#books.check(this.database.history(), this.database.rows(conflictsTable).values())
    problems.push(
      ...this.#books.problems,
      ...this.#stamps.problems,
      ...(this.views?.problems ?? []),
      ...(this.scopes?.problems ?? []),
      ...(this.habits?.problems ?? []),
      ...this.#complaints,
      ...this.time.errors.map(String),
    )
    if (quiet)
      for (const browser of this.browsers) problems.push(...(await unequalDisk(browser, this.browsers, this)))
    return problems
  }

  async #inspect(): Promise<void> {
    if (this.#programs.busy) return
    this.#inspector ??= await openInspector(this.database, this.time, this.random, this.#entities())
    const ids = new Map(worldNames.map(table => [table, [...this.database.rows(table).keys()]]))
    await this.#stamps.check(this.#inspector, ids)
  }
}
