// What the cursors of a subscribe are to this log. Neighbours: the session asks through its connection; reader and
// reconcile answer what is found.
import type { ScopeRequest } from '../core/index.ts'
import type { VerifiedScope } from './session.ts'
import type { ServerStore } from './store.ts'

export async function verifyScopes(
  store: ServerStore,
  requests: readonly ScopeRequest[],
): Promise<VerifiedScope[]> {
  const scopes: VerifiedScope[] = []
  for (const request of requests) {
    if (request.cursor === null) {
      scopes.push({ request, state: 'here', common: null })
      continue
    }
    const known = [request.cursor, ...request.marks]
    const states = await store.verify(known)
    scopes.push({ request, state: states[0] ?? 'off', common: known[states.indexOf('here')] ?? null })
  }
  return scopes
}
