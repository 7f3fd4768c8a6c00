// The bytes that wait in this process, for clients that read slowly and from clients that send fast. While they are too
// many each connection may have no more than a little waiting: the log is the buffer of the slow (rule S4), and who sends
// is not read further. Rule G5. Neighbours: connections and their inboxes tell what waits.

/** What is left to each while the process has none to spare; Node says when so much has drained, and not before. */
export const leastBytes = 64 * 1024

export class ByteBudget {
  readonly #max: number
  #used = 0

  constructor(max: number) {
    this.#max = max
  }

  get used(): number {
    return this.#used
  }

  get tight(): boolean {
    return this.#used > this.#max
  }

  /** What one may have waiting, who could have `own` if it were alone. */
  limit(own: number): number {
    return this.tight ? Math.min(own, leastBytes) : own
  }

  /** `before` was told of it last; the result is what is to be told next time. */
  move(before: number, now: number): number {
    this.#used += now - before
    return now
  }
}
