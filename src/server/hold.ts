// Rule Q2 where frames overtake a refusal: a client may have several `mutate` frames on their way. When one is refused
// as a whole, those behind it must not be processed, or what it held would count as a duplicate when it comes again.
// Neighbours: a connection keeps one; accept lies behind it.
import type { Mutation } from '../core/index.ts'
import { SyncError } from '../core/index.ts'

const pauseMs = 100

export class Hold {
  /** The first mutation that has to come again. */
  #from: number | null = null

  /** A frame that began with this mutation was refused. */
  refused(n: number | null | undefined): void {
    if (n != null && (this.#from === null || n < this.#from)) this.#from = n
  }

  /** Does it; where it fails, these have to come again before what is behind them. */
  unless<T>(mutations: readonly Mutation[], run: () => T): T {
    const failed = (error: unknown): never => {
      this.refused(mutations[0]?.n)
      throw error
    }
    try {
      const done = run()
      return done instanceof Promise ? (done.catch(failed) as T) : done // reason: a promise of the same
    } catch (error) {
      return failed(error)
    }
  }

  /** Whether something before these was refused and neither came again nor was given up. */
  holds(mutations: readonly Mutation[], acked: number): boolean {
    const n = mutations[0]?.n ?? null
    return this.#from !== null && n !== null && n > this.#from && acked < this.#from
  }

  /** Throws OVERLOADED where it holds these. */
  check(mutations: readonly Mutation[], acked: number): void {
    if (!this.holds(mutations, acked)) return
    throw new SyncError('OVERLOADED', `mutation ${this.#from} was refused; send from there`, {
      retryAfterMs: pauseMs,
    })
  }

  /** These were processed. */
  passed(mutations: readonly Mutation[], acked: number): void {
    const last = Math.max(acked, mutations.at(-1)?.n ?? 0)
    if (this.#from !== null && last >= this.#from) this.#from = null
  }
}
