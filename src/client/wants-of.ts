// What a client is made with, as what it wants. Beside `wants`, which only pages need that change their minds.
import { SyncError } from '../core/index.ts'
import type { ClientOptions } from './api.ts'
import type { Wants } from './wants.ts'

/** Throws INVALID_CONFIG. */
export function wantsOf({ entities, where = {} }: Pick<ClientOptions, 'entities' | 'where'>): Wants {
  const filters = new Map(Object.entries(where))
  const names = entities.map(source => (typeof source === 'string' ? source : source.name))
  for (const name of names)
    if (name.startsWith('_')) throw new SyncError('INVALID_CONFIG', `'${name}' cannot name an entity`)
  return Object.fromEntries(names.map(name => [name, [JSON.stringify(filters.get(name)) ?? '']]))
}
