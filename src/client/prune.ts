// A scope that became smaller: the rows that nobody wants any more go when the server begins to heal it, without being
// named (rule V11). What is wrong here the comparison puts right. Neighbours: `heal`, whose first step this is.
import { matcher, unscoped } from '../core/index.ts'
import type { Filter, Row } from '../core/index.ts'
import type { Healing } from './state.ts'
import { textIn } from './wants.ts'

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
      const matches = matcher(JSON.parse(text) as Filter<Row>) // reason: the server took it for one
      for (const { id, row } of kept.rows.values()) {
        if (matches(row)) continue
        kept.heal.staged.set(id, null)
        kept.heal.evicted.add(id)
      }
    },
  }
}
