// Networks that let HTTP through and WebSockets not, for a while: refused, swallowed without a word, or let in late. So
// transports race, lose and take over from each other while everything else goes wrong too.
import type { Block } from './network.ts'
import { seededRandom } from './random.ts'
import type { VirtualTime } from './time.ts'

/** Draws lots of its own: the world's other histories stay what they are. */
export class Blocks {
  readonly #time: VirtualTime
  readonly #begin: number
  readonly #windows = new Map<string, { from: number; to: number; block: Block }[]>()

  constructor(time: VirtualTime, seed: number) {
    this.#time = time
    this.#begin = time.now()
    const random = seededRandom(seed)
    for (const owner of ['u0', 'u1', 'u2']) {
      const windows = []
      if (random.chance(0.5)) {
        for (let from = random.int(8_000); from < 30_000; from += random.between(2_000, 15_000)) {
          const block = random.pick(['refused', 'swallowed', 'late'] as const)
          windows.push({ from, to: from + random.between(500, 12_000), block })
        }
      }
      this.#windows.set(owner, windows)
    }
  }

  of(owner: string): Block | null {
    const at = this.#time.now() - this.#begin
    return this.#windows.get(owner)?.find(({ from, to }) => from <= at && at < to)?.block ?? null
  }
}
