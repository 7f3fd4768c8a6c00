// What was asked for: the arguments as a value, or a UsageError that says what is wrong with them.
import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'

export const usage = `usage: syncline <command> [options]

  syncline serve <file>      serve the tables of an SQLite file under /api/sync
    --entities <a,b=table>   the tables to sync, under other names where given (default: every
                             table that can be)
    --port <n>               default 3000; 0 picks a free one
    --host <address>         default 127.0.0.1
    --access public          everybody who reaches the host may read and write: needed for
                             a host other than this machine when NODE_ENV is production
    --retention-days <n>     forget superseded entries after n days (default 7; 0: never)
    --debug                  log every step
  syncline status <file>     what is installed in the file and where its log stands
  syncline cleanup <file>    forget old entries
    --days <n>               older than n days
  syncline uninstall <file>  remove every trigger and table of syncline, nothing else

  syncline --help, syncline --version`

export class UsageError extends Error {}

export type Command =
  | { readonly name: 'help' | 'version' }
  | { readonly name: 'status' | 'uninstall'; readonly file: string }
  | { readonly name: 'cleanup'; readonly file: string; readonly days: number }
  | ServeCommand

export interface ServeCommand {
  readonly name: 'serve'
  readonly file: string
  /** Null: every table that can be synced. */
  readonly entities: readonly { readonly name: string; readonly table: string | null }[] | null
  readonly port: number
  readonly host: string
  readonly public: boolean
  readonly retentionDays: number
  readonly debug: boolean
}

const options = {
  serve: {
    entities: { type: 'string' },
    port: { type: 'string' },
    host: { type: 'string' },
    access: { type: 'string' },
    'retention-days': { type: 'string' },
    debug: { type: 'boolean' },
  },
  status: {},
  cleanup: { days: { type: 'string' } },
  uninstall: {},
} as const satisfies Record<string, ParseArgsOptionsConfig>

type CommandName = keyof typeof options

export function parseCommand(argv: readonly string[]): Command {
  const [first, ...rest] = argv
  if (first === undefined) throw new UsageError('name a command')
  if (argv.includes('--help') || argv.includes('-h') || first === 'help') return { name: 'help' }
  if (first === '--version' || first === '-v') return { name: 'version' }
  if (!isCommandName(first)) throw new UsageError(`there is no command '${first}'`)
  const { values, positionals } = parse(first, rest)
  const [file, ...more] = positionals
  if (file === undefined) throw new UsageError(`name the database file: syncline ${first} app.db`)
  if (more.length > 0) throw new UsageError(`one file at a time, not also '${more.join("', '")}'`)
  switch (first) {
    case 'serve':
      return serveCommand(file, values)
    case 'cleanup': {
      if (values['days'] === undefined) throw new UsageError('say how old: syncline cleanup app.db --days 7')
      return { name: 'cleanup', file, days: number('--days', values['days'], Number.MAX_SAFE_INTEGER) }
    }
    case 'status':
    case 'uninstall':
      return { name: first, file }
  }
}

function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(options, name)
}

type Values = Readonly<Record<string, unknown>>

function parse(name: CommandName, args: string[]): { values: Values; positionals: string[] } {
  try {
    const config: ParseArgsOptionsConfig = options[name]
    return parseArgs({ args, options: config, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function serveCommand(file: string, values: Values): ServeCommand {
  const { entities, host, access } = values
  if (access !== undefined && access !== 'public') throw new UsageError("--access can only be 'public'")
  return {
    name: 'serve',
    file,
    entities: typeof entities === 'string' ? entityList(entities) : null,
    port: number('--port', values['port'] ?? '3000', 65_535),
    host: typeof host === 'string' ? host : '127.0.0.1',
    public: access === 'public',
    retentionDays: number('--retention-days', values['retention-days'] ?? '7', Number.MAX_SAFE_INTEGER),
    debug: values['debug'] === true,
  }
}

/** `users, log=events`. */
function entityList(text: string): { name: string; table: string | null }[] {
  const list = text
    .split(',')
    .map(item => item.split('=').map(part => part.trim()))
    .filter(([name]) => name !== '')
  if (list.length === 0) throw new UsageError('--entities names no table')
  return list.map(([name = '', table]) => ({
    name,
    table: table === undefined || table === '' ? null : table,
  }))
}

function number(name: string, text: unknown, max: number): number {
  const value = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value <= max) return value
  throw new UsageError(
    `${name} must be an integer from 0${max < 1e6 ? ` to ${max}` : ''}, not '${String(text)}'`,
  )
}
