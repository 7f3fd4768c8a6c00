// Real processes: servers that are started, killed and started again at the same place, and a foreign SQL writer.
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'

const run = promisify(execFile)
const here = import.meta.dirname

export class Server {
  port = 0
  readonly folder = mkdtempSync(path.join(tmpdir(), 'syncline-'))
  readonly #command: (port: number, folder: string) => { args: string[]; env?: Record<string, string> }
  #child?: ChildProcess

  constructor(command: (port: number, folder: string) => { args: string[]; env?: Record<string, string> }) {
    this.#command = command
  }

  /** Resolves when it listens; from the second time on at the port of the first. */
  async start(): Promise<this> {
    const { args, env } = this.#command(this.port, this.folder)
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    this.port = await new Promise<number>((resolve, reject) => {
      let text = ''
      child.stdout.on('data', chunk => {
        text += String(chunk)
        const match = /(?:port |localhost:)(\d+)/.exec(text)
        if (match !== null) resolve(Number(match[1]))
      })
      child.once('exit', code => reject(new Error(`${args[0]} ended with ${code}: ${text}`)))
    })
    return this
  }

  /** `SIGKILL`: as if the machine had gone. Resolves with the exit code. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<number | null> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    return child.exitCode
  }

  async dispose(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The site of site.mjs, over `<folder>/app.db`. */
export function site(env: Record<string, string> = {}): Server {
  return new Server((port, folder) => ({
    args: [path.join(here, 'site.mjs'), path.join(folder, 'app.db'), String(port)],
    env,
  }))
}

/** The example, over `<folder>/todo.db`. */
export const todoSync = (): Server => example('todo_sync')

/** The example with sign-in, over `<folder>/notes.db`. */
export const teamNotes = (): Server => example('team_notes')

/** The example of one record and two people, over `<folder>/plans.db`. */
export const sharedForm = (): Server => example('shared-form')

/** What `npm start` starts. */
export const startPage = (): Server => example('start')

function example(name: string): Server {
  const script = path.resolve(here, '../../../examples', name, 'server.mjs')
  return new Server((port, folder) => ({ args: [script], env: { PORT: String(port), DATA_DIR: folder } }))
}

/** What `sqlite3 <file> <sql>` does, in a process that knows nothing of us. */
export async function sql(file: string, text: string): Promise<void> {
  await run(process.execPath, [path.join(here, 'sql.mjs'), file, text])
}

/** Where nobody listens just now. */
/** What a database file holds, whoever else has it open. */
export function rowsIn(file: string, query: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file)
  try {
    return db.prepare(query).all()
  } finally {
    db.close()
  }
}

/** The values of the first column. */
export const columnIn = (file: string, query: string): unknown[] =>
  rowsIn(file, query).map(row => Object.values(row)[0])

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // reason: a TCP server that listens has an address with a port
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
