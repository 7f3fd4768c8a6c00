// Bringing tables, triggers and the catalog to what the entity list and the schema ask for: at open, and whenever
// somebody changed the schema (rule C8).
import { SyncError } from '../../core/index.ts'
import type { EntityDefinition } from '../../core/index.ts'
import type { Logger } from '../env.ts'
import { describe } from './describe.ts'
import type { Table } from './describe.ts'
import type { Connection } from './driver.ts'
import { makeEntity } from './entity.ts'
import type { Catalog } from './entity.ts'
import { installTable, removeOthers, schemaVersion } from './schema.ts'
import { meta } from './schema.ts'
import { othersAttached } from './uninstall.ts'

export interface Installing {
  readonly db: Connection
  readonly catalog: Catalog
  readonly definitions: readonly EntityDefinition[]
  readonly engine: string
  readonly log: Logger
  readonly nowMs: number
}

/** All or nothing: what is wrong with one table is thrown. Inside an immediate transaction. */
export function installAll({ db, catalog, definitions, engine, log, nowMs }: Installing): void {
  const tables = new Map<string, string>()
  const ents: number[] = []
  for (const definition of definitions) {
    const table = describe(db, definition)
    const other = tables.get(table.name)
    if (other !== undefined)
      throw new SyncError(
        'INVALID_CONFIG',
        `entities '${other}' and '${definition.name}' name the same table '${table.name}'`,
      )
    tables.set(table.name, definition.name)
    const { registered, healed } = installTable(db, definition, table)
    if (healed)
      log.info(
        { entity: definition.name },
        'syncline: the table changed while nobody watched; its subscribers are sent it again',
      )
    ents.push(registered.ent)
    catalog.set(makeEntity(definition, table, registered))
  }
  // another engine may sync tables that this one does not
  if (!othersAttached(db, engine, nowMs)) removeOthers(db, ents)
}

/** What a schema change did: entities whose cursors are void, and those whose table cannot be used at the moment. */
export interface Renewed {
  readonly changed: readonly string[]
  readonly broken: readonly SyncError[]
}

/** Inside an immediate transaction. */
export function renewAll({ db, catalog, definitions }: Installing): Renewed {
  const changed: string[] = []
  const broken: SyncError[] = []
  if (Number(meta(db, 'version')) > schemaVersion) {
    throw new SyncError(
      'INVALID_CONFIG',
      'a newer release renewed the log of this database; restart this process with the same release',
    )
  }
  for (const definition of definitions) {
    const table = tryDescribe(db, definition)
    if (table instanceof SyncError) {
      if (!catalog.broken.has(definition.name)) {
        catalog.breakOff(definition.name, table)
        broken.push(table)
        changed.push(definition.name)
      }
      continue
    }
    const before = catalog.byName.get(definition.name)
    const { registered, healed } = installTable(db, definition, table)
    const entity = makeEntity(definition, table, registered)
    const same = before !== undefined && before.info.shape.hash === entity.info.shape.hash
    // also when another engine healed it first: then its generation is another
    if (!same || healed) changed.push(definition.name)
    catalog.set(entity)
  }
  return { changed, broken }
}

function tryDescribe(db: Connection, definition: EntityDefinition): Table | SyncError {
  try {
    return describe(db, definition)
  } catch (error) {
    if (error instanceof SyncError) return error
    throw error
  }
}
