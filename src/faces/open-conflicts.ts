// Each conflict that is open, told once, and again when its writer has written something newer in its place. Neighbours: the
// client's inbox before it, the faces' own words for it behind it.
import type { Conflict, Conflicts } from '../client/index.ts'

export function tellOpen(conflicts: Conflicts, tell: (conflict: Conflict) => void): void {
  let known = new Set<string>()
  const check = (): void => {
    const before = known
    known = new Set()
    for (const conflict of conflicts.list()) {
      const { id, mine, at, outcome } = conflict
      // what was refused outright is told as that
      if (outcome === 'rejected') continue
      const key = JSON.stringify([id, at, mine])
      known.add(key)
      if (!before.has(key)) tell(conflict)
    }
  }
  conflicts.subscribe(check)
  check()
}
