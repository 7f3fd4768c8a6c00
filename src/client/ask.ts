// Asking for a scope, and the books about what was asked.
import type { EntityShape, Row, ScopeRequest } from '../core/index.ts'
import type { Kept, State } from './state.ts'
import { send } from './state.ts'

/** Once per gap: what else does not fit is left until the answer is here. */
export function ask(state: State, kept: Kept): void {
  if (kept.asked || kept.refused) return
  askAll(state, [kept])
}

export function askAll(state: State, all: Iterable<Kept>): void {
  const asked = Array.from(all).filter(kept => prepare(state, kept))
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
    // a snapshot begins anew. What was staged from a cursor stays: its last part may still fit, and would be taken for
    // the whole without the others (rule R4)
    if (kept.cursor === null) kept.stage = null
    const { name: entity, cursor, marks, shape, where } = kept
    kept.shifting = cursor !== null && shape?.hash !== shapeIn(state, kept)?.hash
    // reason: a filter is an object
    return {
      entity,
      cursor,
      marks,
      shape: shape?.hash ?? null,
      ...(where && { where: JSON.parse(where) as Row }),
    }
  })
  send(state, { type: 'subscribe', scopes })
}

/** Whether there is something to ask for. */
function prepare(state: State, kept: Kept): boolean {
  const shape = shapeIn(state, kept)
  kept.current = kept.refused = shape === undefined || kept.where === null
  if (shape !== undefined && kept.cursor === null) kept.shape = shape
  return !kept.refused
}

/** As the server calls the shape of the rows that are wanted. */
export function shapeIn({ shapes }: State, { name, where }: Kept): EntityShape | undefined {
  const shape = shapes[name]
  return shape && where ? { ...shape, hash: `${shape.hash}|${where}` } : shape
}

/** The scope is caught up on this connection. */
export function answered(kept: Kept): void {
  kept.stage = null
  if (kept.shifting) return
  kept.asked = false
  kept.again = false
  kept.current = true
}
