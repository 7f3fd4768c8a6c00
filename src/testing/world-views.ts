// Users of a world who do not see everything, and whose rights change while they are away or looking. What each may see is
// said twice, as an access rule and as an ordinary predicate, so that the oracles do not ask the judge about himself.
import { defineEntity } from '../core/index.ts'
import type { AccessUser, EntityDefinition, Filter, Json, Row } from '../core/index.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { WorldDatabase } from './world-database.ts'
import { worldTables } from './world-schema.ts'

interface Sight {
  readonly rule: Filter<Row> | boolean
  readonly holds: (row: Row) => boolean
  /** Default: all. */
  readonly columns?: readonly string[]
}

/** What of a world rights are changed in. */
interface Stage {
  readonly time: VirtualTime
  readonly network: Network
  readonly database: WorldDatabase
  readonly browsers: readonly { readonly user: string }[]
}

const everything: Sight = { rule: true, holds: () => true }
/** What is written in a column that holds a text. */
export const text = (row: Row, column: string): string => JSON.stringify(row[column]).slice(1, -1)

/** The rows that a client names in a frame of its own, as entity and id. */
export function idsNamedIn(frame: string): (readonly [entity: string, id: string])[] {
  if (!frame.startsWith('{"type":"reconcile"') && !frame.startsWith('{"type":"mutate"')) return []
  interface Naming {
    readonly entity?: string
    readonly held?: readonly [string, number][]
    readonly mutations?: readonly { readonly writes: readonly { entity: string; id: string }[] }[]
  }
  const naming = JSON.parse(frame) as Naming // reason: our own client printed it
  const { entity = '', held = [], mutations = [] } = naming
  const written = mutations.flatMap(({ writes }) => writes)
  return [
    ...held.map(([key]) => [entity, key] as const),
    ...written.map(write => [write.entity, write.id] as const),
  ]
}

/** By the level of a user. */
const sights: Readonly<Record<string, readonly [Sight, ...Sight[]]>> = {
  docs: [
    everything,
    { rule: { title: { gte: 'sql' } }, holds: row => row['title'] !== null && text(row, 'title') >= 'sql' },
    {
      rule: { or: [{ body: null }, { not: { title: { gt: 'sql', lt: 't' } } }] },
      holds: row =>
        row['body'] === null ||
        (row['title'] !== null && !(text(row, 'title') > 'sql' && text(row, 'title') < 't')),
    },
    { rule: false, holds: () => false },
  ],
  items: [
    { rule: true, holds: () => true, columns: ['title', 'body', 'amount', 'list_id', 'filling'] },
    {
      rule: { or: [{ amount: null }, { amount: { lt: 40 } }] },
      holds: row => row['amount'] === null || Number(row['amount']) < 40,
      columns: ['title', 'amount', 'list_id', 'revision', 'filling'],
    },
    {
      rule: { amount: { in: [1, 2, 3, 5, 8, 13, 21, 34, 55] } },
      holds: row => [1, 2, 3, 5, 8, 13, 21, 34, 55].includes(Number(row['amount'] ?? -1)),
    },
    { rule: { revision: 0 }, holds: row => row['revision'] === 0 },
  ],
}

const levels = 4

export class WorldViews {
  readonly random: Random
  readonly #levels = new Map<string, number>()
  /** All that a user has had: who comes back to an old one goes on from where they were. */
  readonly #had = new Map<string, Set<number>>()
  /** Rows that users were ever allowed to see, by user, entity and id. */
  readonly #seen = new Set<string>()
  readonly problems: string[] = []
  /** It hears of every row. */
  #complete = false
  #over = false
  /** All columns of a table. */
  readonly #columns: ReadonlyMap<string, readonly string[]>

  constructor(random: Random, wide: boolean) {
    this.random = random
    this.#columns = new Map(worldTables(wide).map(({ name, columns }) => [name, Object.keys(columns)]))
  }

  /** As the server knows them. */
  user(id: string): AccessUser {
    return { id, level: this.levelOf(id) }
  }

  levelOf(id: string): number {
    const known = this.#levels.get(id)
    if (known !== undefined) return known
    return this.change(id)
  }

  change(id: string): number {
    const level = this.random.int(levels)
    this.#levels.set(id, level)
    this.#had.set(id, (this.#had.get(id) ?? new Set()).add(level))
    return level
  }

  entities(definitions: readonly EntityDefinition[]): EntityDefinition[] {
    return definitions.map(definition => {
      const named = sights[definition.name]
      if (named === undefined) return definition
      const { name, strategy, grain, resolver } = definition
      const at = (user: AccessUser): Sight => named[Number(user['level'])] ?? named[0]
      return defineEntity({
        name,
        ...(strategy === undefined ? {} : { strategy }),
        ...(grain === undefined ? {} : { grain }),
        ...(resolver === undefined ? {} : { resolver }),
        ...(name === 'items' ? { by: ['amount', 'revision'] } : {}),
        access: {
          read: user => at(user).rule,
          columns: user => this.#shownOf(name, at(user)),
        },
      })
    })
  }

  /** From now on the engine asks again who somebody is, finds other rights, and has them connect anew. */
  begin(world: Stage, trace: (line: string) => void): void {
    world.time.after(this.random.between(1000, 15_000), () => {
      // what is on the disks is looked at as soon as all is quiet
      if (this.#over) return
      const { user } = this.random.pick(world.browsers)
      trace(`${user} may now see what level ${this.change(user)} may`)
      this.survey(world.database)
      for (const line of world.network.lines) if (line.owner.startsWith(`${user}.`)) line.cut()
      this.begin(world, trace)
    })
  }

  end(): void {
    this.#over = true
  }

  /** The rows of a table as a user has to have them. */
  expected(id: string, table: string, rows: ReadonlyMap<string, Row>): ReadonlyMap<string, Row> {
    const sight = sights[table]?.[this.levelOf(id)]
    if (sight === undefined) return rows
    const shown = [...rows].filter(([, row]) => sight.holds(row))
    return new Map(shown.map(([key, row]) => [key, projected(row, sight.columns)]))
  }

  /** A frame to a user, printed while they had these rights. */
  down({ id, level }: AccessUser, text: string): void {
    if (!text.startsWith('{"type":"batch"')) return
    // reason: our own server printed it
    const { sets } = JSON.parse(text) as {
      sets: {
        entity: string
        rows: unknown[][]
        patches?: [string, number, Row][]
        gone?: [string, number][]
      }[]
    }
    for (const { entity, rows, patches, gone } of sets) {
      const sight = sights[entity]?.[Number(level)]
      if (sight === undefined) continue
      for (const [, ...values] of rows) {
        this.#seen.add(`${id} ${entity} ${String(values[0])}`)
        this.#shown(id, entity, sight, values)
      }
      for (const [key, , patch] of patches ?? []) this.#patched(id, entity, sight, [key, patch])
      for (const [key] of gone ?? []) this.#told(id, entity, key)
    }
  }

  /** As they are listed in frames. */
  #shownOf(entity: string, { columns }: Sight): string[] {
    const all = this.#columns.get(entity) ?? []
    return all.filter(name => name === 'id' || columns === undefined || columns.includes(name))
  }

  /** An id that the client named itself is no secret to it. */
  up({ id }: AccessUser, text: string): void {
    for (const [entity, key] of idsNamedIn(text)) this.#seen.add(`${id} ${entity} ${key}`)
  }

  /** A row was stored: whoever can see it may be told its id. */
  wrote(table: string, key: string, row: Row): void {
    this.#complete = true
    this.#note(table, key, row)
  }

  /** Rights changed, or a backup was put in place: rows are there without being written. */
  survey(database: WorldDatabase): void {
    for (const table of Object.keys(sights))
      for (const [key, row] of database.rows(table)) this.#note(table, key, row)
  }

  #note(table: string, key: string, row: Row): void {
    for (const [user, levels] of this.#had)
      if ([...levels].some(level => sights[table]?.[level]?.holds(row)))
        this.#seen.add(`${user} ${table} ${key}`)
  }

  #shown(id: string, entity: string, sight: Sight, values: readonly unknown[]): void {
    const names = this.#shownOf(entity, sight)
    // reason: what a frame holds is JSON
    const row = Object.fromEntries(names.map((name, i) => [name, values[i] as Json]))
    if (values.length !== names.length || !sight.holds(row))
      this.problems.push(`[V1] ${id} was shown ${entity} ${JSON.stringify(values)}`)
  }

  #patched(id: string, entity: string, sight: Sight, [key, patch]: readonly [string, Row]): void {
    const names = this.#shownOf(entity, sight)
    const hidden = Object.keys(patch).filter(name => !names.includes(name))
    if (hidden.length > 0) this.problems.push(`[V1] ${id} was told of ${hidden.join()} of ${entity} ${key}`)
    if (this.#complete && !this.#seen.has(`${id} ${entity} ${key}`))
      this.problems.push(`[V3] ${id} was sent a patch of ${entity} ${key}, which they never saw`)
  }

  #told(id: string, entity: string, key: string): void {
    if (this.#complete && !this.#seen.has(`${id} ${entity} ${key}`))
      this.problems.push(`[V2] ${id} was told that ${entity} ${key} is gone, which they never saw`)
  }
}

function projected(row: Row, columns: readonly string[] | undefined): Row {
  if (columns === undefined) return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => name === 'id' || columns.includes(name)))
}
