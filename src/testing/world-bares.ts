// The clients of a world that are not ours: one of rows, one of fields and one of deltas, in one world of
// four. They write and lose their
// lines all the time, beside all else.
import { seededRandom } from './random.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import { Bare } from './world-bare.ts'
import type { Books } from './world-books.ts'
import type { WorldDatabase } from './world-database.ts'
import type { WorldServer } from './world-server.ts'

export interface BaresParts {
  readonly time: VirtualTime
  readonly books: Books
  readonly server: (random: Random) => WorldServer
  readonly trace: (line: string) => void
  /** Whether there may be any. */
  readonly present: boolean
}

/** Beyond 32 bits, where seeds give streams of their own. */
const streams = 2 ** 33

export class Bares {
  readonly #time: VirtualTime
  /** Its own: what it draws moves nothing else of the world. */
  readonly #random: Random
  readonly #all: readonly Bare[]
  #mended = false

  constructor(seed: number, { time, books, server, trace, present }: BaresParts) {
    const random = (this.#random = seededRandom(seed + streams))
    this.#time = time
    const parts = { time, books, trace, server: () => server(random) }
    const dialects = present && random.chance(0.25) ? (['plain', 'field', 'differential'] as const) : []
    this.#all = dialects.map(
      dialect => new Bare(`bare-${dialect}`, dialect, { ...parts, random: random.fork() }),
    )
  }

  begin(): void {
    for (const bare of this.#all) {
      bare.connect()
      this.#live(bare)
    }
  }

  #live(bare: Bare): void {
    this.#time.after(this.#random.between(200, 3000), () => {
      if (this.#mended) return
      if (this.#random.chance(0.2)) bare.cut()
      else bare.write()
      this.#live(bare)
    })
  }

  mend(): void {
    this.#mended = true
  }

  died(server: WorldServer): void {
    for (const bare of this.#all) bare.died(server)
  }

  forget(): void {
    for (const bare of this.#all) bare.forget()
  }

  differences(database: WorldDatabase): string[] {
    return this.#all.flatMap(bare => bare.differences(database))
  }
}
