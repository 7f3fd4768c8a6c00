// The promises that users hold for their writes.
import type { SyncError } from '../core/index.ts'
import type { Confirmation, WriteHandle } from './api.ts'
import type { Settled } from './state.ts'

interface Open {
  readonly id: string
  persisted(error: SyncError | null): void
  confirmed(result: Confirmation | SyncError): void
}

export interface Handles {
  /** A handle for a mutation whose number is known once `begin` has been called with it. */
  open(id: string): { readonly handle: WriteHandle; begin(n: number): void; fail(error: SyncError): void }
  persisted(ns: readonly number[], error: SyncError | null): void
  settled(n: number, settled: Settled): void
  rejected(n: number, error: SyncError): void
  rejectAll(error: SyncError): void
}

export function createHandles(): Handles {
  const open = new Map<number, Open>()
  return {
    open(id) {
      const made = newHandle(id)
      return {
        handle: made.handle,
        begin(n) {
          made.number(n)
          open.set(n, made)
        },
        fail(error) {
          made.persisted(error)
          made.confirmed(error)
        },
      }
    },
    persisted(ns, error) {
      for (const n of ns) open.get(n)?.persisted(error)
    },
    settled(n, { status, version, ids }) {
      const made = open.get(n)
      made?.confirmed({ status, version, id: ids[made.id] ?? made.id })
      open.delete(n)
    },
    rejected(n, error) {
      open.get(n)?.confirmed(error)
      open.delete(n)
    },
    rejectAll(error) {
      for (const made of open.values()) {
        made.persisted(error)
        made.confirmed(error)
      }
      open.clear()
    },
  }
}

function newHandle(id: string): Open & { readonly handle: WriteHandle; number(n: number): void } {
  let n = 0
  const persisted = deferred<void>()
  const confirmed = deferred<Confirmation>()
  return {
    id,
    handle: {
      id,
      get n() {
        return n
      },
      persisted: persisted.promise,
      confirmed: confirmed.promise,
    },
    number: given => (n = given),
    persisted: error => (error === null ? persisted.resolve() : persisted.reject(error)),
    confirmed: result => ('code' in result ? confirmed.reject(result) : confirmed.resolve(result)),
  }
}

export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: SyncError) => void
}

/** A promise that nobody has to handle. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void // reason: Promise runs its executor before it returns
  let reject!: (error: SyncError) => void // reason: as above
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}
