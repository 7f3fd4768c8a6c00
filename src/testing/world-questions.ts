// Which answers of the server crossed a question on its way: a live batch that was sent before the question came looks like
// its answer, and may be taken for it. What was asked for is not in it.
import type { VirtualTime } from './time.ts'

interface Passed {
  readonly owner: string
  readonly entities: string
  readonly at: number
  readonly sentAt: number
}

/** So long ago nobody asks any more, in milliseconds. */
const memoryMs = 120_000

export class Questions {
  readonly #time: VirtualTime
  #asked: Passed[] = []
  #told: Passed[] = []

  constructor(time: VirtualTime) {
    this.#time = time
  }

  up(owner: string, text: string): void {
    if (text.startsWith('{"type":"subscribe"')) this.#note(this.#asked, owner, text, this.#time.now())
  }

  down(owner: string, text: string, sentAt: number): void {
    if (!text.startsWith('{"type":"batch"')) return
    this.#note(this.#told, owner, text.slice(0, text.indexOf(']')), sentAt)
  }

  #note(list: Passed[], owner: string, entities: string, sentAt: number): void {
    const now = this.#time.now()
    while ((list[0]?.at ?? now) < now - memoryMs) list.shift()
    list.push({ owner, entities, at: now, sentAt })
  }

  /** Whether what was asked for from `since` on was asked of the server then, and answered by nothing else. */
  isAnswered(owner: string, entity: string, since: number): boolean {
    const of = (list: readonly Passed[]): Passed[] =>
      list.filter(one => one.owner === owner && one.at >= since && one.entities.includes(`"${entity}"`))
    const [first] = of(this.#asked)
    return first !== undefined && of(this.#told).every(({ sentAt }) => sentAt >= first.at)
  }
}
