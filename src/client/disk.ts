// Carries `save` effects to the store: one transaction at a time, what comes meanwhile is merged into the next (rule R7).
// Pending mutations go in transactions of their own, so that nothing that is wrong with confirmed rows can hold them up.
// When confirmed rows cannot be stored any more, pending ones still are; when neither can, all stays in memory (R8).
import { SyncError } from '../core/index.ts'
import type { ClientStore, EntityCommit, Overlay, PendingRecord, Saving } from './store.ts'

export interface Disk {
  save(work: Saving): void
  /** Resolves when all that was given is stored or given up. */
  idle(): Promise<void>
}

export interface DiskEvents {
  /** These mutations may be sent; `error`: they are in memory only. */
  durable(ns: readonly number[], error: SyncError | null): void
  /** Confirmed rows, or everything, are in memory only from now on. */
  failed(error: SyncError, everything: boolean): void
}

interface Waiting extends Saving {
  identity: Saving['identity']
  readonly puts: PendingRecord[]
  readonly removes: number[]
  readonly commits: EntityCommit[]
  readonly overlays: Overlay[]
}

const nothing = (): Waiting => ({ identity: null, puts: [], removes: [], commits: [], overlays: [] })

export function createDisk(store: ClientStore, events: DiskEvents): Disk {
  let waiting = nothing()
  let running: Promise<void> | null = null
  let commits = true
  let broken: SyncError | null = null

  /** Null: stored, or nothing to store. */
  async function attempt(work: Saving): Promise<SyncError | null> {
    if (isNothing(work)) return null
    try {
      if (broken === null) await store.save(work)
      return broken
    } catch (cause) {
      return cause instanceof SyncError ? cause : new SyncError('STORAGE_FAILED', String(cause), { cause })
    }
  }

  function giveUp(error: SyncError): void {
    if (broken === null) events.failed((broken = error), true)
  }

  async function run(): Promise<void> {
    while (!isNothing(waiting)) {
      const { identity, puts, removes, commits: confirmed, overlays } = waiting
      waiting = nothing()
      const first = { ...nothing(), identity, puts, overlays: puts.length > 0 ? overlays : [] }
      let error = await attempt(first)
      if (error !== null) giveUp(error)
      if (puts.length > 0) events.durable(puts.map(({ n }) => n), error)
      const second = { ...nothing(), removes, commits: commits ? confirmed : [], overlays: puts.length > 0 ? [] : overlays }
      error = await attempt(second)
      if (error !== null && second.commits.length > 0 && broken === null) {
        commits = false
        events.failed(error, false)
        error = await attempt({ ...second, commits: [] })
      }
      if (error !== null) giveUp(error)
    }
    running = null
  }

  return {
    save(work) {
      waiting.identity = work.identity ?? waiting.identity
      append(waiting.puts, work.puts)
      append(waiting.removes, work.removes)
      append(waiting.commits, work.commits)
      append(waiting.overlays, work.overlays)
      running ??= Promise.resolve().then(run)
    },
    idle: async () => {
      while (running !== null) await running
    },
  }
}

function append<T>(to: T[], items: readonly T[]): void {
  for (const item of items) to.push(item)
}

function isNothing({ identity, puts, removes, commits, overlays }: Saving): boolean {
  return identity === null && puts.length + removes.length + commits.length + overlays.length === 0
}
