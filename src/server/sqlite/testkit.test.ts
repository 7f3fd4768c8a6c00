// What the tests of the SQLite store share: databases of both drivers, short words for mutations, a replica.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { decide, defineEntity } from '../../core/index.ts'
import type { Action, EntityDefinition, Json, MutationResult, Row, Rules } from '../../core/index.ts'
import { nodeEnv } from '../env.ts'
import type { ServerEnv } from '../env.ts'
import type { Accepted, ChangedRow, Decide, Prepared, PreparedWrite, Sender, ServerStore } from '../store.ts'
import { isSqliteHandle } from './index.ts'
import { sqliteStore } from './store.ts'

/** The application's own handle, in the words that both drivers share. */
export interface App {
  exec(sql: string): void
  prepare(sql: string): {
    all(...params: unknown[]): Row[]
    get(...params: unknown[]): Row | undefined
    run(...params: unknown[]): unknown
  }
  close(): void
}

export type DriverName = 'node:sqlite' | 'better-sqlite3'
export const drivers: readonly DriverName[] = ['node:sqlite', 'better-sqlite3']

export function openHandle(driver: DriverName, path: string): App {
  const handle: unknown = driver === 'node:sqlite' ? new DatabaseSync(path) : new Database(path)
  return handle as App // reason: the methods exist; the drivers' own types are stricter about bound values
}

export interface Place {
  readonly path: string
  dispose(): void
}

export function freshPlace(inMemory = false): Place {
  if (inMemory) return { path: ':memory:', dispose() {} }
  const directory = mkdtempSync(join(tmpdir(), 'syncline-'))
  return {
    path: join(directory, 'app.db'),
    dispose: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export function entity(name: string, options: Partial<EntityDefinition> = {}): EntityDefinition {
  return { ...defineEntity({ name }), ...options }
}

export async function openStore(
  app: App,
  definitions: readonly (string | EntityDefinition)[],
  env: ServerEnv = nodeEnv(),
): Promise<ServerStore> {
  const store = sqliteStore(app, { env })
  await store.open(definitions.map(item => (typeof item === 'string' ? entity(item) : item)))
  return store
}

// ---- mutations

export const alice: Sender = { user: 'u', client: 'alice', lead: 1 }
export const bob: Sender = { user: 'u', client: 'bob', lead: 1 }

export function deciding(rules: Partial<Rules> = {}, nowMs = Date.now()): Decide {
  const whole: Rules = { grain: 'field', strategy: 'last-write-wins', resolver: false, ...rules }
  return (_, standing, attempt, horizon) =>
    decide(standing, attempt, whole, { nowMs, maxDriftMs: 60_000, node: 'server', horizon })
}

export interface Wish {
  readonly entity: string
  readonly id: string
  readonly action: Action
  readonly values?: Record<string, Json>
  readonly upsert?: boolean
  readonly resolution?: { readonly seq: number; readonly changes: Row }
}

export interface Setting {
  /** Null: none. Default: everything is seen. */
  readonly base?: number | null
  readonly stamp?: string | null
  readonly client?: string | null
  readonly mutationId?: string
}

export function mutation(n: number | null, wishes: Wish | readonly Wish[], setting: Setting = {}): Prepared {
  const { base = Number.MAX_SAFE_INTEGER, stamp = null, client = 'alice', mutationId } = setting
  const list: readonly Wish[] = 'entity' in wishes ? [wishes] : wishes
  const attempts = list.map(
    ({ entity, id, action, values = {}, upsert = false, resolution }): PreparedWrite => ({
      entity,
      id,
      values,
      attempt: { action, columns: Object.keys(values), upsert, base, stamp, client, resolution },
    }),
  )
  return {
    mutation: {
      n,
      base: base === null ? null : { epoch: '', seq: base },
      stamp,
      writes: [],
      ...(mutationId === undefined ? {} : { mutationId }),
    },
    attempts,
  }
}

export function resultsOf(accepted: readonly Accepted[]): MutationResult[] {
  return accepted.map(item => {
    if (item.kind !== 'result') throw new Error(`not decided: ${item.kind}`)
    return item.result
  })
}

export async function push(
  store: ServerStore,
  sender: Sender,
  ...mutations: Prepared[]
): Promise<MutationResult[]> {
  return resultsOf(await store.accept(sender, mutations, deciding(), 0))
}

// ---- a replica

export class Replica {
  readonly rows = new Map<string, { seq: number; json: string }>()
  seq = 0

  get listing(): string[] {
    return [...this.rows].map(([key, { seq, json }]) => `${key} ${seq} ${json}`).toSorted()
  }

  /** Everything that changed since, in pages. Returns what came. */
  async follow(store: ServerStore, entities: readonly string[], limit = 1_000): Promise<ChangedRow[]> {
    const came: ChangedRow[] = []
    for (;;) {
      const page = await store.changes({ entities, after: this.seq, limit, form: 'values' })
      let last = this.seq
      for (const row of page.rows) {
        if (row.seq < last) throw new Error(`seq ${row.seq} after ${last}`)
        if (row.seq > page.to.seq) throw new Error(`seq ${row.seq} beyond ${page.to.seq}`)
        last = row.seq
        const key = `${row.entity}/${row.id}`
        if (row.json === null) this.rows.delete(key)
        else this.rows.set(key, { seq: row.seq, json: row.json })
      }
      came.push(...page.rows)
      if (page.more && page.to.seq <= this.seq) throw new Error(`page stands still at ${this.seq}`)
      this.seq = page.to.seq
      if (!page.more) return came
    }
  }

  async load(store: ServerStore, entity: string, limit: number): Promise<void> {
    for (let after: string | null = null, first = true; first || after !== null; first = false) {
      const page = await store.snapshot({ entity, after, limit, form: 'values' })
      for (const { id, seq, json } of page.rows) this.rows.set(`${entity}/${id}`, { seq, json })
      after = page.next
    }
  }
}

test.each(drivers)('a handle of %s is known by its shape', driver => {
  const handle = openHandle(driver, ':memory:')
  expect(isSqliteHandle(handle)).toBe(true)
  handle.close()
})
