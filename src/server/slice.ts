// How many rows of a long reading are read at once. Whoever reads a page holds up everybody else's changes, so a page is
// a small piece of work: so many characters, whether they are many rows or one. Measured in characters and not on a
// clock, because a busy neighbour makes a clock say that pages are too large, and a coarse one that they are not.
// Neighbour: the reader, which makes the pages.

/** Rows of the first page: nobody knows yet how wide they are. */
const firstRows = 100
const mostRows = 250
const pageChars = 64 * 1024

interface Page {
  readonly rows: readonly { readonly json: string | null }[]
}

export class Slice {
  #rows = firstRows

  /** Reads a page of at most so many rows. */
  async read<T extends Page>(page: (rows: number) => Promise<T>): Promise<T> {
    const read = await page(this.#rows)
    const chars = read.rows.reduce((sum, { json }) => sum + (json?.length ?? 0), 1)
    const fitting = Math.floor((read.rows.length * pageChars) / chars)
    if (read.rows.length > 0) this.#rows = Math.min(Math.max(fitting, 1), mostRows)
    return read
  }
}
