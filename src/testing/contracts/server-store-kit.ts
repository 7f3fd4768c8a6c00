// What the contract suite of the server store works with: the tables, the application's side of the database as ordinary
// statements, and short words for pushing mutations and reading the log.
import { SyncError, decide, defineEntity, readingOfMs, stampOf } from '../../core/index.ts'
import type {
  Base,
  Cursor,
  ErrorCode,
  Json,
  Mutation,
  MutationResult,
  Row,
  Rules,
  Write,
} from '../../core/index.ts'
import type { Accepted, ChangedRow, Decide, Prepared, Sender, ServerStore } from '../../server/index.ts'
import type { TableSpec } from '../memory-table.ts'

// ---- the tables

/** As the memory database declares them. `contractDdl` says the same in SQL. */
export const contractTables: readonly TableSpec[] = [
  { name: 'lists', key: ['id'], columns: { id: { kind: 'integer' }, name: { kind: 'text', notNull: true } } },
  {
    name: 'tasks',
    key: ['id'],
    columns: {
      id: { kind: 'integer' },
      list_id: { kind: 'integer' },
      title: { kind: 'text', notNull: true, default: '' },
      done: { kind: 'boolean' },
      slug: { kind: 'text' },
      rank: { kind: 'real' },
    },
    unique: [['slug']],
    references: [{ column: 'list_id', table: 'lists', onDelete: 'cascade' }],
  },
  {
    name: 'notes',
    key: ['id'],
    columns: {
      id: { kind: 'text', notNull: true },
      title: { kind: 'text' },
      body: { kind: 'text' },
      revision: { kind: 'integer', notNull: true, default: 0 },
      data: { kind: 'json' },
      picture: { kind: 'blob' },
      big: { kind: 'integer' },
    },
    trigger: (row, old) =>
      old === null || row['title'] === old['title'] ? row : { ...row, revision: Number(old['revision']) + 1 },
  },
  {
    name: 'pairs',
    key: ['a', 'b'],
    columns: {
      a: { kind: 'text', notNull: true },
      b: { kind: 'integer', notNull: true },
      v: { kind: 'text' },
    },
  },
]

export const contractDdl: readonly string[] = [
  'CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL)',
  `CREATE TABLE tasks (id INTEGER PRIMARY KEY, list_id INTEGER REFERENCES lists(id) ON DELETE CASCADE,
     title TEXT NOT NULL DEFAULT '', done BOOLEAN, slug TEXT UNIQUE, rank REAL)`,
  `CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, title TEXT, body TEXT, revision INTEGER NOT NULL DEFAULT 0,
     data JSON, picture BLOB, big INTEGER)`,
  `CREATE TRIGGER notes_revision AFTER UPDATE OF title ON notes WHEN OLD.title IS NOT NEW.title
     BEGIN UPDATE notes SET revision = OLD.revision + 1 WHERE id = NEW.id; END`,
  'CREATE TABLE pairs (a TEXT NOT NULL, b INTEGER NOT NULL, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID',
]

export const contractEntities = ['lists', 'tasks', 'notes', 'pairs'].map(name => defineEntity({ name }))

// ---- the application's side

export interface Statements {
  insert(table: string, row: Row): Promise<void>
  update(table: string, id: string, patch: Row): Promise<void>
  remove(table: string, id: string): Promise<void>
  /** INSERT OR REPLACE. */
  replace(table: string, row: Row): Promise<void>
  /** An update of the primary key. */
  move(table: string, id: string, newId: string): Promise<void>
}

export interface AppTransaction extends Statements {
  /** The result rolls back to here. */
  savepoint(): Promise<() => Promise<void>>
  commit(): Promise<void>
  rollback(): Promise<void>
}

/** The application: each statement by itself is a transaction. */
export interface App extends Statements {
  begin(): Promise<AppTransaction>
}

export interface StoreUnderTest {
  readonly app: App
  /** A new store over the database, not opened. */
  store(): ServerStore
  /** Copies the database; the result puts the copy back in place of all that happened since. */
  backup(): Promise<() => Promise<void>>
  /** Whether others can write while a transaction is open. */
  readonly concurrent: boolean
  dispose(): Promise<void>
}

/** The statements over anything that executes SQL text. */
export function sqlApp(exec: (sql: string) => void, tables: readonly TableSpec[] = contractTables): App {
  const keyColumns = (table: string): readonly string[] =>
    tables.find(spec => spec.name === table)?.key ?? ['id']
  const keyValues = (table: string, id: string): Json[] => {
    if (keyColumns(table).length === 1) return [id]
    return JSON.parse(id) as Json[] // reason: the suite itself made the id
  }
  const where = (table: string, id: string): string =>
    keyColumns(table)
      .map((column, i) => `${column} = ${sqlLiteral(keyValues(table, id)[i] ?? null)}`)
      .join(' AND ')
  const insert = (verb: string) => async (table: string, row: Row) => {
    exec(
      `${verb} INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).map(sqlLiteral).join(', ')})`,
    )
  }
  const set = (row: Row): string =>
    Object.entries(row)
      .map(([column, value]) => `${column} = ${sqlLiteral(value)}`)
      .join(', ')
  const statements: Statements = {
    insert: insert('INSERT'),
    replace: insert('INSERT OR REPLACE'),
    update: async (table, id, patch) => exec(`UPDATE ${table} SET ${set(patch)} WHERE ${where(table, id)}`),
    remove: async (table, id) => exec(`DELETE FROM ${table} WHERE ${where(table, id)}`),
    move: async (table, id, newId) => {
      const moved = Object.fromEntries(
        keyColumns(table).map((column, i) => [column, keyValues(table, newId)[i] ?? null]),
      )
      exec(`UPDATE ${table} SET ${set(moved)} WHERE ${where(table, id)}`)
    },
  }
  return {
    ...statements,
    async begin() {
      exec('BEGIN IMMEDIATE')
      return {
        ...statements,
        savepoint: async () => {
          exec('SAVEPOINT here')
          return async () => exec('ROLLBACK TO here')
        },
        commit: async () => exec('COMMIT'),
        rollback: async () => exec('ROLLBACK'),
      }
    },
  }
}

function sqlLiteral(value: Json): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
  const blob = '$blob' in value ? value['$blob'] : undefined
  if (typeof blob === 'string') return `x'${Buffer.from(blob, 'base64').toString('hex')}'`
  return sqlLiteral(JSON.stringify(value))
}

// ---- the suite's words

export interface Expectation {
  toBe(expected: unknown): void
  toEqual(expected: unknown): void
  toBeGreaterThan(expected: number): void
  toBeLessThanOrEqual(expected: number): void
}

export type Expect = (actual: unknown, message?: string) => Expectation

export interface Kit {
  readonly expect: Expect
  readonly under: StoreUnderTest
  readonly app: App
  /** Opened over all tables. */
  readonly store: ServerStore
  /** Another one over the same database, opened and closed with the test. */
  another(): Promise<ServerStore>
}

export type ContractTests = Readonly<Record<string, (kit: Kit) => Promise<void>>>

export const alice: Sender = { user: 'u1', client: 'alice', lead: 1 }
export const bob: Sender = { user: 'u2', client: 'bob', lead: 1 }
/** Plain REST: no client, no clock. */
export const anybody: Sender = { user: 'u3', client: null, lead: null }

export function rulesOf(rules: Partial<Rules> = {}): Rules {
  return { grain: 'entity', strategy: 'last-write-wins', resolver: false, ...rules }
}

export function deciding(rules: Partial<Rules> = {}): Decide {
  const whole = rulesOf(rules)
  return (_entity, standing, attempt, horizon) =>
    decide(standing, attempt, whole, { nowMs: Date.now(), maxDriftMs: 60_000, node: 'server', horizon })
}

/** A stamp so many milliseconds from now. */
export function stampIn(ms: number, node = 'node'): string {
  return stampOf(readingOfMs(Date.now() + ms), node)
}

export function create(entity: string, id: string, data: Row, upsert = false): Write {
  return { entity, id, action: 'create', data, ...(upsert ? { upsert } : {}) }
}

export function update(entity: string, id: string, data: Row): Write {
  return { entity, id, action: 'update', data }
}

export function remove(entity: string, id: string): Write {
  return { entity, id, action: 'delete' }
}

export interface MutationParts {
  readonly base?: number | null
  readonly stamp?: string | null
  readonly resolution?: { readonly seq: number; readonly changes: Row }
}

export function mutation(
  n: number | null,
  writes: Write | readonly Write[],
  parts: MutationParts = {},
): Prepared {
  const list = 'entity' in writes ? [writes] : writes
  const base: Base | null = parts.base == null ? null : { epoch: '', seq: parts.base }
  const made: Mutation = { n, base, stamp: parts.stamp ?? null, writes: list }
  return {
    mutation: made,
    attempts: list.map(write => ({
      entity: write.entity,
      id: write.id,
      values: write.data ?? {},
      attempt: {
        action: write.action,
        columns: Object.keys(write.data ?? {}),
        upsert: write.upsert === true,
        base: parts.base ?? null,
        stamp: parts.stamp ?? null,
        client: null,
        ...(parts.resolution === undefined ? {} : { resolution: parts.resolution }),
      },
    })),
  }
}

/** Pushes as `sender`; every outcome as the store gave it. */
export function offer(
  store: ServerStore,
  sender: Sender,
  mutations: readonly Prepared[],
  decideBy: Decide = deciding(),
  acked = 0,
): Promise<Accepted[]> {
  const sent = mutations.map(({ attempts, ...rest }) => ({
    ...rest,
    attempts: attempts.map(write => ({ ...write, attempt: { ...write.attempt, client: sender.client } })),
  }))
  return store.accept(sender, sent, decideBy, acked)
}

/** Pushes one that is settled at once; its result. */
export async function push(
  store: ServerStore,
  sender: Sender,
  prepared: Prepared,
  decideBy: Decide = deciding(),
): Promise<MutationResult> {
  const [outcome] = await offer(store, sender, [prepared], decideBy)
  if (outcome?.kind !== 'result') throw new Error(`no result but ${JSON.stringify(outcome)}`)
  return outcome.result
}

/** Every change after a place, page by page; each row in the form of an object. */
export async function changesAfter(
  store: ServerStore,
  entities: readonly string[],
  after = 0,
  limit = 1000,
): Promise<ChangedRow[]> {
  const all: ChangedRow[] = []
  for (let at = after, more = true; more;) {
    const page = await store.changes({ entities, after: at, limit, form: 'object' })
    all.push(...page.rows)
    if (page.more && page.to.seq <= at) throw new Error(`a page that goes nowhere: ${at} to ${page.to.seq}`)
    at = page.to.seq
    more = page.more
  }
  return all
}

export function rowOf(changed: { readonly json: string | null } | undefined): Row | null | undefined {
  if (changed === undefined) return undefined
  return changed.json === null ? null : (JSON.parse(changed.json) as Row) // reason: the store printed a row
}

/** Whole snapshot, page by page, as objects. */
export async function snapshotOf(
  store: ServerStore,
  entity: string,
  limit = 1000,
): Promise<{ id: string; seq: number; row: Row; head: Cursor }[]> {
  const all: { id: string; seq: number; row: Row; head: Cursor }[] = []
  for (let after: string | null = null; ;) {
    const page = await store.snapshot({ entity, after, limit, form: 'object' })
    for (const { id, seq, json } of page.rows)
      all.push({ id, seq, row: rowOf({ json }) ?? {}, head: page.head })
    after = page.next
    if (after === null) return all
  }
}

/** Waits until what was committed before has its place in the log: a store may sequence late. */
export async function sequenced(store: ServerStore): Promise<Cursor> {
  // a write of the suite's own marks the place: whatever was committed before it is at or below it
  const marker = await push(
    store,
    anybody,
    mutation(null, create('pairs', '["marker",0]', { v: String(Math.random()) }, true)),
  )
  for (let round = 0; round < 200; round++) {
    const head = await store.head()
    if (head.seq >= marker.version) return { epoch: head.epoch, seq: head.seq, check: head.check }
    await pause(5)
  }
  throw new Error('the log did not reach what was committed')
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}

/** The code of the SyncError that it is rejected with; null where it is not. */
export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await promise
    return null
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}
