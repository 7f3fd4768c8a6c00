// The database of a world, whichever it is: stores over it, the application beside them, its truth, its backups.
import type { Row } from '../core/index.ts'
import type { ServerEnv, ServerStore } from '../server/index.ts'
import type { App } from './contracts/server-store.ts'
import { memoryApp } from './memory-app.ts'
import { MemoryDatabase } from './memory-database.ts'
import { memoryStore } from './memory-store.ts'
import type { Random } from './random.ts'
import type { Clock, VirtualTime } from './time.ts'
import { markColumns, worldTables } from './world-schema.ts'

export interface WorldDatabase {
  readonly app: App
  /** A store of one server process. */
  store(env: ServerEnv): ServerStore
  rows(table: string): ReadonlyMap<string, Row>
  /** How often each mark was written, by `table mark`, in the branch that lives. */
  history(): ReadonlyMap<string, number>
  /** The result puts the copy back; no server may run meanwhile. */
  backup(): () => void
  dispose(): void
}

/** What makes a database for a world. */
export type MakeDatabase = (world: {
  readonly time: VirtualTime
  readonly random: Random
  readonly clock: Clock
  /** Of which tables: see `worldTables`. */
  readonly wide: boolean
  /** Hears of every row that was stored, where the database can tell. */
  readonly wrote?: ((table: string, id: string, row: Row) => void) | undefined
}) => WorldDatabase

export const memoryWorld: MakeDatabase = ({ time, random, clock, wide, wrote }) => {
  let log: string[] = []
  const database = new MemoryDatabase({
    tables: worldTables(wide),
    env: { now: () => clock.now(), random: () => random.next(), after: (ms, run) => time.after(ms, run) },
    sequenceAfter: () => random.between(0, 40),
    onCommit: changes => {
      for (const { table, id, old, row } of changes) {
        if (row !== null) wrote?.(table, id, row)
        for (const column of markColumns[table] ?? []) {
          const value = row?.[column]
          if (typeof value === 'string' && value !== old?.[column]) log.push(`${table} ${value}`)
        }
      }
    },
  })
  return {
    app: memoryApp(database),
    store: () => memoryStore({ database, pollMs: 1000, loseWake: () => random.chance(0.2) }),
    rows: table => database.rows(table),
    history: () => counted(log),
    backup: () => {
      const copy = database.backup()
      const then = [...log]
      return () => {
        database.restore(copy)
        log = [...then]
      }
    },
    dispose: () => {},
  }
}

export function counted(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}
