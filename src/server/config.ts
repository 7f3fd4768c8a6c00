// The configuration in all its documented forms, checked: an unknown key is an error that names it.
import type { EntityDefinition, EntitySource, FieldMergeStrategy, Grain } from '../core/index.ts'
import { checkKnown, defaultMaxDrift, normalizeEntities, parseStrategy, SyncError } from '../core/index.ts'
import { conflictsEntity } from './conflicts.ts'
import { consoleLogger, nodeEnv } from './env.ts'
import type { Logger, ServerEnv } from './env.ts'
import type { Bus } from './bus.ts'
import { localBus } from './bus.ts'
import { readLimits } from './limits.ts'
import type { ServerLimits } from './limits.ts'
import type { HostRule, OriginRule } from './origin.ts'
import type { ServerStore } from './store.ts'
import type { Authenticate, SignOuts } from './user.ts'

export interface SyncOptions {
  /** The application's own handle: `node:sqlite` DatabaseSync or better-sqlite3. `db_pool` and `dbPool` say the same. */
  readonly db?: unknown
  readonly db_pool?: unknown
  readonly dbPool?: unknown
  /** Instead of a handle: a store, e.g. one of another database. */
  readonly store?: ServerStore
  readonly entities: readonly EntitySource[]
  /** Default `last-write-wins`. */
  readonly strategy?: FieldMergeStrategy
  /** What is judged together when writes collide: `'entity'`, the whole row, or `'field'`, each field. Default `'entity'`. */
  readonly grain?: Grain
  /** Opens the field routes; these entities are judged field by field, and by this strategy, where they do not say otherwise. */
  readonly fieldSync?: FieldMergeStrategy | FieldSync
  /** Whether values that did not survive are kept as records for those who wrote them. Default true. */
  readonly conflicts?: boolean
  /** Log every step at debug level to the console. Default false. */
  readonly debug?: boolean
  /** pino, console, or anything with debug, info, warn and error. */
  readonly logger?: Logger
  /** Days after which superseded log entries and deletes are forgotten. Default 7; 0 or false: never by itself. */
  readonly retentionDays?: number | false
  /** Milliseconds that a writer's clock may be ahead. Default 60,000. */
  readonly maxDrift?: number
  /** What is given at most; each has a default: docs/guides/limits.md. */
  readonly limits?: Partial<ServerLimits>
  /** Milliseconds a resolver may take. Default 5,000. */
  readonly resolverDeadline?: number
  /** Who a request is from: asked at every door, and again while a connection lives. Without it everybody may do everything. */
  readonly authenticate?: Authenticate
  /** Tells of sign-outs that happen elsewhere, so that their connections end at once; `betterAuth(auth)` gives both. */
  readonly signOuts?: SignOuts
  /** `'public'`: serving everybody is intended, also in production. */
  readonly access?: 'public'
  /** Origins of other hosts whose pages may sync, e.g. `['https://www.example.com']`; `'*'`: any. Default: none. */
  readonly origins?: OriginRule
  /**
   * Names under which the server may be asked, without a port. Default: any with `authenticate` or `access: 'public'`;
   * otherwise localhost and addresses, or a page of any site could have its own name point here and read everything.
   */
  readonly hosts?: HostRule
  readonly bus?: Bus
  /** The world: clock, chance, timers. For tests. */
  readonly env?: ServerEnv
  /**
   * Path under which the routes live. Default `/api/sync`. Those of fields live beside it: `/api/field-sync`, or where it
   * does not end in `sync`, under the same name with `-fields`.
   */
  readonly path?: string
  /**
   * Where WebSockets are let in beside `<path>/ws`, whoever else listens for them on the server. Default: at `/` and `/ws`,
   * where nobody else does.
   */
  readonly socketPaths?: readonly string[]
}

export interface FieldSync {
  /** Default: the engine's. */
  readonly strategy?: FieldMergeStrategy
  /** By name. Default: all. */
  readonly entities?: readonly string[]
}

const optionNames = Object.keys({
  db: true,
  db_pool: true,
  dbPool: true,
  store: true,
  entities: true,
  strategy: true,
  grain: true,
  fieldSync: true,
  conflicts: true,
  debug: true,
  logger: true,
  retentionDays: true,
  maxDrift: true,
  limits: true,
  resolverDeadline: true,
  authenticate: true,
  signOuts: true,
  access: true,
  origins: true,
  hosts: true,
  bus: true,
  env: true,
  path: true,
  socketPaths: true,
} satisfies Record<keyof SyncOptions, true>)

/** The same as a literal, written step by step: `new SyncConfig(db, ['users']).withStrategy('client-wins')`. */
export class SyncConfig {
  readonly options: SyncOptions

  constructor(
    db: unknown,
    entities: readonly EntitySource[],
    options: Omit<SyncOptions, 'db' | 'entities'> = {},
  ) {
    this.options = { ...options, db, entities }
  }

  #with(more: Partial<SyncOptions>): SyncConfig {
    const { db, entities, ...rest } = { ...this.options, ...more }
    return new SyncConfig(db, entities, rest)
  }

  withStrategy(strategy: FieldMergeStrategy): SyncConfig {
    return this.#with({ strategy })
  }

  withGrain(grain: Grain): SyncConfig {
    return this.#with({ grain })
  }

  withFieldSync(fieldSync: FieldMergeStrategy | FieldSync = {}): SyncConfig {
    return this.#with({ fieldSync })
  }

  withDebug(debug = true): SyncConfig {
    return this.#with({ debug })
  }

  withLogger(logger: Logger): SyncConfig {
    return this.#with({ logger })
  }

  withAuthentication(authenticate: Authenticate): SyncConfig {
    return this.#with({ authenticate })
  }

  withRetentionDays(retentionDays: number | false): SyncConfig {
    return this.#with({ retentionDays })
  }

  withMaxDrift(maxDrift: number): SyncConfig {
    return this.#with({ maxDrift })
  }
}

export interface Settings {
  readonly handle: unknown
  readonly store: ServerStore | undefined
  readonly definitions: readonly EntityDefinition[]
  readonly log: Logger
  readonly retentionMs: number
  readonly maxDriftMs: number
  readonly limits: ServerLimits
  readonly resolverDeadlineMs: number
  readonly public: boolean
  readonly production: boolean
  readonly authenticate: Authenticate | undefined
  readonly signOuts: SignOuts | undefined
  readonly origins: OriginRule
  readonly hosts: HostRule
  readonly bus: Bus
  readonly env: ServerEnv
  readonly path: string
  /** Null: those that nobody else takes. */
  readonly socketPaths: readonly string[] | null
  /** Where fields are synced; null: nowhere. */
  readonly fieldPath: string | null
}

const dayMs = 86_400_000

export function readConfig(config: SyncOptions | SyncConfig): Settings {
  const options = config instanceof SyncConfig ? config.options : config
  if (typeof options !== 'object') throw new SyncError('INVALID_CONFIG', 'an engine is made with options')
  checkKnown(options, optionNames)
  if (!Array.isArray(options.entities) || options.entities.length === 0) {
    throw new SyncError('INVALID_CONFIG', "name the tables to sync, e.g. entities: ['users']")
  }
  const handle = options.db ?? options.dbPool ?? options.db_pool
  if (handle === undefined && options.store === undefined)
    throw new SyncError('INVALID_CONFIG', 'pass your open database as db')
  const days = options.retentionDays ?? 7
  const { env = nodeEnv() } = options
  const strategy = options.strategy === undefined ? 'last-write-wins' : parseStrategy(options.strategy)
  const grain = readGrain(options.grain ?? 'entity')
  const fieldSync = readFieldSync(options.fieldSync)
  const path = `/${(options.path ?? '/api/sync').replaceAll(/^\/+|\/+$/g, '')}`
  const named = withFieldSync(normalizeEntities(options.entities), fieldSync)
  const definitions = named.map(definition => ({
    ...definition,
    strategy: definition.strategy ?? strategy,
    grain: definition.grain ?? grain,
  }))
  return {
    handle,
    store: options.store,
    definitions:
      options.conflicts === false
        ? definitions
        : [...definitions, conflictsEntity(definitions, () => env.now())],
    log: options.logger ?? consoleLogger(options.debug === true),
    retentionMs: days === false ? 0 : number('retentionDays', days) * dayMs,
    maxDriftMs: number('maxDrift', options.maxDrift ?? defaultMaxDrift),
    limits: readLimits(options.limits),
    resolverDeadlineMs: number('resolverDeadline', options.resolverDeadline ?? 5000),
    public: options.access === 'public',
    production: process.env['NODE_ENV'] === 'production',
    authenticate: functionOr('authenticate', options.authenticate),
    signOuts: functionOr('signOuts', options.signOuts),
    origins: options.origins ?? [],
    hosts:
      options.hosts ?? (options.authenticate !== undefined || options.access === 'public' ? '*' : 'local'),
    bus: options.bus ?? localBus(),
    env,
    path,
    fieldPath: fieldSync === undefined ? null : fieldPathOf(path),
    socketPaths: options.socketPaths ?? null,
  }
}

function readFieldSync(asked: SyncOptions['fieldSync']): FieldSync | undefined {
  if (asked === undefined) return undefined
  if (typeof asked === 'string') return { strategy: parseStrategy(asked) }
  checkKnown(asked, ['strategy', 'entities'], 'fieldSync.')
  const { strategy, entities } = asked
  return {
    ...(strategy === undefined ? {} : { strategy: parseStrategy(strategy) }),
    ...(entities === undefined ? {} : { entities }),
  }
}

/** As the entities say themselves, else as `fieldSync` says. */
function withFieldSync(
  definitions: readonly EntityDefinition[],
  fieldSync: FieldSync | undefined,
): EntityDefinition[] {
  const named = new Set(fieldSync?.entities)
  const all = fieldSync !== undefined && fieldSync.entities === undefined
  const made = definitions.map((definition): EntityDefinition => {
    if (definition.grain !== undefined) readGrain(definition.grain)
    if (!named.delete(definition.name) && !all) return definition
    return {
      ...definition,
      grain: definition.grain ?? 'field',
      strategy: definition.strategy ?? fieldSync?.strategy,
    }
  })
  const [unknown] = named
  if (unknown === undefined) return made
  throw new SyncError('INVALID_CONFIG', `fieldSync names '${unknown}', which is no entity`)
}

function readGrain(grain: Grain): Grain {
  if (grain === 'entity' || grain === 'field') return grain
  throw new SyncError('INVALID_CONFIG', `grain must be 'entity' or 'field'`)
}

/** `/api/sync` -> `/api/field-sync`, `/rows` -> `/rows-fields`. */
function fieldPathOf(path: string): string {
  return path.endsWith('/sync') ? `${path.slice(0, -4)}field-sync` : `${path}-fields`
}

/** What is no function would let everybody in, or nobody. */
function functionOr<T>(name: string, value: T | undefined): T | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new SyncError('INVALID_CONFIG', `${name} must be a function`)
}

function number(name: string, value: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw new SyncError('INVALID_CONFIG', `${name} must be a number from 0`)
  return value
}
