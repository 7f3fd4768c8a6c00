// The commands. Exit codes: 0 done, 1 failed (one line with the SyncError code), 2 not understood.
import { existsSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { SyncError } from '../server/index.ts'
import { sqliteCleanup, sqliteStatus, sqliteTables, uninstall } from '../server/sqlite/index.ts'
import type { SqliteStatus } from '../server/sqlite/index.ts'
import { parseCommand, usage, UsageError } from './arguments.ts'
import type { Command } from './arguments.ts'
import { serve } from './serve.ts'

export async function run(argv: readonly string[]): Promise<number> {
  try {
    await perform(parseCommand(argv))
    return 0
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${usage}`)
      return 2
    }
    console.error(describe(error))
    return 1
  }
}

async function perform(command: Command): Promise<void> {
  switch (command.name) {
    case 'help':
      return console.log(usage)
    case 'version':
      return console.log(version())
    case 'serve':
      return withFile(command.file, async db => serve(db, command, await sqliteTables(db)))
    case 'status':
      return withFile(command.file, async db => console.log(printStatus(await sqliteStatus(db))))
    case 'cleanup':
      return withFile(command.file, async db => {
        const forgotten = await sqliteCleanup(db, command.days)
        console.log(
          `forgot ${forgotten} ${forgotten === 1 ? 'entry' : 'entries'} older than ${command.days} days`,
        )
      })
    case 'uninstall':
      return withFile(command.file, async db => {
        if (!(await sqliteStatus(db)).installed)
          return console.log('nothing of syncline is installed in this file')
        await uninstall(db)
        console.log('removed every trigger and table of syncline')
      })
  }
}

/** Never makes a file: a mistyped name must not become an empty database. */
async function withFile(file: string, use: (db: DatabaseSync) => Promise<void>): Promise<void> {
  if (!existsSync(file)) throw new SyncError('DATABASE_FAILED', `there is no file '${file}'`)
  const db = new DatabaseSync(file)
  try {
    await use(db)
  } finally {
    db.close()
  }
}

export function printStatus(status: SqliteStatus): string {
  if (!status.installed) return 'syncline is not installed in this file'
  const lines = [
    ['tables', status.tables.join(', ') || 'none'],
    ['epoch', status.epoch],
    ['head', `${status.head}`],
    ['horizon', `${status.horizon} (older cursors are healed)`],
    ['log', `${status.tail} entries, ${status.unfolded} of them not folded`],
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
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL'
  return `${code}: ${text}`.replaceAll('\n', ' ')
}

function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown'
}
