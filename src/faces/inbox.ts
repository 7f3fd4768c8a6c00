// The inbox of conflicts as a page has it from the first: what is in it comes with the second script, a moment later.
import type { Conflicts } from '../client/index.ts'
import { SyncError } from '../core/index.ts'
import type { Lazy } from './lazy.ts'

const none: readonly never[] = []

export function conflictsIn(loaded: Promise<Pick<Lazy, 'conflicts'>>): Conflicts {
  let inbox: Conflicts | null = null
  void loaded.then(lazy => (inbox = lazy.conflicts))
  const there = (id: string): Conflicts => {
    if (inbox === null) throw new SyncError('NOT_FOUND', `no open conflict '${id}'`)
    return inbox
  }
  return {
    list: () => inbox?.list() ?? none,
    get: id => inbox?.get(id),
    subscribe(listener) {
      let over = false
      let stop = (): void => {
        over = true
      }
      void loaded.then(({ conflicts }) => {
        if (over) return
        stop = conflicts.subscribe(listener)
        if (conflicts.list().length > 0) listener()
      })
      return () => stop()
    },
    keepMine: id => there(id).keepMine(id),
    keepTheirs: id => there(id).keepTheirs(id),
    resolve: (id, value) => there(id).resolve(id, value),
  }
}
