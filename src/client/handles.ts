// The promises that users hold for their writes.
import type { SyncError } from '../core/index.ts'
import type { Confirmation, WriteHandle } from './api.ts'

export interface Handle extends WriteHandle {
  /** Known once the mutation has been made. */
  n: number
  readonly onDisk: Deferred<void>
  readonly done: Deferred<Confirmation>
}

export function newHandle(id: string): Handle {
  const onDisk = deferred<void>()
  const done = deferred<Confirmation>()
  return { id, n: 0, onDisk, done, persisted: onDisk.promise, confirmed: done.promise }
}

export function failHandle({ onDisk, done }: Handle, error: SyncError): void {
  onDisk.reject(error)
  done.reject(error)
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
