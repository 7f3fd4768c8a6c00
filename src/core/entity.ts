// A synced table as the user names it: a bare name, or a definition with types, validation and rules.
import type { AccessRules, AccessUser } from './access.ts'
import { SyncError } from './errors.ts'
import type { Json, Row } from './ids.ts'
import { isForbiddenName } from './ids.ts'
import { checkKnown } from './known.ts'
import type { SchemaInput, StandardSchema } from './standard-schema.ts'

/** How a write is settled that meets something its writer had not seen. */
export const SyncStrategy = {
  LastWriteWins: 'last-write-wins',
  ClientWins: 'client-wins',
  ServerWins: 'server-wins',
} as const
export type SyncStrategy = (typeof SyncStrategy)[keyof typeof SyncStrategy]

/** The same for single fields; `keep-both` keeps the server's value and records the other. */
export const FieldMergeStrategy = { ...SyncStrategy, KeepBoth: 'keep-both' } as const
export type FieldMergeStrategy = (typeof FieldMergeStrategy)[keyof typeof FieldMergeStrategy]

/** What is judged together when writes collide: the whole row or each field by itself. */
export type Grain = 'entity' | 'field'

export interface ResolveContext {
  readonly entity: string
  readonly id: string
  /** The stamps of what is stored and of what was written; they sort as text. */
  readonly serverStamp: string | null
  readonly clientStamp: string | null
  /** The columns that the client wrote. */
  readonly columns: readonly string[]
}

/**
 * Merges two versions of a row. Must be free of side effects: it runs before the transaction, and again if the row
 * moved meanwhile. Throwing keeps the server's value; the mutation is rejected with RESOLVER_FAILED.
 */
export interface ConflictResolver<T = Row> {
  resolve(server: T, client: T, context: ResolveContext): T | Promise<T>
}
export type ResolverFunction<T = Row> = ConflictResolver<T>['resolve']

/** How one column is settled; `resolver` gets the two values of that column alone. */
export interface FieldRule<V = Json> {
  readonly strategy?: FieldMergeStrategy
  readonly resolver?: (server: V, client: V, context: ResolveContext) => V | Promise<V>
}

export interface EntityOptions<
  Name extends string = string,
  S extends StandardSchema = StandardSchema,
  U extends { readonly id: string } = AccessUser,
> {
  readonly name: Name
  /** Default: the name where a table is called so, else its snake_case plural (`BlogPost` → `blog_posts`). */
  readonly table?: string
  /** Default: the table's own primary key. For views of intent only: must be unique and NOT NULL. */
  readonly primaryKey?: string | readonly string[]
  /** Any Standard Schema (zod, valibot, arktype). Types are inferred from it and pushed rows are validated by it. */
  readonly schema?: S
  readonly strategy?: FieldMergeStrategy
  readonly resolver?: ConflictResolver<SchemaRow<S>> | ResolverFunction<SchemaRow<S>>
  /** Default: the engine's, `entity`; `field` where there are `fields`. */
  readonly grain?: Grain
  /** Columns that are settled otherwise than the rest of the row. */
  readonly fields?: { readonly [C in keyof SchemaRow<S> & string]?: FieldRule<SchemaRow<S>[C]> }
  /** Columns that no client may write. */
  readonly serverOwned?: readonly string[]
  /** What a pushed field that is no column does. Default `reject`. */
  readonly unknownFields?: 'reject' | 'ignore'
  /**
   * Columns that access rules may go by. A write that changes one of them logs the old values of all, because whoever
   * saw the row and sees it no more has to be told. Default: with a `read` rule every column that can be compared, else
   * none.
   */
  readonly by?: readonly (keyof SchemaRow<S> & string)[]
  /** Who may see and write which rows and columns. Default: whoever may connect, all of them. */
  readonly access?: AccessRules<SchemaRow<S>, U>
}

/** A definition, checked; made by `defineEntity`. */
export interface EntityDefinition<Name extends string = string, T = Row> {
  readonly name: Name
  readonly table: string | undefined
  readonly primaryKey: readonly string[] | undefined
  readonly schema: StandardSchema | undefined
  readonly strategy: FieldMergeStrategy | undefined
  readonly resolver: ConflictResolver<T> | undefined
  readonly grain: Grain | undefined
  readonly fields: { readonly [column: string]: FieldRule }
  readonly serverOwned: readonly string[]
  readonly unknownFields: 'reject' | 'ignore'
  readonly access: AccessRules | undefined
  /** Columns that access rules and scopes read; a write that changes one is a move. `'all'`: every one that compares. */
  readonly routing: readonly string[] | 'all'
}

export type SchemaRow<S> = [StandardSchema] extends [S] ? Row : SchemaInput<S>
export type EntitySource = string | EntityDefinition<string, unknown>
/** The name under which a source is addressed, and the row it holds. */
export type NameOf<E> = E extends string ? E : E extends EntityDefinition<infer Name, unknown> ? Name : never
export type RowOf<E> = E extends EntityDefinition<string, infer T> ? T : Row

/** Path segments under `/api/sync/` that are not entities. */
export const reservedNames: ReadonlySet<string> = new Set([
  'events',
  'ws',
  'client.js',
  'field-client.js',
  'lazy.js',
  'health',
  'session',
  'status',
])

const optionNames = Object.keys({
  name: true,
  table: true,
  primaryKey: true,
  schema: true,
  strategy: true,
  resolver: true,
  grain: true,
  fields: true,
  serverOwned: true,
  unknownFields: true,
  by: true,
  access: true,
} satisfies Record<keyof EntityOptions, true>)
const ruleNames = Object.keys({ read: true, columns: true, write: true } satisfies Record<
  keyof AccessRules,
  true
>)

/** Throws INVALID_CONFIG, RESERVED_NAME. */
export function defineEntity<
  const Name extends string,
  S extends StandardSchema = StandardSchema,
  U extends { readonly id: string } = AccessUser,
>(options: EntityOptions<Name, S, U>): EntityDefinition<Name, SchemaRow<S>> {
  checkName(options.name)
  checkOptions(options)
  const key = options.primaryKey
  return {
    name: options.name,
    table: options.table,
    primaryKey: key === undefined ? undefined : typeof key === 'string' ? [key] : key,
    schema: options.schema,
    strategy: options.strategy === undefined ? undefined : parseStrategy(options.strategy),
    resolver: typeof options.resolver === 'function' ? { resolve: options.resolver } : options.resolver,
    grain: grainOf(options.name, options.grain, options.fields !== undefined),
    // reason: as the rules of access below
    fields: fieldsOf((options.fields ?? {}) as EntityDefinition['fields']),
    serverOwned: options.serverOwned ?? [],
    unknownFields: options.unknownFields ?? 'reject',
    // reason: a rule takes rows of the definition's own type; inside the engine every row is a Row
    access: options.access as AccessRules | undefined,
    routing: options.by ?? (options.access?.read === undefined ? [] : 'all'),
  }
}

/** A rule that is misspelt would keep nobody out. */
function checkOptions(options: { readonly name: string; readonly access?: object }): void {
  const { name, access = {} } = options
  checkKnown(options, optionNames, '', `'${name}': `)
  checkKnown(access, ruleNames, 'access.', `'${name}': `)
  for (const [rule, value] of Object.entries(access))
    if (value !== undefined && typeof value !== 'function')
      throw new SyncError('INVALID_CONFIG', `'${name}': access.${rule} must be a function`)
}

function grainOf(name: string, grain: Grain | undefined, single: boolean): Grain | undefined {
  if (!single) return grain
  if (grain !== 'entity') return 'field'
  throw new SyncError('INVALID_CONFIG', `'${name}' has rules for single fields: its grain must be 'field'`)
}

function fieldsOf(fields: EntityDefinition['fields']): EntityDefinition['fields'] {
  const parsed: Record<string, FieldRule> = {}
  for (const [column, rule] of Object.entries(fields))
    parsed[column] = rule.strategy === undefined ? rule : { ...rule, strategy: parseStrategy(rule.strategy) }
  return parsed
}

/** A list as users write it, mixed freely, as definitions. Duplicates are an error. */
export function normalizeEntities(sources: readonly EntitySource[]): EntityDefinition[] {
  const seen = new Set<string>()
  return sources.map(source => {
    // reason: a definition's row type is its user's affair; inside the engine every row is a Row
    const definition = (
      typeof source === 'string' ? defineEntity({ name: source }) : source
    ) as EntityDefinition
    if (!('routing' in Object(definition)))
      throw new SyncError('INVALID_CONFIG', 'an entity is a name, or what defineEntity makes')
    if (seen.has(definition.name))
      throw new SyncError('INVALID_CONFIG', `entity '${definition.name}' is listed twice`)
    seen.add(definition.name)
    return definition
  })
}

/** The tables to look for, best first. */
export function tableCandidates(definition: EntityDefinition): string[] {
  if (definition.table !== undefined) return [definition.table]
  return [definition.name, pluralTable(definition.name)]
}

export function pluralTable(name: string): string {
  const snake = name.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase()
  if (/[^aeiou]y$/.test(snake)) return `${snake.slice(0, -1)}ies`
  if (/(s|x|z|ch|sh)$/.test(snake)) return `${snake}es`
  return `${snake}s`
}

/** Accepts kebab, snake and Pascal spellings. Throws INVALID_CONFIG for anything else. */
export function parseStrategy(value: string): FieldMergeStrategy {
  const kebab = value
    .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase()
  for (const known of Object.values(FieldMergeStrategy)) if (known === kebab) return known
  const names = Object.values(FieldMergeStrategy).join(', ')
  throw new SyncError('INVALID_CONFIG', `unknown strategy '${value}'; use one of ${names}`)
}

function checkName(name: string): void {
  if (reservedNames.has(name)) {
    throw new SyncError(
      'RESERVED_NAME',
      `'${name}' is a path of the sync routes; give the entity another name and set table: '${name}'`,
    )
  }
  if (
    name === '' ||
    name.startsWith('_') ||
    name.length > 128 ||
    isForbiddenName(name) ||
    /[/?#%,\s]/.test(name)
  ) {
    throw new SyncError(
      'INVALID_CONFIG',
      `'${name}' cannot name an entity: it must not start with _ nor hold / ? # % , or spaces`,
    )
  }
}
