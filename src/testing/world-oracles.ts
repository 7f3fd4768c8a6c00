// What has to be true of every replica and every disk when a world is quiet: they are what the tables are.
import type { EntityDefinition, Row } from '../core/index.ts'
import { sameJson } from '../core/index.ts'
import { nodeEnv } from '../server/index.ts'
import type { ServerEnv, ServerStore } from '../server/index.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Browser } from './world-browser.ts'
import type { WorldDatabase } from './world-database.ts'
import { worldNames } from './world-schema.ts'
import type { WorldViews } from './world-views.ts'

/** Where replicas and queues are not yet what they have to become. */
export function differences(
  browsers: readonly Browser[],
  database: WorldDatabase,
  views: WorldViews | null,
  bare: { differences(database: WorldDatabase): string[] },
): string[] {
  const found = bare.differences(database)
  for (const { name, user, client } of browsers) {
    const { state, pending } = client.status()
    if (state !== 'ready') found.push(`${name} is ${state}`)
    if (pending > 0)
      found.push(`[Q4] ${name} still has ${pending} pending: ${JSON.stringify(client.pending()[0])}`)
    for (const table of worldNames) {
      const difference = unequal(client.getAll(table), truth(user, table, database, views))
      if (difference !== null) found.push(`[S3] ${name} shows ${table} otherwise than it is: ${difference}`)
      if (found.length > 8) return found
    }
  }
  return found
}

/** A page that begins now from what is durable shows the same. */
export async function unequalDisk(
  browser: Browser,
  database: WorldDatabase,
  views: WorldViews | null,
): Promise<string[]> {
  if (browser.diskFailed) return []
  const { entities, pending } = await browser.durable()
  const waiting = pending.filter(record => record.dead === undefined)
  const found = waiting.map(record => `[R7] the disk of ${browser.name} still holds mutation ${record.n}`)
  for (const table of worldNames) {
    const rows = (entities.get(table)?.rows ?? []).map(({ row }) => row)
    const difference = unequal(rows, truth(browser.user, table, database, views))
    if (difference !== null)
      found.push(`[R7] the disk of ${browser.name} holds ${table} otherwise than it is: ${difference}`)
  }
  return found
}

function truth(
  user: string,
  table: string,
  database: WorldDatabase,
  views: WorldViews | null,
): ReadonlyMap<string, Row> {
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
  await store.open(entities)
  return store
}
