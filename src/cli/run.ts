// The commands. Exit codes: 0 done, 1 failed (one line with the SyncError code), 2 not understood.
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SyncError, sqliteStatus, sqliteTables, uninstall } from '../server/index.ts'
import type { SqliteStatus } from '../server/index.ts'
import { parseCommand, usage, UsageError } from './arguments.ts'
import type { Command } from './arguments.ts'
import { cleanup } from './cleanup.ts'
import { serve } from './serve.ts'

export async function run(argv: readonly string[]): Promise<number> {
  try {
    return await perform(parseCommand(argv))
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${usage}`)
      return 2
    }
    console.error(describe(error))
    return 1
  }
}

async function perform(command: Command): Promise<number> {
  switch (command.name) {
    case 'help':
      console.log(usage)
      return 0
    case 'version':
      console.log(version())
      return 0
    case 'serve':
      return withFile(command.file, db => serve(db, command, sqliteTables(db)))
    case 'status':
      return withFile(command.file, db => {
        console.log(printStatus(sqliteStatus(db)))
        return 0
      })
    case 'cleanup':
      return withFile(command.file, async db => {
        const forgotten = await cleanup(db, command.days)
        console.log(`forgot ${forgotten} ${forgotten === 1 ? 'entry' : 'entries'} older than ${command.days} days`)
        return 0
      })
    case 'uninstall':
      return withFile(command.file, db => {
        if (!sqliteStatus(db).installed) {
          console.log('nothing of syncline is installed in this file')
          return 0
        }
        uninstall(db)
        console.log('removed every trigger and table of syncline')
        return 0
      })
  }
}

/** Never makes a file: a mistyped name must not become an empty database. */
async function withFile(file: string, use: (db: DatabaseSync) => number | Promise<number>): Promise<number> {
  if (!existsSync(file)) throw new SyncError('DATABASE_FAILED', `there is no file '${file}'`)
  const db = new DatabaseSync(file)
  try {
    return await use(db)
  } finally {
    db.close()
  }
}

export function printStatus(status: SqliteStatus): string {
  if (!status.installed) return 'syncline is not installed in this file'
  const lines = [
    ['entities', status.entities.join(', ') || 'none'],
    ['epoch', status.epoch],
    ['head', `${status.head}`],
    ['horizon', `${status.horizon}  (older cursors are healed)`],
    ['log', `${status.tail} entries in the tail, ${status.unfolded} of them not folded`],
    ['rows', `${status.rows} changed since install, ${status.gone} deleted ones remembered`],
    ['clients', `${status.clients}`],
    ['engine', status.attached ? 'attached' : 'none attached'],
  ] as const
  return lines.map(([name, value]) => `${name.padEnd(10)}${value}`).join('\n')
}

/** One line: the code, then what to do. */
export function describe(error: unknown): string {
  if (error instanceof SyncError) return `${error.code}: ${error.message}`
  const text = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL'
  return `${code}: ${text}`.replaceAll('\n', ' ')
}

function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown'
}
