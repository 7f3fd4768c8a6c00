// Our own tables, and the register of captured tables. `open` and every schema change pass here, in one immediate
// transaction, and leave the database as the entity list asks for it; a second engine that does the same changes nothing.
import { SyncError } from '../../core/index.ts'
import type { EntityDefinition } from '../../core/index.ts'
import { hashOf } from '../hash.ts'
import { prefix, triggersOf } from './capture.ts'
import type { Trigger } from './capture.ts'
import { idCodec } from './codec.ts'
import { routingOf } from './describe.ts'
import type { Table } from './describe.ts'
import { integer, text } from './driver.ts'
import type { Connection } from './driver.ts'
import { literal, name } from './sql.ts'

/** Raised with every change of our tables or triggers; `migrations` lead from one to the next. */
export const schemaVersion = 3

// The tail has no index, no AUTOINCREMENT and no constraint that could fail: it is written inside the application's
// own statements. Everything else is written by the engine only.
const tables = `
CREATE TABLE IF NOT EXISTS _syncline_meta(key TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _syncline_entities(ent INTEGER PRIMARY KEY, tbl TEXT NOT NULL UNIQUE, shape TEXT, uniques TEXT, generation INTEGER NOT NULL DEFAULT 0, active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS _syncline_tail(seq INTEGER PRIMARY KEY, clock INTEGER, ent INTEGER, id, op TEXT, old TEXT, nonce INTEGER, stamp TEXT, client TEXT, mutation, own INTEGER, tmp TEXT);
CREATE TABLE IF NOT EXISTS _syncline_rows(ent INTEGER NOT NULL, id NOT NULL, seq INTEGER NOT NULL, reading INTEGER NOT NULL, whole TEXT, created INTEGER NOT NULL, cells TEXT, tmp TEXT, client TEXT, mutation, PRIMARY KEY(ent, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _syncline_rows_seq ON _syncline_rows(ent, seq);
CREATE TABLE IF NOT EXISTS _syncline_gone(ent INTEGER NOT NULL, id NOT NULL, seq INTEGER NOT NULL, reading INTEGER NOT NULL, stamp TEXT NOT NULL, old TEXT, client TEXT, mutation, PRIMARY KEY(ent, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _syncline_gone_seq ON _syncline_gone(ent, seq);
CREATE TABLE IF NOT EXISTS _syncline_commits(user TEXT NOT NULL, client TEXT NOT NULL, last INTEGER NOT NULL, lead INTEGER NOT NULL, first INTEGER NOT NULL, results TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(user, client, last)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _syncline_named(user TEXT NOT NULL, client TEXT NOT NULL, mutation TEXT NOT NULL, result TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(user, client, mutation)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _syncline_ids(user TEXT NOT NULL, client TEXT NOT NULL, ent INTEGER NOT NULL, tmp TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(user, client, tmp, ent)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _syncline_conflicts(id TEXT PRIMARY KEY NOT NULL, entity TEXT NOT NULL, row_id TEXT NOT NULL, field TEXT, base JSON, mine JSON, theirs JSON, mine_at INTEGER, theirs_at INTEGER, writer TEXT NOT NULL, other TEXT, outcome TEXT NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL, resolved_at INTEGER, resolved_by TEXT, client TEXT, place INTEGER) WITHOUT ROWID;
`

/** From the version of the index plus one to the next. */
const migrations: readonly string[] = [
  // a client and its results were two tables, and so two pages of every commit
  `INSERT INTO _syncline_commits(user, client, last, lead, first, results, at)
     SELECT r.user, r.client, r.last, coalesce(c.lead, 0), r.first, r.results, r.at
     FROM _syncline_results AS r LEFT JOIN _syncline_clients AS c ON c.user = r.user AND c.client = r.client;
   INSERT OR IGNORE INTO _syncline_commits(user, client, last, lead, first, results, at)
     SELECT user, client, last, lead, last, '[]', at FROM _syncline_clients;
   DROP TABLE _syncline_results;
   DROP TABLE _syncline_clients;`,
  // the table of conflicts came
  '',
]

/** A table as it is registered; `generation` counts how often its subscribers had to be healed. */
export interface Registered {
  readonly ent: number
  readonly generation: number
}

export interface Installed {
  readonly registered: Registered
  /** What was captured before is not what is there now: subscribers need everything again. */
  readonly healed: boolean
}

/** Makes our tables, or brings older ones forward. Inside a transaction. */
export function installTables(db: Connection, secret: () => string, nowMs: number): void {
  const known = db.value("SELECT 1 FROM sqlite_master WHERE type='table' AND name='_syncline_meta'") === 1
  const version = known ? integer(db.value("SELECT value FROM _syncline_meta WHERE key='version'")) : 0
  if (version > schemaVersion) {
    throw new SyncError(
      'INVALID_CONFIG',
      `this database was opened by a newer release (log layout ${version}, this one knows ${schemaVersion}); upgrade this process`,
    )
  }
  if (version === schemaVersion) return
  db.exec(tables)
  if (version > 0) for (const migration of migrations.slice(version - 1)) db.exec(migration)
  setMeta(db, 'version', schemaVersion)
  if (version > 0) return
  setMeta(db, 'epoch', secret())
  setMeta(db, 'folded', 0)
  setMeta(db, 'horizon', 0)
  setMeta(db, 'installed', nowMs)
}

export function isInstalled(db: Connection): boolean {
  return db.value("SELECT 1 FROM sqlite_master WHERE type='table' AND name='_syncline_meta'") === 1
}

/** For what reads our tables without opening an engine, which would bring them forward. Throws INVALID_CONFIG. */
export function checkLayout(db: Connection): void {
  const version = Number(meta(db, 'version'))
  if (version === schemaVersion) return
  throw new SyncError(
    'INVALID_CONFIG',
    version > schemaVersion
      ? `this database was opened by a newer release (log layout ${version}, this one knows ${schemaVersion}); use that one`
      : `this database was last opened by an older release (log layout ${version}, this one uses ${schemaVersion}); open an engine of this release on it first`,
  )
}

export function meta(db: Connection, key: string): string {
  return text(db.value('SELECT value FROM _syncline_meta WHERE key=?', key))
}

export function setMeta(db: Connection, key: string, value: string | number): void {
  db.run('INSERT OR REPLACE INTO _syncline_meta(key, value) VALUES(?,?)', key, value)
}

/** Registers a table and makes its triggers what they should be. Inside a transaction. */
export function installTable(db: Connection, definition: EntityDefinition, table: Table): Installed {
  const shape = shapeText(table)
  const routing = routingOf(definition, table)
  const watched = [table.uniques, table.key.map(column => column.name)]
  // old values that were not logged meanwhile cannot tell who has to forget a row
  const uniques = JSON.stringify(routing.length === 0 ? watched : [...watched, routing])
  const known = db.get(
    'SELECT ent, shape, uniques, generation, active FROM _syncline_entities WHERE tbl=?',
    table.name,
  )
  if (known === undefined) {
    db.run('INSERT INTO _syncline_entities(tbl, shape, uniques) VALUES(?,?,?)', table.name, shape, uniques)
    const ent = integer(db.value('SELECT ent FROM _syncline_entities WHERE tbl=?', table.name))
    installTriggers(db, table, triggersOf({ ent, table, id: idCodec(table.key, table.mayBeNull), routing }))
    return { registered: { ent, generation: 0 }, healed: false }
  }
  const ent = integer(known[0])
  const missing = installTriggers(
    db,
    table,
    triggersOf({ ent, table, id: idCodec(table.key, table.mayBeNull), routing }),
  )
  // a column or a unique key that was not watched may have changed rows unseen
  const healed = missing || known[1] !== shape || known[2] !== uniques || known[4] !== 1
  const generation = integer(known[3]) + (healed ? 1 : 0)
  if (!healed) return { registered: { ent, generation }, healed }
  const update = 'UPDATE _syncline_entities SET shape=?, uniques=?, generation=?, active=1 WHERE ent=?'
  db.run(update, shape, uniques, generation, ent)
  forgetUnseen(db, ent, table)
  return { registered: { ent, generation }, healed }
}

/** Records that writes which passed unseen have made wrong: rows that are there are not gone, and the other way round. */
function forgetUnseen(db: Connection, ent: number, table: Table): void {
  const id = idCodec(table.key, table.mayBeNull)
  const row = (held: string): string =>
    `(SELECT 1 FROM ${name(table.name)} AS t WHERE ${id.matches('t', held)})`
  for (const [ours, wrong] of [
    ['_syncline_gone', 'EXISTS'],
    ['_syncline_rows', 'NOT EXISTS'],
  ]) {
    // a composite key that was a single one before left ids that are no JSON
    const readable = table.key.length > 1 ? `NOT json_valid(${ours}.id) OR ` : ''
    db.exec(`DELETE FROM ${ours} WHERE ent=${ent} AND (${readable}${wrong} ${row(`${ours}.id`)})`)
  }
}

/**
 * True: one was missing, so that writes may have passed unseen. Ours have to be the last created, because SQLite runs
 * those first: before a user's trigger that fails a statement but keeps its row.
 */
function installTriggers(db: Connection, table: Table, wanted: readonly Trigger[]): boolean {
  const rows = db.all(
    "SELECT name, sql, rowid FROM sqlite_master WHERE type='trigger' AND tbl_name=? COLLATE NOCASE ORDER BY rowid",
    table.name,
  )
  const present = new Map(
    rows.filter(([trigger]) => isOurs(trigger)).map(([trigger, sql]) => [text(trigger), text(sql)]),
  )
  const firstOurs = rows.findIndex(([trigger]) => isOurs(trigger))
  const behind = firstOurs !== -1 && rows.slice(firstOurs).some(([trigger]) => !isOurs(trigger))
  const same =
    present.size === wanted.length && wanted.every(trigger => present.get(trigger.name) === trigger.sql)
  if (same && !behind) return false
  const missing =
    present.size > 0 || isRegistered(db, table) ? wanted.some(trigger => !present.has(trigger.name)) : false
  for (const trigger of present.keys()) db.exec(`DROP TRIGGER ${name(trigger)}`)
  for (const trigger of wanted) db.exec(trigger.sql)
  return missing
}

function isRegistered(db: Connection, table: Table): boolean {
  return db.value('SELECT 1 FROM _syncline_entities WHERE tbl=? AND active=1', table.name) === 1
}

function isOurs(trigger: unknown): boolean {
  return String(trigger).startsWith(prefix)
}

/** Tables that are not asked for any more: no triggers, no lines; asked for again, their subscribers start afresh. */
export function removeOthers(db: Connection, ents: readonly number[]): void {
  const keep = ents.join(',')
  for (const [ent] of db.all(`SELECT ent FROM _syncline_entities WHERE active=1 AND ent NOT IN (${keep})`)) {
    const like = `${prefix}${integer(ent)}_%`.replaceAll('_', '\\_')
    for (const [trigger] of db.all(
      `SELECT name FROM sqlite_master WHERE type='trigger' AND name LIKE ${literal(like)} ESCAPE '\\'`,
    )) {
      db.exec(`DROP TRIGGER ${name(text(trigger))}`)
    }
    db.run('DELETE FROM _syncline_rows WHERE ent=?', integer(ent))
    db.run('DELETE FROM _syncline_gone WHERE ent=?', integer(ent))
    db.run('UPDATE _syncline_entities SET active=0 WHERE ent=?', integer(ent))
  }
}

function shapeText(table: Table): string {
  return JSON.stringify({
    columns: table.columns.map(column => [column.name, column.kind]),
    key: table.key.map(column => column.name),
  })
}

export function shapeHash(table: Table, generation: number): string {
  return hashOf(`${generation}:${shapeText(table)}`)
}
