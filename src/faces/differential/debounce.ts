// Updates that wait for others: merged per type, row by row, and made as one after the last.
import { isPlain, notPlain } from './local.ts'
import type { StatePatch } from './local.ts'

/** Later values win, of rows field by field. Throws UNKNOWN_ENTITY; SERIALIZATION_ERROR for what is no plain object. */
export interface DebouncedUpdate {
  (state: StatePatch, entityType?: string): void
  /** Makes what waits now. What cannot be stored is told as `error`. */
  flush(): void
}

/** `waits`: those of which something waits. */
export function debounced(
  ms: number,
  waits: Set<DebouncedUpdate>,
  after: (ms: number, run: () => void) => () => void,
  update: (updates: readonly (readonly [type: string, state: StatePatch])[]) => void,
  typeOf: (entityType: string | undefined) => string,
): DebouncedUpdate {
  const waiting = new Map<string, StatePatch>()
  let cancel = (): void => {}
  const flush = (): void => {
    cancel()
    waits.delete(made)
    const updates = [...waiting]
    waiting.clear()
    if (updates.length > 0) update(updates)
  }
  const add = (state: StatePatch, entityType?: string): void => {
    const type = typeOf(entityType)
    // merged with what waits, it would pass for one
    if (!isPlain(state)) throw notPlain()
    waiting.set(type, over(waiting.get(type) ?? {}, state))
    waits.add(made)
    cancel()
    cancel = after(ms, flush)
  }
  const made = Object.assign(add, { flush })
  return made
}

function over(before: StatePatch, patch: StatePatch): StatePatch {
  const both: Record<string, unknown> = { ...before }
  for (const [key, value] of Object.entries(patch)) {
    const known = both[key]
    both[key] = isPlain(known) && isPlain(value) ? { ...known, ...value } : value
  }
  return both
}
