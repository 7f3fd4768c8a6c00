// What one round of accepting is asked, and the two ways in which it has to be asked again.
import type { Decide, Prepared, Sender } from '../store.ts'

export interface AcceptRequest {
  readonly sender: Sender
  readonly mutations: readonly Prepared[]
  readonly decide: Decide
  readonly acked: number
  readonly nowMs: number
  /** A mutation that is known to break the transaction itself: booked as refused, and the last of this round. */
  readonly poison: { readonly index: number; readonly message: string } | null
}

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

export const maxUnfolded = 5_000
