// A client's world under the test's hand: its clock, chance, timers and hints.
import type { ClientEnv, Hint } from '../client/index.ts'

export class FakeEnv implements ClientEnv {
  time = 1_000_000
  chance = 0
  connected = true
  names = 0
  prefix: string
  readonly timers = new Set<{ at: number; run: () => void }>()
  readonly hints = new Set<(hint: Hint) => void>()

  constructor(prefix = 'x') {
    this.prefix = prefix
  }

  now(): number {
    return this.time
  }

  random(): number {
    return this.chance
  }

  online(): boolean {
    return this.connected
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  unique(): string {
    this.names += 1
    return `${this.prefix}${this.names}`
  }

  onHint(listener: (hint: Hint) => void): () => void {
    this.hints.add(listener)
    return () => this.hints.delete(listener)
  }

  hint(hint: Hint): void {
    for (const listener of this.hints) listener(hint)
  }

  /** Runs what is due, in order, with time for promises in between. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms
    await settle()
    for (;;) {
      const [next] = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.timers.delete(next)
      this.time = Math.max(this.time, next.at)
      next.run()
      await settle()
    }
    this.time = end
  }

  /** The machine sleeps: time passes, and timers fire late. */
  async sleep(ms: number): Promise<void> {
    this.time += ms
    await this.advance(0)
  }
}

/** Lets promises and microtasks run until nothing moves. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve()
}
