// Programs that write to the database beside the engine: single statements, and transactions that stay open for a while
// and are committed or rolled back.
import type { AppTransaction, Statements } from './contracts/server-store.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import { programWrites } from './world-actions.ts'
import type { Books } from './world-books.ts'
import type { WorldDatabase } from './world-database.ts'

export class Programs {
  readonly #database: WorldDatabase
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #books: Books
  readonly #trace: (line: string) => void
  #open: AppTransaction | null = null

  constructor(
    database: WorldDatabase,
    time: VirtualTime,
    random: Random,
    books: Books,
    trace: (line: string) => void,
  ) {
    this.#database = database
    this.#time = time
    this.#random = random
    this.#books = books
    this.#trace = trace
  }

  /** A transaction is open. */
  get busy(): boolean {
    return this.#open !== null
  }

  write(on: Statements = this.#database.app): Promise<void> {
    const ids = (table: string): string[] => [...this.#database.rows(table).keys()]
    return this.#tolerate(() => programWrites(on, ids, this.#books, this.#random))
  }

  /** Opened, written in, and ended some time later. */
  async transaction(): Promise<void> {
    if (this.#open !== null) return
    let open: AppTransaction
    try {
      open = await this.#database.app.begin()
    } catch {
      return
    }
    this.#open = open
    for (let i = 0; i < this.#random.between(1, 3); i++) await this.write(open)
    this.#time.after(this.#random.int(400), () => {
      if (this.#open === open) void this.end()
    })
  }

  async end(): Promise<void> {
    const open = this.#open
    this.#open = null
    if (open !== null)
      await this.#tolerate(() => (this.#random.chance(0.6) ? open.commit() : open.rollback()))
  }

  /** A statement may fail: that is the program's affair. */
  async #tolerate(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#trace(`-- refused: ${String(error)}`)
    }
  }
}
