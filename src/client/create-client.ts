// `createClient`: the client with all its parts.
import type { EntitySource, Row } from '../core/index.ts'
import { adopt } from './adopt.ts'
import type { Client, ClientOptions, RowsOf } from './api.ts'
import { checkEntity, clientOf } from './client.ts'
import { conflictsOf } from './conflicts.ts'
import type { Parts } from './engine.ts'
import { exclusive } from './exclusive.ts'
import { healing } from './heal.ts'
import { foldPages } from './idb-fold.ts'
import { indexedDBStore } from './idb.ts'
import { late } from './late.ts'
import { openMemory } from './open-memory.ts'
import { queryOf } from './query.ts'
import type { QueryOptions } from './query.ts'
import { rivals } from './rivals.ts'
import { sseTransport } from './transport-sse.ts'
import { webSocketTransport } from './transport-websocket.ts'

export const allParts: Parts = {
  transports: (url, compress) => [webSocketTransport(url, compress), sseTransport(url)],
  database: (name, after) => indexedDBStore(name, after, async () => foldPages),
  healing,
  late,
  more: engine => ({
    query(entity: string, options: QueryOptions<Row> = {}) {
      checkEntity(engine, entity)
      return queryOf(engine, entity, options)
    },
  }),
  rivals,
  exclusive,
  adopt,
  open: openMemory,
}

/** A client of the sync routes at `options.url`. Opens its store and connects by itself; `ready` tells when. */
export function createClient<const S extends readonly EntitySource[]>(
  options: ClientOptions<S>,
): Client<RowsOf<S>> {
  // reason: `more` adds the query
  const client = clientOf(options, allParts) as Client<RowsOf<S>>
  // reason: what a row is, is the caller's affair; in the inbox every row is a Row
  return Object.assign(client, { conflicts: conflictsOf(client as unknown as Client) })
}
