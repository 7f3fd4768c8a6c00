// What somebody would show who only listens: the rows that changes were told of, and the lists of queries. They are what
// the client itself shows.
import { idOfValue, sameJson } from '../core/index.ts'
import type { Row } from '../core/index.ts'
import type { Change, Client, Query } from '../client/index.ts'
import type { Random } from './random.ts'
import type { Browser } from './world-browser.ts'
import { worldNames } from './world-schema.ts'

export const idIn = (row: Row): string => idOfValue(row['id']) ?? ''

interface Mirror {
  readonly client: Client
  readonly rows: Map<string, Map<string, Row>>
  readonly queries: readonly Watched[]
  /** What was there when the page began was told of by nobody. */
  ready: boolean
}

interface Watched {
  readonly what: string
  readonly query: Query<Row>
  readonly expected: (all: readonly Row[]) => readonly Row[]
}

export class Mirrors {
  readonly #random: Random
  readonly #mirrors = new Map<string, Mirror>()

  constructor(random: Random) {
    this.#random = random
  }

  /** The page began. */
  loaded(name: string, client: Client): void {
    const rows = new Map<string, Map<string, Row>>()
    // a small script has none
    const queries = 'query' in client ? this.#queries(client) : []
    const mirror: Mirror = { client, rows, queries, ready: false }
    this.#mirrors.set(name, mirror)
    client.on('ready', () => {
      for (const entity of worldNames)
        rows.set(entity, new Map(client.getAll(entity).map(row => [idIn(row), row])))
      mirror.ready = true
    })
  }

  #queries(client: Client): Watched[] {
    const limit = this.#random.between(1, 4)
    const by = (column: string) => (a: Row, b: Row) => Number(a[column]) - Number(b[column])
    const first = client.query('items', {
      where: { not: { amount: null } },
      orderBy: [
        ['amount', 'asc'],
        ['id', 'asc'],
      ],
      limit,
    })
    const some = client.query('docs', { where: row => row['body'] !== null })
    const real = (row: Row): boolean => typeof row['id'] === 'number'
    return [
      {
        what: `the first ${limit} items by amount`,
        query: first,
        expected: all =>
          all
            .filter(row => row['amount'] !== null && real(row))
            .sort((a, b) => by('amount')(a, b) || by('id')(a, b))
            .slice(0, limit),
      },
      {
        what: 'docs with a body',
        query: some,
        expected: all => all.filter(row => row['body'] !== null),
      },
    ]
  }

  changed(name: string, { entity, ids, replaced }: Change, client: Client): void {
    const mirror = this.#mirrors.get(name)
    const rows = mirror?.rows.get(entity)
    if (mirror?.client !== client || rows === undefined) return
    for (const { from } of replaced ?? []) rows.delete(from)
    for (const id of ids) {
      const row = client.get(entity, id)
      if (row === undefined) rows.delete(id)
      else rows.set(id, row)
    }
  }

  differences(browsers: readonly Browser[]): string[] {
    return browsers.flatMap(browser => {
      const mirror = this.#mirrors.get(browser.name)
      if (!browser.running || mirror?.client !== browser.client || !mirror.ready) return []
      return [...told(browser, mirror), ...listed(browser, mirror)]
    })
  }
}

function told({ name, client }: Browser, { rows }: Mirror): string[] {
  return Array.from(rows).flatMap(([entity, known]) => {
    const all = client.getAll(entity)
    const wrong = all.find(row => !sameJson(known.get(idIn(row)) ?? null, row))
    if (wrong === undefined && known.size === all.length) return []
    const ids = new Set(all.map(row => idIn(row)))
    const what = JSON.stringify(wrong ?? [...known].filter(([id]) => !ids.has(id)))
    return [`[W8] ${name} was not told of ${entity} as it is: ${what}`]
  })
}

function listed({ name, client }: Browser, { queries }: Mirror): string[] {
  return queries.flatMap(({ what, query, expected }) => {
    const [entity] = what.startsWith('docs') ? ['docs'] : ['items']
    const rows = expected(client.getAll(entity))
    const same = rows.length === query.rows.length && rows.every(row => query.rows.includes(row))
    return same ? [] : [`[R10] ${name} lists ${what} otherwise than they are`]
  })
}
