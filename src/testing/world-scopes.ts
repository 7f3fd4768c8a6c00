// Tabs of a world that want parts of tables, each its own, and change their minds. What a part is is said twice, as a
// filter and as an ordinary predicate, so that the oracles do not ask the judge about himself.
import { defineEntity, idOfValue } from '../core/index.ts'
import type { EntityDefinition, Filter, Json, Row } from '../core/index.ts'
import type { Client, Held, Scope } from '../client/index.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Browser, Named } from './world-browser.ts'
import type { WorldDatabase } from './world-database.ts'
import { idsNamedIn, text as textIn } from './world-views.ts'

interface Part {
  /** Absent: every row. */
  readonly where?: Filter<Row>
  readonly holds: (row: Row) => boolean
  /** Of those, only the first ones. */
  readonly window?: { readonly by: string; readonly way: 'asc' | 'desc'; readonly limit: number }
}

interface Opened {
  readonly entity: string
  readonly part: Part
  readonly scope: Scope
  answered: boolean
}

interface Tab {
  readonly name: string
  /** What its client was made with. */
  good: [entity: string, part: Part][]
  open: Opened[]
}

const whole: Part = { holds: () => true }
const number = (row: Row, column: string): number | null =>
  row[column] === null ? null : Number(row[column])

/** By columns that everybody may see. */
const parts: Readonly<Record<string, readonly Part[]>> = {
  docs: [
    whole,
    {
      where: { title: { gte: 'sql' } },
      holds: row => row['title'] !== null && textIn(row, 'title') >= 'sql',
    },
    { where: { title: { lt: 'u1' } }, holds: row => row['title'] !== null && textIn(row, 'title') < 'u1' },
    { where: { body: null }, holds: row => row['body'] === null },
    { where: { not: { body: null } }, holds: row => row['body'] !== null },
    { window: { by: 'title', way: 'desc', limit: 2 }, holds: () => true },
    {
      where: { body: null },
      window: { by: 'title', way: 'asc', limit: 1 },
      holds: row => row['body'] === null,
    },
  ],
  items: [
    whole,
    { where: { amount: null }, holds: row => row['amount'] === null },
    { where: { amount: { lt: 4 } }, holds: row => (number(row, 'amount') ?? 4) < 4 },
    {
      where: { amount: { in: [1, 2, 3, 5, 8, 13] } },
      holds: row => [1, 2, 3, 5, 8, 13].includes(number(row, 'amount') ?? -1),
    },
    { where: { amount: { gte: 6 } }, holds: row => (number(row, 'amount') ?? 0) >= 6 },
    { window: { by: 'amount', way: 'asc', limit: 3 }, holds: () => true },
    {
      where: { amount: { gte: 2 } },
      window: { by: 'amount', way: 'desc', limit: 2 },
      holds: row => (number(row, 'amount') ?? 0) >= 2,
    },
  ],
}

const routing: Readonly<Record<string, readonly string[]>> = { docs: ['title', 'body'], items: ['amount'] }

/** As the client says it. */
function textOf({ where, window }: Part): string {
  if (window === undefined) return where === undefined ? '' : JSON.stringify(where)
  const { by, way, limit } = window
  return JSON.stringify({ limit, orderBy: [[by, way]], ...(where && { where }) })
}

export class WorldScopes {
  readonly problems: string[] = []
  readonly #random: Random
  readonly #time: VirtualTime
  readonly #trace: (line: string) => void
  readonly #tabs = new Map<string, Tab>()
  /** What was asked for on each line, and how its rows are printed. */
  readonly #asked = new WeakMap<object, Map<string, Set<Part>>>()
  readonly #columns = new WeakMap<object, Readonly<Record<string, readonly string[]>>>()
  /** All that a browser ever asked for. */
  readonly #ever = new Map<string, Set<Part>>()
  /** Rows that may be named to a browser. */
  readonly #seen = new Set<string>()
  /** As each row was when it was last there: the log may say late that it is gone. */
  readonly #last = new Map<string, Map<string, Row>>()
  /** It hears of every row. */
  #complete = false
  #over = false

  constructor(random: Random, time: VirtualTime, trace: (line: string) => void) {
    this.#random = random
    this.#time = time
    this.#trace = trace
  }

  /** So that the log keeps what the parts go by. */
  entities(definitions: readonly EntityDefinition[]): EntityDefinition[] {
    return definitions.map(definition => {
      const { name, strategy, grain, resolver, access } = definition
      const by = routing[name]
      if (by === undefined || access !== undefined) return definition
      return defineEntity({
        name,
        by,
        ...(strategy === undefined ? {} : { strategy }),
        ...(grain === undefined ? {} : { grain }),
        ...(resolver === undefined ? {} : { resolver }),
      })
    })
  }

  // ---- the tabs

  /** What a page makes its client with. */
  names(tab: string, definitions: readonly EntityDefinition[]): Named {
    const good = Object.entries(parts).flatMap(([entity, all]): [string, Part][] =>
      this.#random.chance(0.3)
        ? [[entity, this.#random.pick(all.filter(part => part.window === undefined))]]
        : [],
    )
    const known = this.#tabs.get(tab)
    if (known === undefined) this.#tabs.set(tab, { name: tab, good, open: [] })
    else known.good = good
    const named = (name: string): boolean =>
      parts[name] === undefined || good.some(([entity]) => entity === name)
    return {
      entities: definitions.filter(({ name }) => named(name)),
      where: Object.fromEntries(good.map(([entity, { where }]) => [entity, where])),
    }
  }

  /** The page runs: it asks for what it had, or for something else. */
  loaded(name: string, client: Client): void {
    const tab = this.#tabs.get(name)
    if (tab === undefined) return
    const before = tab.open
    tab.open = []
    for (const entity of Object.keys(parts)) {
      const had = this.#random.chance(0.7) ? before.filter(one => one.entity === entity) : []
      for (const { part } of had) this.#open(client, tab, entity, part)
      // it wants to write to all of them
      if (had.length === 0) this.#open(client, tab, entity, this.#random.pick(parts[entity] ?? []))
    }
  }

  #open(client: Client, tab: Tab, entity: string, part: Part): void {
    this.#trace(`${tab.name} opens ${entity} ${textOf(part)}`)
    const { where, window } = part
    const first = window && { orderBy: [[window.by, window.way]] as const, limit: window.limit }
    const scope = client.scope(entity, { ...(where && { where }), ...first })
    const opened: Opened = { entity, part, scope, answered: false }
    const answered = (): void => void (opened.answered = true)
    scope.ready.then(answered, answered)
    tab.open.push(opened)
  }

  /** From now on tabs change their minds. */
  begin(browsers: readonly Browser[]): void {
    const random = this.#random
    this.#time.after(random.between(300, 5_000), () => {
      if (this.#over) return
      const browser = random.pick(browsers)
      const tab = this.#tabs.get(browser.name)
      if (tab !== undefined && browser.running && !browser.frozen) {
        if (random.chance(0.5)) {
          const entity = random.pick(Object.keys(parts))
          this.#open(browser.client, tab, entity, random.pick(parts[entity] ?? []))
        } else if (tab.open.length > 0) {
          const [one] = tab.open.splice(random.int(tab.open.length), 1)
          this.#trace(`${browser.name} closes ${one?.entity} ${one === undefined ? '' : textOf(one.part)}`)
          one?.scope.close()
        }
      }
      this.begin(browsers)
    })
  }

  end(): void {
    this.#over = true
  }

  #wanted(tab: string, table: string): Part[] {
    const { good = [], open = [] } = this.#tabs.get(tab) ?? {}
    return [...good, ...open.map(({ entity, part }) => [entity, part] as const)].flatMap(([entity, part]) =>
      entity === table ? [part] : [],
    )
  }

  /** Whether any tab of a browser wants the row as it is. */
  isWanted(profile: string, table: string, row: Row): boolean {
    if (parts[table] === undefined) return true
    const tabs = [...this.#tabs.keys()].filter(name => name.startsWith(`${profile}.`))
    return tabs.some(tab => this.#wanted(tab, table).some(part => part.holds(row)))
  }

  // ---- the oracles

  /** What a tab has to show of what is here for it; or what is wrong with that. */
  expected(
    tab: string,
    table: string,
    hash: string,
    rows: ReadonlyMap<string, Row>,
  ): ReadonlyMap<string, Row> | string {
    if (parts[table] === undefined) return rows
    const wanted = this.#wanted(tab, table)
    if (wanted.length === 0) return new Map<string, Row>()
    const here = heldOf(table, wanted, hash, rows)
    return typeof here === 'string' ? here : matching(here, wanted)
  }

  unanswered(): string[] {
    return Array.from(this.#tabs).flatMap(([name, { open }]) =>
      open.flatMap(({ answered, entity, part }) =>
        answered ? [] : [`[V10] ${name} waits for ${entity} ${textOf(part)} for ever`],
      ),
    )
  }

  /** What a disk has to hold that says which rows it does, and holds all that its tabs want. */
  standing(
    tabs: readonly string[],
    table: string,
    held: Held | undefined,
    rows: ReadonlyMap<string, Row>,
  ): ReadonlyMap<string, Row> | string {
    if (parts[table] === undefined) return rows
    const wanted = tabs.flatMap(tab => this.#wanted(tab, table))
    if (held?.cursor == null) return wanted.length === 0 ? new Map<string, Row>() : 'nothing is held'
    return heldOf(table, wanted, held.shape?.hash ?? '', rows)
  }

  // ---- the wires

  up(profile: string, text: string, line: object): void {
    if (text.startsWith('{"type":"subscribe"')) this.#subscribed(profile, text, line)
    for (const [entity, key] of idsNamedIn(text)) this.#seen.add(`${profile} ${entity} ${key}`)
  }

  #subscribed(profile: string, text: string, line: object): void {
    const { scopes } = JSON.parse(text) as { scopes: { entity: string; where?: Row }[] } // reason: our own client printed it
    for (const { entity, where } of scopes) {
      const said = partsIn(entity, where === undefined ? '' : JSON.stringify(where))
      if (said === null) continue
      const asked = this.#asked.get(line) ?? new Map<string, Set<Part>>()
      this.#asked.set(line, asked)
      asked.set(entity, new Set([...(asked.get(entity) ?? []), ...said]))
      const ever = this.#ever.get(`${profile} ${entity}`) ?? new Set()
      this.#ever.set(`${profile} ${entity}`, ever)
      for (const part of said) ever.add(part)
      for (const key of matching(this.#last.get(entity) ?? new Map<string, Row>(), said).keys())
        this.#seen.add(`${profile} ${entity} ${key}`)
    }
  }

  down(profile: string, text: string, line: object): void {
    if (text.startsWith('{"type":"welcome"')) {
      const { entities } = JSON.parse(text) as { entities: Record<string, { columns: [string, string][] }> } // reason: our own server printed it
      const names = Object.entries(entities).map(([name, { columns }]) => [
        name,
        columns.map(([column]) => column),
      ])
      // reason: they are names, and lists of names
      this.#columns.set(line, Object.fromEntries(names) as Record<string, string[]>)
    }
    if (!text.startsWith('{"type":"batch"')) return
    // reason: our own server printed it
    const { sets } = JSON.parse(text) as {
      sets: {
        entity: string
        rows: Json[][]
        patches?: [string, number, Row][]
        gone?: [string, number][]
      }[]
    }
    for (const { entity, rows, patches = [], gone = [] } of sets) {
      if (parts[entity] === undefined) continue
      const asked = [...(this.#asked.get(line)?.get(entity) ?? [])]
      const names = this.#columns.get(line)?.[entity] ?? []
      for (const [, ...values] of rows) {
        const row: Row = Object.fromEntries(names.map((name, i) => [name, values[i] ?? null]))
        this.#seen.add(`${profile} ${entity} ${idOfValue(row['id'])}`)
        if (!asked.some(part => part.holds(row)))
          this.problems.push(
            `[V9] ${profile} was sent ${entity} ${JSON.stringify(row)} without asking for it`,
          )
      }
      for (const [key] of [...patches, ...gone])
        if (this.#complete && !this.#seen.has(`${profile} ${entity} ${key}`))
          this.problems.push(`[V9] ${profile} was told of ${entity} ${key}, which they never wanted`)
    }
  }

  /** A row was stored. */
  wrote(table: string, key: string, row: Row): void {
    this.#complete = true
    this.#note(table, key, row)
  }

  #note(table: string, key: string, row: Row): void {
    const last = this.#last.get(table) ?? new Map<string, Row>()
    this.#last.set(table, last.set(key, row))
    for (const [who, ever] of this.#ever)
      if (who.endsWith(` ${table}`) && [...ever].some(part => part.holds(row)))
        this.#seen.add(`${who} ${key}`)
  }

  /** A backup was put in place: rows are there without being written. */
  survey(database: WorldDatabase): void {
    for (const table of Object.keys(parts))
      for (const [key, row] of database.rows(table)) this.#note(table, key, row)
  }
}

function matching(rows: ReadonlyMap<string, Row>, any: readonly Part[]): Map<string, Row> {
  return new Map([...rows].filter(([, row]) => any.some(part => part.holds(row))))
}

/** The rows for which a shape stands, if all that is wanted is among them. */
function heldOf(
  table: string,
  wanted: readonly Part[],
  hash: string,
  rows: ReadonlyMap<string, Row>,
): ReadonlyMap<string, Row> | string {
  const [, text = ''] = /^[^|]*\|?(.*)$/.exec(hash) ?? []
  const said = partsIn(table, text)
  if (said === null) return `it is said to be ${text}`
  const missing = said.includes(whole) ? undefined : wanted.find(part => !said.includes(part))
  if (missing !== undefined) return `${textOf(missing)} is not in ${text}`
  return new Map(said.flatMap(part => [...firstOf(part, matching(rows, [part]))]))
}

function firstOf({ window }: Part, rows: ReadonlyMap<string, Row>): ReadonlyMap<string, Row> {
  if (window === undefined) return rows
  const { by, way, limit } = window
  const keyed = [...rows].map(([key, row]) => ({
    key,
    row,
    rank: rank(row[by] ?? null),
    id: rank(row['id'] ?? null),
  }))
  const sign = way === 'asc' ? 1 : -1
  keyed.sort((a, b) => sign * compare(a.rank, b.rank) || compare(a.id, b.id))
  return new Map(keyed.slice(0, limit).map(({ key, row }) => [key, row]))
}

/** NULL, then numbers, then texts. */
function rank(value: Json): readonly [kind: number, value: number | string] {
  if (typeof value === 'number') return [1, value]
  return typeof value === 'string' ? [2, value] : [0, 0]
}

function compare(a: ReturnType<typeof rank>, b: ReturnType<typeof rank>): number {
  if (a[0] !== b[0]) return a[0] - b[0]
  return a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0
}

/** The parts that a filter on the wire was made of; null: it is none of a world's. */
function partsIn(table: string, text: string): Part[] | null {
  const known = new Map((parts[table] ?? []).map(part => [textOf(part), part]))
  const one = known.get(text)
  if (one !== undefined) return [one]
  const { or } = (text === '' ? {} : JSON.parse(text)) as { or?: Row[] } // reason: our own client printed it
  const several = or?.map(filter => known.get(JSON.stringify(filter)))
  return several === undefined || several.includes(undefined) ? null : (several as Part[]) // reason: none is undefined
}
