// How much of a long reading is read at once. Whoever reads a page holds up everybody else's changes, so pages are as large
// as a short while allows: few rows where they are wide or the disk is slow, many where a page is nothing.
// Neighbour: the reader, which makes the pages.

/** Rows of the first page: nobody knows yet what a row costs. */
const firstRows = 125
const leastRows = 125
const mostRows = 1_000
/** Milliseconds that a page may take. The clock is a coarse one: between the two it stays as it is. */
const shortMs = 1
const longMs = 4

export class Slice {
  readonly #now: () => number
  #rows = firstRows

  constructor(now: () => number) {
    this.#now = now
  }

  /** Reads a page of at most so many rows. */
  async read<T>(page: (rows: number) => Promise<T>): Promise<T> {
    const start = this.#now()
    const read = await page(this.#rows)
    const took = this.#now() - start
    if (took <= shortMs) this.#rows = Math.min(this.#rows * 2, mostRows)
    else if (took >= longMs) this.#rows = Math.max(Math.floor(this.#rows / 2), leastRows)
    return read
  }
}
