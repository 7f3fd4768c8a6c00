// Virtual time: nothing waits, nothing happens but what is due next. Events are ordered by (time, a lot drawn from the
// seed), so whatever may happen in either order does, for some seed, and always the same for one seed.
import type { Random } from './random.ts'

export interface VirtualTime {
  /** Milliseconds since 1970 of the world itself. Machines see it through their `clock`. */
  now(): number
  /** Runs `run` once after `ms` of virtual time; the result cancels. */
  after(ms: number, run: () => void): () => void
  /** Resolves after `ms` of virtual time. */
  sleep(ms: number): Promise<void>
  /** Runs everything that falls due within `ms`, then stands exactly there. */
  run(ms: number): Promise<void>
  /** Runs events until `done` says so, at most for `ms`; whether it did. */
  runUntil(done: () => boolean, ms: number): Promise<boolean>
  /** How many events ran: a measure of a world's cost, and equal for equal seeds. */
  readonly steps: number
  /** Errors that event callbacks threw; a world that has any has failed. */
  readonly errors: readonly unknown[]
}

interface Event {
  readonly at: number
  readonly lot: number
  readonly order: number
  readonly run: () => void
  cancelled: boolean
}

export function virtualTime(random: Random, startMs = Date.UTC(2026, 0, 1)): VirtualTime {
  return new EventQueue(random, startMs)
}

class EventQueue implements VirtualTime {
  readonly #random: Random
  readonly errors: unknown[] = []
  #now: number
  #order = 0
  steps = 0
  /** A binary heap. */
  readonly #events: Event[] = []

  constructor(random: Random, startMs: number) {
    this.#random = random
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const at = this.#now + (ms > 0 ? ms : 0)
    const event: Event = { at, lot: this.#random.next(), order: this.#order++, run, cancelled: false }
    push(this.#events, event)
    return () => {
      event.cancelled = true
    }
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      this.after(ms, resolve)
    })
  }

  async run(ms: number): Promise<void> {
    await this.runUntil(() => false, ms)
  }

  async runUntil(done: () => boolean, ms: number): Promise<boolean> {
    const end = this.#now + ms
    await drain()
    while (!done()) {
      const event = this.#events[0]
      if (event === undefined || event.at > end) {
        this.#now = end
        return done()
      }
      pop(this.#events)
      if (event.cancelled) continue
      this.#now = event.at
      this.steps++
      try {
        event.run()
      } catch (error) {
        this.errors.push(error)
      }
      await drain()
    }
    return true
  }
}

/** Lets every promise that can go on go on: a macrotask of the real loop runs only when the microtasks are done. */
function drain(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}

function before(a: Event, b: Event): boolean {
  if (a.at !== b.at) return a.at < b.at
  return a.lot === b.lot ? a.order < b.order : a.lot < b.lot
}

function push(heap: Event[], event: Event): void {
  let at = heap.length
  heap.push(event)
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent]
    if (above === undefined || !before(event, above)) break
    heap[at] = above
    at = parent
  }
  heap[at] = event
}

function pop(heap: Event[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    const left = heap[child]
    if (left === undefined) break
    const right = heap[child + 1]
    let least = left
    if (right !== undefined && before(right, left)) {
      child++
      least = right
    }
    if (!before(least, last)) break
    heap[at] = least
    at = child
  }
  heap[at] = last
}

/** What one machine takes for the time: wrong by an offset, too fast or slow, and stepped now and then. */
export interface Clock {
  now(): number
  /** Moves it by so many milliseconds, either way, as an operator or a bad time server would. */
  step(ms: number): void
}

/** `rate` 1.001 gains a millisecond a second. */
export function skewedClock(time: VirtualTime, offsetMs: number, rate = 1): Clock {
  const start = time.now()
  let offset = offsetMs
  return {
    now: () => Math.floor(start + (time.now() - start) * rate + offset),
    step(ms) {
      offset += ms
    },
  }
}

/** The part of virtual time that dies with a process: after `stop` nothing that it scheduled runs any more. */
export interface Timers {
  after(ms: number, run: () => void): () => void
  stop(): void
}

export function timersOf(time: VirtualTime): Timers {
  let stopped = false
  return {
    after(ms, run) {
      if (stopped) return () => {}
      return time.after(ms, () => {
        if (!stopped) run()
      })
    },
    stop() {
      stopped = true
    },
  }
}
