// What has to be true of every replica and every disk when a world is quiet: they are what the tables are.
import type { EntityDefinition, Row } from '../core/index.ts'
import { sameJson } from '../core/index.ts'
import { conflictsEntity, nodeEnv } from '../server/index.ts'
import type { ServerEnv, ServerStore } from '../server/index.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Browser } from './world-browser.ts'
import type { WorldDatabase } from './world-database.ts'
import { worldNames } from './world-schema.ts'
import type { WorldScopes } from './world-scopes.ts'
import type { WorldViews } from './world-views.ts'

export interface Truth {
  readonly database: WorldDatabase
  readonly views: WorldViews | null
  readonly scopes: WorldScopes | null
  readonly habits: { differences(): string[] } | null
  readonly bare: { differences(database: WorldDatabase): string[] }
}

/** Where replicas and queues are not yet what they have to become. */
export function differences(browsers: readonly Browser[], world: Truth): string[] {
  const found = [
    ...(world.scopes?.unanswered() ?? []),
    ...(world.habits?.differences() ?? []),
    ...world.bare.differences(world.database),
  ]
  for (const { name, user, client, visits } of browsers) {
    if (visits) found.push(`${name} has no home`)
    const { state, pending } = client.status()
    if (state !== 'ready') found.push(`${name} is ${state}`)
    if (pending > 0)
      found.push(`[Q4] ${name} still has ${pending} pending: ${JSON.stringify(client.pending()[0])}`)
    for (const table of worldNames) {
      const seen = truth(user, table, world)
      const hash = client.shape(table)?.hash ?? ''
      const expected = world.scopes?.expected(name, table, hash, seen) ?? seen
      const difference = typeof expected === 'string' ? expected : unequal(client.getAll(table), expected)
      if (difference !== null) found.push(`[S3] ${name} shows ${table} otherwise than it is: ${difference}`)
      if (found.length > 8) return found
    }
  }
  return found
}

/** A page that begins now from what is durable shows the same. */
export async function unequalDisk(
  browser: Browser,
  browsers: readonly Browser[],
  world: Truth,
): Promise<string[]> {
  if (browser.diskFailed) return []
  const { entities, pending } = await browser.durable()
  const waiting = pending.filter(record => record.dead === undefined)
  const found = waiting.map(record => `[R7] the disk of ${browser.name} still holds mutation ${record.n}`)
  for (const table of worldNames) {
    const held = entities.get(table)
    const rows = (held?.rows ?? []).map(({ row }) => row)
    const seen = truth(browser.user, table, world)
    const tabs = browsers.filter(({ user, diskFailed }) => user === browser.user && !diskFailed)
    const expected =
      world.scopes?.standing(
        tabs.map(({ name }) => name),
        table,
        held,
        seen,
      ) ?? seen
    const difference = typeof expected === 'string' ? expected : unequal(rows, expected)
    if (difference !== null)
      found.push(`[R7] the disk of ${browser.name} holds ${table} otherwise than it is: ${difference}`)
  }
  return found
}

function truth(user: string, table: string, { database, views }: Truth): ReadonlyMap<string, Row> {
  const rows = database.rows(table)
  return views === null ? rows : views.expected(user, table, rows)
}

/** The first difference between what is shown and what is. */
export function unequal(shown: readonly Row[], rows: ReadonlyMap<string, Row>): string | null {
  const left = new Map(rows)
  for (const row of shown) {
    const id = textOf(row)
    const real = left.get(id)
    if (real === undefined) return `${JSON.stringify(row)} is not there`
    if (!sameJson(row, real)) return `${JSON.stringify(row)} is ${JSON.stringify(real)}`
    left.delete(id)
  }
  const [missing] = left.values()
  return missing === undefined ? null : `${JSON.stringify(missing)} is missing`
}

function textOf(row: Row): string {
  const id = row['id']
  return typeof id === 'string' ? id : JSON.stringify(id)
}

/** A store of nobody's, to look at the log through. */
export async function openInspector(
  database: WorldDatabase,
  time: VirtualTime,
  random: Random,
  entities: readonly EntityDefinition[],
): Promise<ServerStore> {
  const env: ServerEnv = {
    ...nodeEnv(),
    now: () => time.now(),
    random: () => random.next(),
    after: () => () => {},
    secret: bytes => random.hex(bytes * 2),
  }
  const store = database.store(env)
  // as an engine opens it: a list without it would take the capture of the records away from those who write them
  await store.open([...entities, conflictsEntity(entities, () => time.now())])
  return store
}
