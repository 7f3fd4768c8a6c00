// The port between nodes: wake-ups ("log is at n"), never data. A lost one costs latency, never a change.

export interface Bus {
  /** The result stops it. */
  subscribe(deliver: (head: number) => void): () => void
  publish(head: number): void
  close(): Promise<void>
}

/** One process alone. */
export function localBus(): Bus {
  const listeners = new Set<(head: number) => void>()
  return {
    subscribe(deliver) {
      listeners.add(deliver)
      return () => listeners.delete(deliver)
    },
    publish(head) {
      for (const deliver of listeners) deliver(head)
    },
    async close() {
      listeners.clear()
    },
  }
}
