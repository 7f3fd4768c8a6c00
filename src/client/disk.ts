// Carries `save` effects to the store: one transaction at a time, what comes meanwhile is merged into the next (rule R7).
// Pending mutations go in transactions of their own, so that nothing that is wrong with confirmed rows can hold them up.
// When confirmed rows cannot be stored any more, pending ones still are; when neither can, all stays in memory (R8).
import { SyncError } from '../core/index.ts'
import type { ClientStore, EntityCommit, Identity, Overlay, PendingRecord, Saving } from './store.ts'

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

interface Waiting {
  identity: Identity | null
  puts: Map<number, PendingRecord>
  removes: number[]
  commits: Map<string, EntityCommit>
  overlays: Map<string, Overlay>
}

const none = { identity: null, puts: [], removes: [], commits: [], overlays: [] }

export function createDisk(store: ClientStore, events: DiskEvents): Disk {
  let waiting = nothing()
  let running: Promise<void> | null = null
  let commits = true
  let broken: SyncError | null = null

  async function attempt(work: Saving): Promise<SyncError | null> {
    if (broken !== null) return broken
    try {
      await store.save(work)
      return null
    } catch (cause) {
      return cause instanceof SyncError ? cause : new SyncError('STORAGE_FAILED', String(cause), { cause })
    }
  }

  async function run(): Promise<void> {
    while (waiting.identity !== null || waiting.puts.size + waiting.removes.length + waiting.commits.size + waiting.overlays.size > 0) {
      const { identity, puts, removes, commits: confirmed, overlays } = waiting
      waiting = nothing()
      let error: SyncError | null = null
      if (puts.size > 0 || identity !== null) {
        error = await attempt({ ...none, identity, puts: [...puts.values()], overlays: [...overlays.values()] })
        overlays.clear()
        if (error !== null) giveUp(error)
        if (puts.size > 0) events.durable([...puts.keys()], error)
      }
      if (removes.length + confirmed.size + overlays.size === 0) continue
      error = await attempt({ ...none, removes, commits: commits ? [...confirmed.values()] : [], overlays: [...overlays.values()] })
      if (error === null) continue
      if (commits && confirmed.size > 0 && broken === null) {
        commits = false
        events.failed(error, false)
        error = await attempt({ ...none, removes, overlays: [...overlays.values()] })
      }
      if (error !== null) giveUp(error)
    }
    running = null
  }

  function giveUp(error: SyncError): void {
    if (broken === null) events.failed(error, true)
    broken = error
  }

  return {
    save(work) {
      merge(waiting, work)
      running ??= Promise.resolve().then(run)
    },
    idle: async () => {
      while (running !== null) await running
    },
  }
}

function nothing(): Waiting {
  return { identity: null, puts: new Map(), removes: [], commits: new Map(), overlays: new Map() }
}

function merge(waiting: Waiting, work: Saving): void {
  waiting.identity = work.identity ?? waiting.identity
  for (const record of work.puts) waiting.puts.set(record.n, record)
  waiting.removes.push(...work.removes)
  for (const overlay of work.overlays) waiting.overlays.set(`${overlay.entity}\n${overlay.id}`, overlay)
  for (const commit of work.commits) {
    const before = waiting.commits.get(commit.entity)
    waiting.commits.set(commit.entity, before === undefined ? commit : follow(before, commit))
  }
}

/** Two commits of an entity as one. */
function follow(before: EntityCommit, after: EntityCommit): EntityCommit {
  if (after.replace) return { ...after, from: before.from }
  const deletes = new Set(before.deletes)
  const puts = new Map(before.puts.map(row => [row.id, row]))
  for (const row of after.puts) {
    puts.set(row.id, row)
    deletes.delete(row.id)
  }
  for (const id of after.deletes) {
    puts.delete(id)
    deletes.add(id)
  }
  return { ...after, from: before.from, replace: before.replace, puts: [...puts.values()], deletes: [...deletes] }
}
