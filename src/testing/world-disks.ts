// What happens to the disks of browsers, in some worlds: one is taken away, before its pages' eyes or while there are none;
// there is no room for a while; a transaction breaks off.
import { seededRandom } from './random.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './time.ts'
import type { Books } from './world-books.ts'
import type { Browser, Profile } from './world-browser.ts'

/** Apart from all other seeds, also from those that tests name. */
const seedsApart = 7 * 2 ** 32

export class Disks {
  readonly #random: Random
  readonly #time: VirtualTime
  readonly #books: Books
  readonly #trace: (line: string) => void
  /** When something happens next. */
  #next = Infinity

  /** Draws lots of its own: where nothing happens to disks, histories stay what they are. */
  constructor(seed: number, time: VirtualTime, books: Books, trace: (line: string) => void) {
    this.#random = seededRandom(seed + seedsApart)
    this.#time = time
    this.#books = books
    this.#trace = trace
    if (this.#random.chance(0.1)) this.#plan()
  }

  #plan(): void {
    this.#next = this.#time.now() + this.#random.between(1_000, 20_000)
  }

  /** Called between two actions of the world. `crash` ends a tab, which comes back later. */
  async act(
    profiles: readonly Profile[],
    tabs: readonly Browser[],
    crash: (tab: Browser) => void,
  ): Promise<void> {
    if (this.#time.now() < this.#next) return
    this.#plan()
    const profile = this.#random.pick(profiles)
    const mine = tabs.filter(({ name }) => name.startsWith(`${profile.name}.`))
    const kind = this.#random.weighted({ evict: 3, remove: 2, full: 1, breaks: 1 })
    this.#trace(`-- disk of ${profile.name}: ${kind}`)
    switch (kind) {
      case 'evict':
        for (const tab of mine) crash(tab)
        return this.#empty(profile)
      case 'remove':
        for (const tab of mine) tab.diskGone()
        return this.#empty(profile)
      case 'full': {
        profile.full = true
        const ms = this.#random.between(500, 5_000)
        this.#time.after(ms, () => void (profile.full = false))
        return
      }
      case 'breaks':
        profile.breaking = this.#random.between(1, 2)
    }
  }

  async #empty({ name, disk }: Profile): Promise<void> {
    this.#books.evict(name)
    await disk.clear()
  }

  /** An end to it. */
  mend(profiles: readonly Profile[]): void {
    this.#next = Infinity
    for (const profile of profiles) Object.assign(profile, { full: false, breaking: 0 })
  }
}
