// The inbox of conflicts as a page has it from the first: what is in it comes with the second script, a moment later.
import type { Conflicts } from '../client/index.ts'
import { SyncError } from '../core/index.ts'
import type { Lazy } from './lazy.ts'

const nothing: readonly never[] = []

export function conflictsIn(later: Promise<Pick<Lazy, 'conflicts'>>): Conflicts {
  let inbox: Conflicts | null = null
  void later.then(({ conflicts }) => (inbox = conflicts))
  const there = (id: string): Conflicts => {
    if (inbox === null) throw new SyncError('NOT_FOUND', `no open conflict '${id}'`)
    return inbox
  }
  return {
    list: () => inbox?.list() ?? nothing,
    get: id => inbox?.get(id),
    subscribe(listener) {
      let over = false
      const tell = (): void => {
        if (!over) listener()
      }
      const stop = later.then(({ conflicts }) => {
        if (conflicts.list().length > 0) tell()
        return conflicts.subscribe(tell)
      })
      return () => {
        over = true
        void stop.then(end => end())
      }
    },
    keepMine: id => there(id).keepMine(id),
    keepTheirs: id => there(id).keepTheirs(id),
    resolve: (id, value) => there(id).resolve(id, value),
  }
}
