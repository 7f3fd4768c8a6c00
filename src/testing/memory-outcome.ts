// What became of the writes of one mutation in the memory database, and what its client is told of it.
import type { ErrorBody, ErrorCode, MutationResult } from '../core/index.ts'
import type { Prepared } from '../server/index.ts'

/** What is known of one client. `temporary`: temporary id to table and id. */
export interface ClientRecord {
  last: number
  lead: number
  readonly results: Map<number | string, MutationResult>
  readonly temporary: Map<string, string>
}

/** How one write of a mutation went. */
export type Outcome =
  | { readonly kind: 'stored'; readonly lost: readonly string[]; readonly merged: boolean }
  | {
      readonly kind: 'refused'
      readonly status: 'conflict' | 'rejected'
      readonly code: ErrorCode
      readonly message: string
      readonly lost: readonly string[]
    }
  | { readonly kind: 'resolve'; readonly seq: number; readonly columns: readonly string[] }

type Refused = Extract<Outcome, { kind: 'refused' }>

export function named({ mutation }: Prepared): { n: number | null; mutation_id?: string } {
  return { n: mutation.n, ...(mutation.mutationId === undefined ? {} : { mutation_id: mutation.mutationId }) }
}

export function rejected(code: ErrorCode, message: string): Refused {
  return { kind: 'refused', status: 'rejected', code, message, lost: [] }
}

/** Why the mutation cannot be stored as a whole: a write that was refused, or a transaction of which a part would be lost. */
export function firstRefusal(outcomes: readonly Outcome[]): Refused | undefined {
  const refused = outcomes.find((outcome): outcome is Refused => outcome.kind === 'refused')
  if (refused !== undefined || outcomes.length === 1) return refused
  const partial = outcomes.find(outcome => outcome.kind === 'stored' && outcome.lost.length > 0)
  if (partial === undefined) return undefined
  return {
    kind: 'refused',
    status: 'conflict',
    code: 'CONFLICT',
    message: 'a part of the transaction met another write',
    lost: [],
  }
}

export function refusal(prepared: Prepared, refused: Refused, outcomes: readonly Outcome[]): MutationResult {
  const error: ErrorBody = { code: refused.code, message: refused.message }
  const lost = refused.status === 'rejected' ? [] : lostOf(prepared, outcomes, true)
  return {
    ...named(prepared),
    status: refused.status,
    version: 0,
    error,
    ...(lost.length === 0 ? {} : { lost }),
  }
}

/** `whole`: nothing of the mutation was stored, so every written column is lost. */
export function lostOf(
  prepared: Prepared,
  outcomes: readonly Outcome[],
  whole = false,
): { entity: string; id: string; columns: readonly string[] }[] {
  return prepared.attempts.flatMap(({ entity, id, attempt }, i) => {
    const outcome = outcomes[i]
    const partly = outcome?.kind === 'stored' ? outcome.lost : []
    const columns = whole ? attempt.columns : partly
    return columns.length === 0 ? [] : [{ entity, id, columns }]
  })
}
