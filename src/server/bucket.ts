// A token bucket. Whoever has something left may take, also more than is left: the rest is a debt that has to be paid
// back before the next one. So a frame of a thousand mutations needs no burst of a thousand, and a limit below the size
// of a frame slows its sender down instead of stopping it for ever.
import type { Rate } from './limits.ts'

export class TokenBucket {
  readonly #rate: Rate
  /** In thousandths, so that whole milliseconds are counted exactly. */
  #left: number
  #at: number

  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#left = rate.burst * 1000
    this.#at = now
  }

  /** Milliseconds until there is something to take; 0: there is. */
  wait(now: number): number {
    this.#refill(now)
    return this.#left >= 1000 ? 0 : Math.ceil((1000 - this.#left) / this.#rate.perSecond)
  }

  take(cost: number, now: number): void {
    this.#refill(now)
    this.#left -= cost * 1000
  }

  /** Nobody would notice if it were made anew. */
  full(now: number): boolean {
    this.#refill(now)
    return this.#left >= this.#rate.burst * 1000
  }

  #refill(now: number): void {
    // a clock that was set back gives nothing, and takes nothing away
    const passed = Math.max(0, now - this.#at)
    this.#at = now
    this.#left = Math.min(this.#rate.burst * 1000, this.#left + passed * this.#rate.perSecond)
  }
}
