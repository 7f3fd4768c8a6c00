// `syncline serve`: one engine, one HTTP server, until a signal comes.
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { DatabaseSync } from 'node:sqlite'
import { createSyncEngine, defineEntity, SyncError } from '../server/index.ts'
import type { Logger, SyncEngine } from '../server/index.ts'
import type { SqliteTables } from '../server/sqlite/index.ts'
import type { ServeCommand } from './arguments.ts'

export async function serve(db: DatabaseSync, command: ServeCommand, tables: SqliteTables): Promise<void> {
  const entities =
    command.entities?.map(({ name, table }) => (table === null ? name : defineEntity({ name, table }))) ??
    everyTable(tables)
  const log = consoleLogger(command.debug)
  const engine = await createSyncEngine({
    db,
    entities,
    retentionDays: command.retentionDays,
    logger: log,
    ...(command.public ? { access: 'public' as const } : {}),
  })
  try {
    const server = serverOf(engine)
    // before it listens, so that no request finds it without its sockets
    engine.attach(server)
    const stopped = signalled()
    console.log(`listening on ${await listen(server, command)}`)
    await stopped
    const closed = new Promise<void>(resolve => void server.close(() => resolve()))
    await engine.close()
    server.closeAllConnections()
    await closed
  } finally {
    await engine.close()
  }
}

function everyTable({ tables, leftOut }: SqliteTables): readonly string[] {
  for (const { table, code, message } of leftOut) console.error(`left out ${table}: ${code}: ${message}`)
  if (tables.length > 0) return tables
  throw new SyncError('UNKNOWN_TABLE', 'the file has no table that can be synced')
}

function serverOf(engine: SyncEngine): Server {
  const routes = engine.routes()
  return createServer((request, response) =>
    routes(request, response, () => {
      response.writeHead(404, { 'content-type': 'application/json; charset=utf-8' })
      response.end('{"error":{"code":"NOT_FOUND","message":"everything here is below /api/sync"}}')
    }),
  )
}

/** Resolves to the address; rejects when it cannot be listened on, or must not be. */
function listen(server: Server, { port, host }: ServeCommand): Promise<string> {
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      if (typeof address !== 'object' || address === null) return // refused: `error` says why
      resolve(
        `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
      )
    })
  })
}

function signalled(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
}

function consoleLogger(debug: boolean): Logger {
  const print = (level: string, details: object, message: string): void => {
    const error = 'err' in details && details.err instanceof Error ? ` (${details.err.message})` : ''
    const rest = Object.keys(details).length === 0 || error !== '' ? '' : ` ${JSON.stringify(details)}`
    console.error(`${level} ${message}${error}${rest}`)
  }
  const silent = (): void => {}
  return {
    debug: debug ? (details, message) => print('debug', details, message) : silent,
    info: debug ? (details, message) => print('info', details, message) : silent,
    warn: (details, message) => print('warning', details, message),
    error: (details, message) => print('error', details, message),
  }
}
