// Events by name, to whoever listens. A listener that throws stops neither the others nor the client.

export type Listener<T> = (detail: T) => void

interface Entry {
  readonly listener: Listener<never>
  readonly once: boolean
}

export class Emitter<E extends object> {
  readonly #entries = new Map<keyof E, Entry[]>()
  readonly #threw: (error: unknown, event: keyof E) => void
  readonly #heard: (event: keyof E) => void

  /** `heard`: somebody listens to it now. */
  constructor(
    threw: (error: unknown, event: keyof E) => void,
    heard: (event: keyof E) => void = (): void => {},
  ) {
    this.#threw = threw
    this.#heard = heard
  }

  /** The result takes the listener away again. */
  add<K extends keyof E>(event: K, listener: Listener<E[K]>, once = false): () => void {
    if (typeof listener !== 'function')
      throw new TypeError(`a listener of '${String(event)}' must be a function`)
    const entry: Entry = { listener, once }
    this.#entries.set(event, [...(this.#entries.get(event) ?? []), entry])
    this.#heard(event)
    return () => this.#keep(event, one => one !== entry)
  }

  remove<K extends keyof E>(event: K, listener: Listener<E[K]>): void {
    this.#keep(event, one => one.listener !== listener)
  }

  /** How many listen. */
  count(event: keyof E): number {
    return this.#entries.get(event)?.length ?? 0
  }

  emit<K extends keyof E>(event: K, detail: E[K]): void {
    for (const entry of this.#entries.get(event) ?? []) {
      if (entry.once) this.#keep(event, one => one !== entry)
      try {
        // reason: a list holds only listeners of its own event, which a map of lists cannot say
        ;(entry.listener as Listener<E[K]>)(detail)
      } catch (error) {
        this.#threw(error, event)
      }
    }
  }

  #keep(event: keyof E, keeps: (entry: Entry) => boolean): void {
    const left = (this.#entries.get(event) ?? []).filter(keeps)
    if (left.length === 0) this.#entries.delete(event)
    else this.#entries.set(event, left)
  }
}
