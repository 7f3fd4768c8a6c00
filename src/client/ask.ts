// Asking for a scope, and the books about what was asked.
import { scoped } from '../core/index.ts'
import type { EntityShape, Row, ScopeRequest } from '../core/index.ts'
import type { Kept, State } from './state.ts'
import { send } from './state.ts'

/** Once per gap: what else does not fit is left until the answer is here. */
export function ask(state: State, kept: Kept, whole = false): void {
  if (kept.asked || kept.refused) return
  askAll(state, [kept], whole)
}

/** `whole`: what is held may not be what the cursor says. */
export function askAll(state: State, asked: readonly Kept[], whole = false): void {
  if (asked.length === 0) return
  if (state.follows) {
    for (const kept of asked) kept.asked = true
    state.out.push({ do: 'reload' })
    return
  }
  const scopes = asked.map((kept): ScopeRequest => {
    kept.asked = true
    kept.again = false
    kept.current = false
    const { name: entity, cursor, marks, where } = kept
    const shape = whole ? null : (kept.shape?.hash ?? null)
    kept.shifting = cursor !== null && shape !== shapeIn(state, kept)?.hash
    const once = !kept.wanted && ({ once: true } as const)
    // reason: a filter is an object
    return { entity, cursor, marks, shape, ...(where && { where: JSON.parse(where) as Row }), ...once }
  })
  send(state, { type: 'subscribe', scopes })
}

/** Whether there is something to ask for, now that it is known what the server has. */
export function prepare(state: State, kept: Kept): boolean {
  const shape = shapeIn(state, kept)
  // another tab may want it, and a tab that follows has what all of them want
  kept.refused = shape === undefined || (kept.where === null && !state.follows)
  const none = kept.refused || !kept.wanted
  // while the disk is read it is only not asked for yet: nobody may take it for all that there is
  kept.current = none && !kept.loading
  kept.asked = false
  if (shape !== undefined && kept.cursor === null) kept.shape = shape
  return !none
}

/** As the server calls the shape of the rows that are wanted. */
export function shapeIn({ shapes }: State, { name, where }: Kept): EntityShape | undefined {
  const shape = shapes[name]
  return shape && { ...shape, hash: scoped(shape.hash, where ?? '') }
}

/** The scope is caught up on this connection. */
export function answered(kept: Kept): void {
  kept.stage = null
  if (kept.shifting) return
  kept.asked = false
  kept.again = false
  kept.current = true
}
