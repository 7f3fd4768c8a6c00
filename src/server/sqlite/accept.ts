// A client's mutations as one immediate transaction (line B, rules D*, Q3, Q6, Q7): dedupe, decide, store, patch what the
// triggers logged, book the results. Synchronous from BEGIN to COMMIT; what fails spoils nothing else.
import type { MutationResult } from '../../core/index.ts'
import type { Accepted, Identified, Prepared } from '../store.ts'
import {
  checkLead,
  clientKey,
  forgetResults,
  namedResult,
  nameOfMutation,
  readClient,
  resultOf,
  saveNamed,
  saveResults,
  touchClient,
} from './clients.ts'
import type { ClientKey } from './clients.ts'
import type { Connection } from './driver.ts'
import type { Catalog } from './entity.ts'
import type { Overlay } from './overlay.ts'
import { Behind, maxUnfolded } from './request.ts'
import type { AcceptRequest, Outcome } from './request.ts'
import { Rows } from './rows.ts'
import { placeOf } from './tail.ts'
import { Writer } from './writer.ts'

export interface AcceptedSome {
  /** For a prefix of the mutations at least. */
  readonly accepted: readonly Accepted[]
  /** To be called when the transaction is committed. */
  committed(): void
}

/** Inside an immediate transaction. Throws FENCED, Behind, Poisoned, Surprised. */
export function acceptSome(
  db: Connection,
  catalog: Catalog,
  overlay: Overlay,
  request: AcceptRequest,
): AcceptedSome {
  const place = placeOf(db)
  const key = clientKey(request.sender)
  const known = readClient(db, key)
  checkLead(request.sender, known)
  if (!overlay.advance(db, catalog, maxUnfolded, place)) throw new Behind()
  const rows = new Rows(db, overlay)
  const writer = new Writer({ db, catalog, rows, request, key, place })
  const round = new Round(db, request, key, known, writer)
  const accepted = round.run()
  const { head, check } = writer.finish()
  round.book(place.seq)
  return { accepted, committed: () => overlay.merge(rows.changed, head, check) }
}

/** A result in the making: its version is known when all that was written is read. */
type Draft = { -readonly [Key in keyof MutationResult]: MutationResult[Key] }

class Round {
  readonly #db: Connection
  readonly #request: AcceptRequest
  readonly #key: ClientKey
  readonly #known: Identified
  readonly #writer: Writer
  #last: number
  /** New results, with the places of their mutations. */
  readonly #drafts: { readonly draft: Draft; readonly index: number }[] = []
  readonly #fresh = new Map<number, Draft>()
  readonly #named = new Map<string, Draft>()

  constructor(db: Connection, request: AcceptRequest, key: ClientKey, known: Identified, writer: Writer) {
    this.#db = db
    this.#request = request
    this.#key = key
    this.#known = known
    this.#last = known.last
    this.#writer = writer
  }

  run(): Accepted[] {
    const { mutations, poison } = this.#request
    this.#writer.prefetch(mutations)
    const accepted: Accepted[] = []
    for (const [index, prepared] of mutations.entries()) {
      const duplicate = this.#duplicate(prepared, index)
      if (duplicate !== undefined) {
        accepted.push({ kind: 'result', result: duplicate })
        continue
      }
      const outcome = poison?.index === index ? refusedBy(poison.message) : this.#outcome(prepared, index)
      if (outcome.kind !== 'done') {
        // those behind it have to wait: one client's mutations are processed in order (rule Q2)
        accepted.push(outcome)
        break
      }
      accepted.push({ kind: 'result', result: this.#remember(prepared, outcome, index) })
      if (poison?.index === index) break
    }
    return accepted
  }

  #outcome(prepared: Prepared, index: number): Outcome {
    if (prepared.rejected !== undefined) return { kind: 'done', status: 'rejected', error: prepared.rejected }
    return this.#writer.write(prepared, index)
  }

  #duplicate(prepared: Prepared, index: number): MutationResult | undefined {
    const { n } = prepared.mutation
    const name = nameOfMutation(prepared.mutation)
    if (n !== null && n > this.#last) return undefined
    const again = (result: Omit<MutationResult, 'status'>): MutationResult => ({
      ...result,
      ...nameOf(prepared),
      status: 'duplicate',
    })
    const draft = n === null ? this.#named.get(name ?? '') : this.#fresh.get(n)
    if (draft !== undefined) return this.#draft(again(draft), index)
    if (n !== null) {
      const stored = resultOf(this.#db, this.#key, n)
      return stored === undefined ? this.#draft(again({ n, version: 0 }), index) : again(stored)
    }
    const stored = name === undefined ? undefined : namedResult(this.#db, this.#key, name)
    return stored === undefined ? undefined : again(stored)
  }

  #remember(
    prepared: Prepared,
    { kind, ...outcome }: Extract<Outcome, { kind: 'done' }>,
    index: number,
  ): MutationResult {
    const { n } = prepared.mutation
    const name = nameOfMutation(prepared.mutation)
    const draft = this.#draft({ ...nameOf(prepared), ...outcome, version: 0 }, index)
    if (n !== null) {
      this.#last = n
      this.#fresh.set(n, draft)
    } else if (name !== undefined) this.#named.set(name, draft)
    return draft
  }

  #draft(draft: Draft, index: number): Draft {
    this.#drafts.push({ draft, index })
    return draft
  }

  /** When the writer is finished; `version`: the place of the log before. */
  book(version: number): void {
    let settled = version
    for (const { draft, index } of this.#drafts)
      draft.version = settled = Math.max(settled, this.#writer.versionOf(index))
    const { acked, nowMs, sender } = this.#request
    for (const [mutation, result] of this.#named) saveNamed(this.#db, this.#key, mutation, result, nowMs)
    if (sender.client === null) return
    const known = { last: this.#last, lead: Math.max(this.#known.lead, sender.lead ?? 0) }
    // the newest record stays, without its results: it is the client's
    if (acked > 0) forgetResults(this.#db, this.#key, Math.min(acked, known.last - 1))
    if (this.#fresh.size === 0) touchClient(this.#db, this.#key, known, acked, nowMs)
    else saveResults(this.#db, this.#key, known, [...this.#fresh.values()], nowMs)
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
