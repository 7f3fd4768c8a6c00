// `createClient`: the client with all its parts.
import { checkKnown, conflictsName, SyncError } from '../core/index.ts'
import type { EntitySource, Filter, Row } from '../core/index.ts'
import type { Client, ClientOptions, RowsOf, Target } from './api.ts'
import { checkEntity, clientOf } from './client.ts'
import { conflictsOf } from './conflicts.ts'
import type { Engine, Parts } from './engine.ts'
import { desk } from './desk.ts'
import { encodeId } from './encode.ts'
import { textOf } from './filters.ts'
import type { ScopeOptions } from './filters.ts'
import { healing } from './heal.ts'
import { home } from './home.ts'
import type { Home } from './home.ts'
import { chores, miss } from './late.ts'
import { queryOf } from './query.ts'
import type { QueryOptions } from './query.ts'
import { pruning } from './prune.ts'
import { newScopes } from './scopes.ts'
import type { Scopes } from './scopes.ts'
import { platformEnv } from './platform.ts'
import { sseTransport } from './transport-sse.ts'
import { absolute, webSocketTransport } from './transport-websocket.ts'

/** Of one client. */
export function allParts(): Omit<Parts, 'home'> & { readonly home: Home } {
  let scopes: Scopes | null = null
  return {
    env: platformEnv,
    transports: (url, compress) => [webSocketTransport(url, compress), sseTransport(url)],
    home: {
      ...home,
      desk: { ...desk, healing: pruning(healing) },
      late(engine) {
        scopes?.follow()
        chores(engine)
      },
    },
    more(engine) {
      const open = (scopes = newScopes(engine))
      return {
        query(entity: string, options: QueryOptions<Row> = {}) {
          checkEntity(engine, entity)
          return queryOf(engine, entity, options)
        },
        scope: (entity: string, options: ScopeOptions<Row> = {}) => open.open(entity, options),
        getSnapshot: (target: Target<Record<string, Row>>) =>
          typeof target === 'string'
            ? engine.live.all(target)
            : engine.replica.view(target.entity, encodeId(target.id)),
      }
    },
  }
}

/**
 * A client of the sync routes at `options.url`. Opens its store and connects by itself; `ready` tells when. `Scoped`: the
 * rows, by entity, of those that only scopes ask for. Throws INVALID_CONFIG.
 */
export function createClient<const S extends readonly EntitySource[], Scoped = unknown>(
  options: ClientOptions<S>,
): Client<RowsOf<S> & Scoped> {
  checkOptions(options)
  // reason: they come out as they went in, but for the order of their columns
  const where = inOrder(options.where ?? {}) as NonNullable<ClientOptions<S>['where']>
  const parts = allParts()
  const late = (engine: Engine): void => {
    parts.home.late(engine)
    miss(engine)
  }
  const bare: unknown = clientOf({ ...options, where }, { ...parts, home: { ...parts.home, late } })
  // reason: `more` adds the query and the scopes
  const client = bare as Client<RowsOf<S> & Scoped>
  // reason: what a row is, is the caller's affair; in the inbox every row is a Row
  const plain = client as unknown as Client
  return Object.assign(client, {
    conflicts: conflictsOf(plain, () => askForRecords(plain)),
    [Symbol.asyncDispose]: () => client.close(),
  })
}

/** The records of conflicts are wanted from now on. There may be none to be had. */
export function askForRecords(client: Client): void {
  void client.scope(conflictsName).ready.catch(() => {})
}

const optionNames = Object.keys({
  url: true,
  entities: true,
  where: true,
  store: true,
  env: true,
  transports: true,
  strategy: true,
  onError: true,
  debug: true,
  name: true,
  user: true,
  enableCompression: true,
  reconnect: true,
  connectTimeout: true,
  gather: true,
  autoConnect: true,
} satisfies Record<keyof ClientOptions, true>)

/** An application may be written without types, and rendered where there is no page: nothing is relative to it there. */
function checkOptions(options: ClientOptions): void {
  checkKnown(options, optionNames)
  const { url, entities, transports, autoConnect } = options
  if (!Array.isArray(entities) || !entities.every(isNamed))
    throw new SyncError('INVALID_CONFIG', "name the tables to sync, e.g. entities: ['users']")
  if (transports !== undefined || autoConnect === false) return
  try {
    absolute(url)
  } catch {
    throw new SyncError('INVALID_CONFIG', `url: '${url}' must be an absolute address where there is no page`)
  }
}

const isNamed = (source: EntitySource | null | undefined): boolean =>
  typeof (typeof source === 'string' ? source : source?.name) === 'string'

function inOrder(wheres: { readonly [entity: string]: Filter<Row> | undefined }): object {
  const entries = Object.entries(wheres).flatMap(([entity, where]): [string, unknown][] => {
    const text = where === undefined ? '' : textOf({ where })
    return text === '' ? [] : [[entity, JSON.parse(text)]]
  })
  return Object.fromEntries(entries)
}
