// What a page reads and watches: the same reference while nothing changed (rule R6), one call per batch or transaction,
// after everything is consistent. Neighbours: the replica's views before it, faces and hooks behind it.
import type { Row } from '../core/index.ts'
import type { Views } from './state.ts'

export type Listener = () => void

export interface Live {
  all(entity: string): readonly Row[]
  /** `id` null: any row of the entity. */
  subscribe(entity: string, id: string | null, listener: Listener): () => void
  /** Called in `forget`. */
  readonly watchers: Set<(views: Views) => void>
  /** At once, before anybody reads again. */
  forget(views: Views): void
  notify(views: Views): void
}

export function createLive(rows: (entity: string) => readonly Row[], failed: (error: unknown) => void): Live {
  const cache = new Map<string, readonly Row[]>()
  const listeners = new Map<string, Map<string | null, Set<Listener>>>()
  const watchers: Live['watchers'] = new Set()
  return {
    watchers,
    all(entity) {
      let list = cache.get(entity)
      if (list === undefined) cache.set(entity, (list = rows(entity)))
      return list
    },
    subscribe(entity, id, listener) {
      const byId = listeners.get(entity) ?? new Map<string | null, Set<Listener>>()
      listeners.set(entity, byId)
      const set = byId.get(id) ?? new Set()
      byId.set(id, set)
      // each subscription is one of its own, also where a function is given twice
      const own: Listener = () => listener()
      set.add(own)
      return () => {
        if (set.delete(own) && set.size === 0 && byId.get(id) === set) byId.delete(id)
      }
    },
    forget(views) {
      for (const entity of views.keys()) cache.delete(entity)
      for (const watch of watchers) watch(views)
    },
    notify(views) {
      const called = new Set<Listener>()
      for (const [entity, ids] of views) {
        for (const [id, set] of listeners.get(entity) ?? []) {
          if (id === null || ids === null || ids.has(id)) for (const listener of set) called.add(listener)
        }
      }
      for (const listener of called) {
        try {
          listener()
        } catch (error) {
          failed(error)
        }
      }
    },
  }
}
