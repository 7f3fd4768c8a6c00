// A world over the real SQLite store, in memory and on one connection: every store and program shares it, and everything
// that the store does by itself happens in virtual time.
import { DatabaseSync } from 'node:sqlite'
import { idOfValue } from '../core/index.ts'
import type { Row } from '../core/index.ts'
import { sqliteStore } from '../server/index.ts'
import type { ServerEnv } from '../server/index.ts'
import { sqlApp } from './contracts/server-store.ts'
import { counted } from './world-database.ts'
import type { MakeDatabase } from './world-database.ts'
import { worldDdl, worldTables } from './world-schema.ts'

/** Looks at the log so many times less often than by default: each look is an event of the world. */
const slowness = 10

export const sqliteWorld: MakeDatabase = ({ clock, wide }) => {
  const handle = new DatabaseSync(':memory:')
  // triggers read the clock of the database's machine, which is ours
  handle.function('julianday', { varargs: true }, () => clock.now() / 86_400_000 + 2_440_587.5)
  for (const statement of worldDdl(wide)) handle.exec(statement)
  return {
    app: sqlApp(sql => handle.exec(sql), worldTables(wide)),
    store: env => sqliteStore(handle, { env: slowed(env) }),
    rows: table => rowsOf(handle, table),
    history: () =>
      counted(
        handle
          .prepare('SELECT value FROM history')
          .all()
          .map(row => String(row['value'])),
      ),
    backup: () => copy(handle),
    dispose: () => handle.close(),
  }
}

function slowed(env: ServerEnv): ServerEnv {
  return { ...env, after: (ms, run) => env.after(ms <= 100 ? ms * slowness : ms, run) }
}

function rowsOf(handle: DatabaseSync, table: string): Map<string, Row> {
  const rows = handle.prepare(`SELECT * FROM ${table}`).all() as Row[] // reason: the world's tables hold texts and small integers
  return new Map(rows.map(row => [idOfValue(row['id']) ?? '', row]))
}

/** Content only: the schema of a world does not change. */
function copy(handle: DatabaseSync): () => void {
  const names = (type: string): { name: string; sql: string }[] =>
    handle
      .prepare(`SELECT name, sql FROM main.sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%'`)
      .all(type) as { name: string; sql: string }[] // reason: these are its columns
  handle.exec("ATTACH ':memory:' AS copy")
  for (const { name } of names('table'))
    handle.exec(`CREATE TABLE copy."${name}" AS SELECT * FROM main."${name}"`)
  return () => {
    const triggers = names('trigger')
    handle.exec('PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE')
    for (const { name } of triggers) handle.exec(`DROP TRIGGER "${name}"`)
    for (const { name } of names('table'))
      handle.exec(`DELETE FROM main."${name}"; INSERT INTO main."${name}" SELECT * FROM copy."${name}"`)
    for (const { sql } of triggers) handle.exec(sql)
    handle.exec('COMMIT; PRAGMA foreign_keys = ON')
  }
}
