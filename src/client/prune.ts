// A scope that became smaller: the rows that nobody wants any more go when the server begins to heal it, without being
// named (rule V11). What is wrong here the comparison puts right. Neighbours: `heal`, whose first step this is.
import { unscoped } from '../core/index.ts'
import { testOf } from './filters.ts'
import type { Healing } from './state.ts'
import { filtersIn, textIn } from './wants.ts'

export function pruning(healing: Healing): Healing {
  return {
    ...healing,
    reset(state, message) {
      healing.reset(state, message)
      const kept = state.entities.get(message.entity)
      const text = textIn(message.shape.hash)
      if (
        kept?.heal == null ||
        text === '' ||
        unscoped(kept.shape?.hash ?? null) !== unscoped(message.shape.hash)
      )
        return
      const tests = filtersIn(text).map(testOf)
      for (const { id, row } of kept.rows.values()) {
        if (tests.some(test => test(row))) continue
        kept.heal.staged.set(id, null)
        kept.heal.evicted.add(id)
      }
    },
  }
}
