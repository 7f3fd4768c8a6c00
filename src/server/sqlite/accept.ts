// A client's mutations as one immediate transaction (line B, rules D*, Q3, Q6, Q7): dedupe, decide, store, patch what the
// triggers logged, book the results. Synchronous from BEGIN to COMMIT; what fails spoils nothing else.
import type { MutationResult } from '../../core/index.ts'
import type { Accepted, Prepared } from '../store.ts'
import {
  checkLead,
  clientKey,
  forgetResults,
  namedResult,
  nameOfMutation,
  readClient,
  resultOf,
  saveClient,
  saveNamed,
  saveResults,
} from './clients.ts'
import type { ClientKey } from './clients.ts'
import type { Connection } from './driver.ts'
import type { Catalog } from './entity.ts'
import type { Overlay } from './overlay.ts'
import { readHead } from './read.ts'
import { Behind, maxUnfolded } from './request.ts'
import type { AcceptRequest } from './request.ts'
import { Rows } from './rows.ts'
import { checkAt } from './tail.ts'
import { Writer } from './writer.ts'
import type { Outcome } from './writer.ts'

export interface AcceptedSome {
  /** For a prefix of the mutations at least. */
  readonly accepted: readonly Accepted[]
  /** To be called when the transaction is committed. */
  committed(): void
}

/** Inside an immediate transaction. Throws FENCED, Behind, Poisoned. */
export function acceptSome(
  db: Connection,
  catalog: Catalog,
  overlay: Overlay,
  request: AcceptRequest,
): AcceptedSome {
  const key = clientKey(request.sender)
  const known = readClient(db, key)
  checkLead(request.sender, known)
  if (!overlay.advance(db, catalog, maxUnfolded)) throw new Behind()
  const head = readHead(db)
  const rows = new Rows(db, overlay)
  const writer = new Writer({ db, catalog, rows, request, key, horizon: head.horizon, head: head.seq })
  const round = new Round(db, request, key, known.last, writer)
  const accepted = round.run()
  round.book(Math.max(known.lead, request.sender.lead ?? 0))
  const check = checkAt(db, writer.head)
  return { accepted, committed: () => overlay.merge(rows.changed, writer.head, check) }
}

class Round {
  readonly #db: Connection
  readonly #request: AcceptRequest
  readonly #key: ClientKey
  readonly #writer: Writer
  #last: number
  readonly #fresh: MutationResult[] = []
  readonly #named = new Map<string, MutationResult>()

  constructor(db: Connection, request: AcceptRequest, key: ClientKey, last: number, writer: Writer) {
    this.#db = db
    this.#request = request
    this.#key = key
    this.#last = last
    this.#writer = writer
  }

  run(): Accepted[] {
    const { mutations, poison } = this.#request
    this.#writer.prefetch(mutations)
    const accepted: Accepted[] = []
    for (const [index, prepared] of mutations.entries()) {
      const duplicate = this.#duplicate(prepared)
      if (duplicate !== undefined) {
        accepted.push({ kind: 'result', result: { ...duplicate, ...nameOf(prepared), status: 'duplicate' } })
        continue
      }
      const outcome = poison?.index === index ? refusedBy(poison.message) : this.#outcome(prepared, index)
      if (outcome.kind === 'resolve') {
        // those behind it have to wait: one client's mutations are processed in order (rule Q2)
        accepted.push(outcome)
        break
      }
      accepted.push({ kind: 'result', result: this.#remember(prepared, outcome) })
      if (poison?.index === index) break
    }
    return accepted
  }

  #outcome(prepared: Prepared, index: number): Outcome {
    if (prepared.rejected !== undefined) return { kind: 'done', status: 'rejected', error: prepared.rejected }
    return this.#writer.write(prepared, index)
  }

  #duplicate({ mutation }: Prepared): Omit<MutationResult, 'status'> | undefined {
    const { n } = mutation
    if (n !== null) {
      if (n > this.#last) return undefined
      return (
        this.#fresh.find(result => result.n === n) ??
        resultOf(this.#db, this.#key, n) ?? { n, version: this.#writer.head }
      )
    }
    const name = nameOfMutation(mutation)
    if (name === undefined) return undefined
    return this.#named.get(name) ?? namedResult(this.#db, this.#key, name)
  }

  #remember(prepared: Prepared, { kind, ...outcome }: Extract<Outcome, { kind: 'done' }>): MutationResult {
    const { n } = prepared.mutation
    const name = nameOfMutation(prepared.mutation)
    const result: MutationResult = { ...nameOf(prepared), ...outcome, version: this.#writer.head }
    if (n !== null) {
      this.#last = n
      this.#fresh.push(result)
    } else if (name !== undefined) this.#named.set(name, result)
    return result
  }

  book(lead: number): void {
    const { acked, nowMs, sender } = this.#request
    if (acked > 0) forgetResults(this.#db, this.#key, acked)
    saveResults(this.#db, this.#key, this.#fresh, nowMs)
    for (const [mutation, result] of this.#named) saveNamed(this.#db, this.#key, mutation, result, nowMs)
    if (sender.client !== null) saveClient(this.#db, this.#key, { last: this.#last, lead }, nowMs)
  }
}

function nameOf({ mutation }: Prepared): { n: number | null; mutation_id?: string } {
  return mutation.mutationId === undefined
    ? { n: mutation.n }
    : { n: mutation.n, mutation_id: mutation.mutationId }
}

function refusedBy(message: string): Outcome {
  return {
    kind: 'done',
    status: 'rejected',
    error: {
      code: 'CONSTRAINT_FAILED',
      message: 'the database refused the change',
      details: { sqlite: message },
    },
  }
}
