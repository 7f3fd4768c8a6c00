// What one round of accepting is asked, and the ways in which it has to be asked again.
import type { ErrorBody, MutationResult } from '../../core/index.ts'
import type { Accepted, Decide, Prepared, Sender } from '../store.ts'
import type { Owners } from './clients.ts'
import type { Entity } from './entity.ts'

export interface AcceptRequest {
  readonly sender: Sender
  readonly mutations: readonly Prepared[]
  readonly decide: Decide
  readonly acked: number
  readonly nowMs: number
  readonly owners: Owners
  /** A mutation that is known to break the transaction itself: booked as refused, and the last of this round. */
  readonly poison: { readonly index: number; readonly message: string } | null
}

export type Lost = { entity: string; id: string; columns: readonly string[] }[]

/** What became of one mutation. */
export type Outcome =
  | {
      readonly kind: 'done'
      readonly status: MutationResult['status']
      readonly error?: ErrorBody
      readonly lost?: Lost
      readonly ids?: Record<string, string>
    }
  | Extract<Accepted, { kind: 'resolve' | 'stale' }>

/** More of the tail is unfolded than a transaction should fold: fold first, then come again. */
export class Behind extends Error {}

/** A trigger of the user's undid the transaction (RAISE(ROLLBACK)) or left half a write (RAISE(FAIL)). */
export class Poisoned extends Error {
  readonly index: number

  constructor(index: number, cause: Error) {
    super(cause.message, { cause })
    this.index = index
  }
}

/** Updates of these tables did more than was known beforehand: do it all again, looking after each. */
export class Surprised extends Error {
  readonly entities: readonly Entity[]

  constructor(entities: readonly Entity[]) {
    super('a write did more than was asked')
    this.entities = entities
  }
}

export const maxUnfolded = 5_000
