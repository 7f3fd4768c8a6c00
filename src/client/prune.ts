// What nobody wants any more goes: of a scope that became smaller when the server begins to heal it, without being named
// (rule V11; what is wrong here the comparison puts right), and all of an entity at once (V10). Neighbours: `heal`, whose
// first step this is; `scopes`, which knows what is wanted.
import { textIn, unscoped } from '../core/index.ts'
import { testOf } from './filters.ts'
import { dropRow } from './rows.ts'
import { send } from './state.ts'
import type { Healing, Kept, State } from './state.ts'
import { filtersIn } from './wants.ts'

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

/** Nobody wants any of it: the rows go from memory and disk. What was written to them stays on screen until it is settled. */
export function evict(state: State, kept: Kept): void {
  const { name: entity, cursor: from, shape } = kept
  if (from === null) return
  send(state, { type: 'unsubscribe', entities: [entity] })
  for (const id of kept.rows.keys()) dropRow(kept, id, new Map(), true)
  Object.assign(kept, { cursor: null, marks: [], stage: null, heal: null })
  state.commits.push({ entity, replace: true, puts: [], deletes: [], from, cursor: null, marks: [], shape })
}
