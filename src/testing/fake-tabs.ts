// The tabs of one browser under a test's hand: which hear each other, which are frozen, who has the lock.
import type { Channel, Lock, LockEvents, Posted, Tabs } from '../client/index.ts'

interface Member {
  readonly tab: string
  readonly hear: (message: Posted) => void
}

interface Waiter {
  readonly tab: string
  readonly events: LockEvents
}

export class FakeTabs {
  /** Every message that was posted. */
  readonly log: { readonly from: string; readonly message: Posted }[] = []
  /** Messages do not reach these. */
  readonly deaf = new Set<string>()
  /** Nobody sees these. */
  readonly hidden = new Set<string>()
  /** False: a platform without Web Locks. */
  locks = true
  /** False: a platform without BroadcastChannel. */
  channels = true
  readonly #channels = new Map<string, Set<Member>>()
  readonly #queues = new Map<string, Waiter[]>()
  readonly #frozen = new Map<string, (() => void)[]>()
  readonly #due = new Map<string, (() => void)[]>()
  /** Runs what is heard: a world lets time pass before. */
  readonly #later: (run: () => void) => void

  constructor(later: (run: () => void) => void = queueMicrotask) {
    this.#later = later
  }

  of(tab: string): Tabs {
    return {
      channel: (name, hear) => (this.channels ? this.#join(tab, name, hear) : null),
      lock: (name, events) => (this.locks ? this.#wait(tab, name, events) : null),
    }
  }

  /** Nothing runs in it: what it would hear waits. */
  freeze(tab: string): void {
    if (!this.#frozen.has(tab)) this.#frozen.set(tab, [])
  }

  thaw(tab: string): void {
    const held = this.#frozen.get(tab) ?? []
    this.#frozen.delete(tab)
    for (const run of held) run()
  }

  /** How many channels and locks it has or waits for. */
  held(tab: string): number {
    const sets = [...this.#channels.values(), ...this.#queues.values()]
    return sets.flatMap(members => [...members]).filter(member => member.tab === tab).length
  }

  thawAll(): void {
    for (const tab of this.#frozen.keys()) this.thaw(tab)
  }

  /** The tab is gone at once, and its locks with it. */
  kill(tab: string): void {
    this.#frozen.delete(tab)
    this.#due.delete(tab)
    for (const members of this.#channels.values())
      for (const member of members) if (member.tab === tab) members.delete(member)
    for (const [name, queue] of this.#queues) {
      const [holder] = queue
      this.#queues.set(
        name,
        queue.filter(waiter => waiter.tab !== tab),
      )
      if (holder?.tab === tab) this.#grant(name)
    }
  }

  /** In the order in which it happened, however long each takes. */
  #run(tab: string, run: () => void): void {
    const queue = this.#queue(tab)
    queue.push(run)
    this.#later(() => {
      const next = queue.shift()
      if (next === undefined) return
      const held = this.#frozen.get(tab)
      if (held === undefined) next()
      else held.push(next)
    })
  }

  #queue(tab: string): (() => void)[] {
    const queue = this.#due.get(tab) ?? []
    this.#due.set(tab, queue)
    return queue
  }

  #join(tab: string, name: string, hear: Member['hear']): Channel {
    const members = this.#channels.get(name) ?? new Set()
    this.#channels.set(name, members)
    const member = { tab, hear }
    members.add(member)
    return {
      post: message => {
        if (!members.has(member)) return
        this.log.push({ from: tab, message })
        const text = JSON.stringify(message)
        for (const other of members) {
          if (other === member || this.deaf.has(other.tab)) continue
          this.#run(other.tab, () => {
            // reason: it was a message when it was printed
            if (members.has(other)) other.hear(JSON.parse(text) as Posted)
          })
        }
      },
      close: () => void members.delete(member),
    }
  }

  #wait(tab: string, name: string, events: LockEvents): Lock {
    const waiter = { tab, events }
    const queue = this.#queues.get(name) ?? []
    this.#queues.set(name, queue)
    queue.push(waiter)
    if (queue.length === 1) this.#grant(name)
    return {
      steal: () => {
        const now = this.#queues.get(name) ?? []
        const [holder] = now
        if (holder === waiter) return
        this.#queues.set(name, [waiter, ...now.filter(other => other !== waiter && other !== holder)])
        if (holder !== undefined) this.#run(holder.tab, () => holder.events.lost())
        this.#grant(name)
      },
      release: () => {
        const now = this.#queues.get(name) ?? []
        const held = now[0] === waiter
        this.#queues.set(
          name,
          now.filter(other => other !== waiter),
        )
        if (held) this.#grant(name)
      },
    }
  }

  #grant(name: string): void {
    const [first] = this.#queues.get(name) ?? []
    if (first === undefined) return
    this.#run(first.tab, () => {
      if (this.#queues.get(name)?.[0] === first) first.events.granted()
    })
  }
}
