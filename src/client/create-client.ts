// `createClient`: the client with all its parts.
import type { EntitySource } from '../core/index.ts'
import type { Client, ClientOptions, RowsOf } from './api.ts'
import { clientOf } from './client.ts'
import type { Parts } from './engine.ts'
import { healing } from './heal.ts'
import { indexedDBStore } from './idb.ts'
import { rivals } from './rivals.ts'
import { sseTransport } from './transport-sse.ts'
import { webSocketTransport } from './transport-websocket.ts'

export const allParts: Parts = {
  transports: url => [webSocketTransport(url), sseTransport(url)],
  database: indexedDBStore,
  healing,
  rivals,
}

/** A client of the sync routes at `options.url`. Opens its store and connects by itself; `ready` tells when. */
export function createClient<const S extends readonly EntitySource[]>(
  options: ClientOptions<S>,
): Client<RowsOf<S>> {
  return clientOf(options, allParts)
}
