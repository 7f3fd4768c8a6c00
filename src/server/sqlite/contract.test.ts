// The contract suite of the server store over SQLite: both drivers, a file and memory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { contractDdl, serverStoreContract, sqlApp } from '../../testing/index.ts'
import type { StoreUnderTest } from '../../testing/index.ts'
import { nodeEnv } from '../env.ts'
import { sqliteStore } from './index.ts'
import type { SqliteHandle } from './index.ts'

const drivers = {
  'node:sqlite': (path: string): SqliteHandle => new DatabaseSync(path),
  'better-sqlite3': (path: string): SqliteHandle => new Database(path),
}

interface Named {
  all(): { name: string; sql: string }[]
}

function tablesOf(handle: SqliteHandle): string[] {
  const statement = handle.prepare(
    "SELECT name FROM main.sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'",
  ) as Named
  return statement.all().map(({ name }) => name)
}

/** Puts the copied content back without the triggers noticing, as restoring a file does. */
function restore(handle: SqliteHandle): void {
  const triggers = (
    handle.prepare("SELECT name, sql FROM main.sqlite_master WHERE type='trigger'") as Named
  ).all()
  handle.exec('PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE')
  for (const { name } of triggers) handle.exec(`DROP TRIGGER "${name}"`)
  for (const table of tablesOf(handle))
    handle.exec(`DELETE FROM main."${table}"; INSERT INTO main."${table}" SELECT * FROM copy."${table}"`)
  for (const { sql } of triggers) handle.exec(sql)
  handle.exec('COMMIT; PRAGMA foreign_keys = ON')
}

/** A shared connection cannot be read while its transaction is open, so this cannot be asked of a database in memory. */
const inMemoryOnly = '[C2] what is rolled back is never seen'

function testUnless(unfit: string): (title: string, run: () => Promise<void>) => void {
  return (title, run) => {
    if (!title.endsWith(unfit)) test(title, run)
  }
}

async function make(open: (path: string) => SqliteHandle, inMemory: boolean): Promise<StoreUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), 'syncline-'))
  const path = inMemory ? ':memory:' : join(directory, 'app.db')
  const handle = open(path)
  for (const statement of contractDdl) handle.exec(statement)
  return {
    app: sqlApp(sql => void handle.exec(sql)),
    store: () => sqliteStore(handle, { env: nodeEnv() }),
    async backup() {
      handle.exec("ATTACH ':memory:' AS copy")
      for (const table of tablesOf(handle))
        handle.exec(`CREATE TABLE copy."${table}" AS SELECT * FROM main."${table}"`)
      return async () => restore(handle)
    },
    // SQLite has one writer at a time
    concurrent: false,
    async dispose() {
      handle.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

for (const [name, open] of Object.entries(drivers)) {
  serverStoreContract(`${name}, file`, () => make(open, false), { test, expect })
  serverStoreContract(`${name}, memory`, () => make(open, true), {
    test: testUnless(inMemoryOnly),
    expect,
  })
}
