// The engine's disk: what it says becomes events of the replica, and promises that end.
import type { SyncError } from '../core/index.ts'
import { post, share, step } from './crew.ts'
import { leads } from './crew-state.ts'
import { createDisk } from './disk.ts'
import type { Disk } from './disk.ts'
import { carryAll, emit, report, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import type { Handle } from './handles.ts'
import { firstDraft } from './store.ts'
import type { ClientStore } from './store.ts'
import { tidyLater } from './tidy.ts'

export function newDisk(engine: () => Engine, store: ClientStore): Disk {
  const handleOf = (n: number): Handle | undefined => engine().handles.get(n)
  return createDisk(store, {
    lead: () => (leads(engine()) ? engine().replica.state.identity.lead : null),
    known: () => engine().replica.state.identity.n,
    stored(ns, numbers, others) {
      const { handles } = engine()
      for (const [draft, n] of numbers) {
        const handle = handles.get(draft)
        if (handle === undefined) continue
        handles.delete(draft)
        handles.set(n, Object.assign(handle, { n }))
      }
      const { broken } = engine()
      for (const n of ns) {
        if (broken === null) handleOf(n)?.onDisk.resolve()
        else handleOf(n)?.onDisk.reject(broken)
      }
      tell(engine(), { type: 'durable', ns, numbers, others }, true)
      // whoever waits for it to be durable need not wait for its frame, and other tabs, as well
      queueMicrotask(() => {
        carryAll(engine())
        share(
          engine(),
          numbers.map(([, n]) => n),
        )
      })
    },
    unstored(ns, error) {
      for (const n of ns) handleOf(n)?.onDisk.reject(error)
      tell(engine(), { type: 'durable', ns: ns.filter(n => n < firstDraft) })
      engine().home?.late(engine())
    },
    removed: ns => post(engine(), { type: 'discarded', ns }),
    failed: (error, everything) => storageFailed(engine(), error, everything),
    fenced: () => step(engine(), { type: 'lost' }),
    committed: () => tidyLater(engine()),
  })
}

export function storageFailed(engine: Engine, error: SyncError, everything = true): void {
  if (engine.broken !== null) return
  if (everything) Object.assign(engine, { storage: 'memory', broken: error })
  else engine.rowsLost = error
  emit(engine, 'storage', { storage: engine.storage, reason: 'failed', error })
  report(engine, error)
}
