// A user's application as the tests need it: a database file, an engine, an HTTP server on a free port.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Database from 'better-sqlite3'
import { createSyncEngine } from 'syncline'
import type { SyncEngine, SyncOptions } from 'syncline'

export type Handle = DatabaseSync | Database.Database
export type Driver = 'node:sqlite' | 'better-sqlite3'
export const drivers: readonly Driver[] = ['node:sqlite', 'better-sqlite3']

export const usersAndPosts = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
  CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT);
  CREATE TABLE comments (id INTEGER PRIMARY KEY, body TEXT);
`

const undo: (() => unknown)[] = []

/** Runs when the test is over; call `cleanUp` from afterEach. */
export function later(run: () => unknown): void {
  undo.push(run)
}

export async function cleanUp(): Promise<void> {
  for (let run = undo.pop(); run !== undefined; run = undo.pop()) await run()
}

export function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'syncline-test-'))
  later(() => rmSync(made, { recursive: true, force: true }))
  return made
}

export function openDatabase(file: string, driver: Driver = 'node:sqlite'): Handle {
  const db = driver === 'node:sqlite' ? new DatabaseSync(file) : new Database(file)
  later(() => {
    try {
      db.close()
    } catch {
      // the test closed it
    }
  })
  return db
}

export interface App {
  readonly file: string
  readonly db: Handle
  readonly engine: SyncEngine
  readonly server: Server
  readonly port: number
  readonly url: string
  /** What the engine logged, by level. */
  readonly logged: { level: string; message: string; details: object }[]
  stop(): Promise<void>
}

export interface AppOptions extends Omit<SyncOptions, 'db' | 'entities'> {
  readonly entities?: SyncOptions['entities']
  readonly schema?: string
  readonly driver?: Driver
  readonly file?: string
  readonly port?: number
}

export async function startApp(options: AppOptions = {}): Promise<App> {
  const { schema = usersAndPosts, driver, file = path.join(folder(), 'app.db'), port = 0, ...rest } = options
  const db = openDatabase(file, driver)
  if (schema !== '') db.exec(schema)
  const logged: App['logged'] = []
  const note =
    (level: string) =>
    (details: object, message: string): void =>
      void logged.push({ level, message, details })
  const logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const entities = options.entities ?? ['users', 'posts', 'comments']
  const engine = await createSyncEngine({ logger, ...rest, db, entities })
  const server = createServer(engine.routes())
  engine.attach(server)
  const listening = await listen(server, port)
  const stop = async (): Promise<void> => {
    await engine.close()
    await closeServer(server)
  }
  later(stop)
  return { file, db, engine, server, port: listening, url: `http://127.0.0.1:${listening}`, logged, stop }
}

export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
  return (server.address() as AddressInfo).port
}

export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>(resolve => void server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}

/** Waits for a condition, not for a time. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  ms = 25_000,
): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + ms; ;) {
    const found = await look()
    if (found !== false && found !== null && found !== undefined && found !== 0) return found
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 3))
  }
}

/** All rows of a query, as plain objects, with either driver. */
export function rowsOf(db: Handle, sql: string): Record<string, unknown>[] {
  const rows: unknown[] = db.prepare(sql).all()
  return rows.map(row => ({ ...(row as Record<string, unknown>) }))
}
