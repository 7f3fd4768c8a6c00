// Asking for a scope, and the books about what was asked.
import type { ScopeRequest } from '../core/index.ts'
import type { Kept, State } from './state.ts'
import { send } from './state.ts'

/** Once per gap: what else does not fit is left until the answer is here. */
export function ask(state: State, kept: Kept, whole = false): void {
  if (kept.asked || kept.refused) return
  askAll(state, [kept], whole)
}

/** `whole`: what is held may not be what the cursor says. */
export function askAll(state: State, all: readonly Kept[], whole = false): void {
  if (all.length === 0) return
  if (state.follows) {
    for (const kept of all) kept.asked = true
    state.out.push({ do: 'reload' })
    return
  }
  const scopes = all.map((kept): ScopeRequest => {
    kept.asked = true
    kept.again = false
    kept.current = false
    // a snapshot begins anew. What was staged from a cursor stays: its last part may still fit, and would be taken for
    // the whole without the others (rule R4)
    if (kept.cursor === null) kept.stage = null
    const { name: entity, cursor, marks, shape } = kept
    const where = state.where[entity]
    const once = !kept.wanted && ({ once: true } as const)
    return {
      entity,
      cursor,
      marks,
      shape: whole ? null : (shape?.hash ?? null),
      ...(where && { where }),
      ...once,
    }
  })
  send(state, { type: 'subscribe', scopes })
}

/** The scope is caught up on this connection. */
export function answered(kept: Kept): void {
  kept.asked = false
  kept.again = false
  kept.current = true
  kept.stage = null
}

/** Whether it is followed. What is held of it stays, and so do unsent edits. */
export function want(state: State, kept: Kept, wanted: boolean, open: boolean): void {
  if (kept.wanted === wanted) return
  kept.wanted = wanted
  kept.heal = null
  answered(kept)
  if (!open || kept.refused) return
  if (wanted) ask(state, kept)
  else send(state, { type: 'unsubscribe', entities: [kept.name] })
}
