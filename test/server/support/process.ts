// Other processes: they write to the database file, run engines, and are killed.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import path from 'node:path'
import { later, until } from './app.ts'

/** Runs SQL on a file in a process of its own; resolves when it has ended. */
export async function writeElsewhere(file: string, sql: string): Promise<void> {
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const db = new DatabaseSync(process.argv[1])
    db.exec('PRAGMA busy_timeout = 5000')
    db.exec(process.argv[2])
    db.close()`
  const child = spawn(process.execPath, ['--no-warnings', '-e', script, file, sql], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr?.on('data', data => (errors += String(data)))
  const code = await ended(child)
  if (code !== 0) throw new Error(`the other process failed: ${errors}`)
}

export interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  readonly errors: () => string
  readonly ended: Promise<number | null>
}

/** Starts a Node process that imports the package by its name. */
export function runModule(
  code: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Running {
  return start(['--no-warnings', '--input-type=module', '-e', code, ...args], env)
}

const root = path.resolve(import.meta.dirname, '../../..')

export function runCli(args: readonly string[], env: Record<string, string> = {}): Running {
  return start([path.join(root, 'dist/cli/main.js'), ...args], env)
}

function start(args: readonly string[], env: Record<string, string>): Running {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', data => (output += String(data)))
  child.stderr.on('data', data => (errors += String(data)))
  later(() => child.kill('SIGKILL'))
  return { child, output: () => output, errors: () => errors, ended: ended(child) }
}

/** The address that a server printed. */
export async function addressOf(running: Running): Promise<string> {
  let over = false
  void running.ended.then(() => (over = true))
  return until('an address', () => {
    const address = /listening on (\S+)/.exec(running.output())?.[1]
    if (address === undefined && over) throw new Error(`it ended instead: ${running.errors()}`)
    return address
  })
}

async function ended(child: ChildProcess): Promise<number | null> {
  return new Promise(resolve => child.once('exit', code => resolve(code)))
}

/** A server over a file, in a process of its own. */
export const serverModule = `
  import { createServer } from 'node:http'
  import { DatabaseSync } from 'node:sqlite'
  import { createSyncEngine } from 'syncline'
  const [file, port, ...entities] = process.argv.slice(1)
  const db = new DatabaseSync(file)
  const engine = await createSyncEngine({ db, entities, access: 'public' })
  const server = createServer(engine.routes())
  engine.attach(server)
  server.listen(Number(port), '127.0.0.1', () => console.log('listening on http://127.0.0.1:' + server.address().port))
  process.once('SIGTERM', async () => {
    server.close()
    await engine.close()
  })
`
