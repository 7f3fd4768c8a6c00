// Carries `save` effects to the store: one transaction at a time, what comes meanwhile is merged into the next (rule R7).
// Pending mutations go in transactions of their own, so that nothing that is wrong with confirmed rows can hold them up.
// When confirmed rows cannot be stored any more, pending ones still are; when neither can, all stays in memory (R8).
import { SyncError } from '../core/index.ts'
import type { Work } from './state.ts'
import type { ClientStore, EntityCommit, Overlay, PendingRecord, Saving } from './store.ts'

export interface Disk {
  save(work: Work): void
  /** Resolves when all that was given is stored or given up. */
  idle(): Promise<void>
}

export interface DiskEvents {
  /**
   * These mutations may be sent, and the newest that was given of them is stored; `error`: they are in memory only, and
   * refusals that the server must not forget are left out.
   */
  durable(ns: readonly number[], error: SyncError | null): void
  /** Confirmed rows, or everything, are in memory only from now on. */
  failed(error: SyncError, everything: boolean): void
}

interface Waiting extends Saving {
  identity: Saving['identity']
  readonly puts: PendingRecord[]
  readonly removes: number[]
  readonly discards: number[]
  readonly commits: EntityCommit[]
  readonly overlays: Overlay[]
}

const nothing = (): Waiting => ({
  identity: null,
  puts: [],
  removes: [],
  discards: [],
  commits: [],
  overlays: [],
})

interface State {
  readonly store: ClientStore
  readonly events: DiskEvents
  waiting: Waiting
  running: Promise<void> | null
  /** Confirmed rows are stored too. */
  commits: boolean
  broken: SyncError | null
  /** Refusals that are not stored yet. */
  readonly refusals: Set<number>
}

export function createDisk(store: ClientStore, events: DiskEvents): Disk {
  const state: State = {
    store,
    events,
    waiting: nothing(),
    running: null,
    commits: true,
    broken: null,
    refusals: new Set(),
  }
  return {
    save(work) {
      const { waiting } = state
      waiting.identity = work.identity ?? waiting.identity
      append(waiting.puts, work.puts)
      append(waiting.removes, work.removes)
      append(waiting.discards, work.discards ?? [])
      for (const n of work.refusals ?? []) state.refusals.add(n)
      append(waiting.commits, work.commits)
      append(waiting.overlays, work.overlays)
      state.running ??= Promise.resolve().then(() => run(state))
    },
    async idle() {
      while (state.running !== null) await state.running
    },
  }
}

async function run(state: State): Promise<void> {
  while (!isNothing(state.waiting)) {
    const { identity, puts, removes, discards, commits, overlays } = state.waiting
    state.waiting = nothing()
    const pending = puts.length > 0
    // a dead letter goes with its retry: between the two, a tab that dies would leave both
    const first = pending ? { puts, removes: discards, overlays } : {}
    let error = await attempt(state, { ...nothing(), identity, ...first })
    if (error !== null) giveUp(state, error)
    if (pending) announce(state, puts, error)
    const rest = {
      ...nothing(),
      removes,
      commits: state.commits ? commits : [],
      overlays: pending ? [] : overlays,
    }
    error = await attempt(state, rest)
    if (error !== null && rest.commits.length > 0 && state.broken === null) {
      state.commits = false
      state.events.failed(error, false)
      error = await attempt(state, { ...rest, commits: [] })
    }
    if (error !== null) giveUp(state, error)
  }
  state.running = null
}

function announce(
  { waiting, refusals, events }: State,
  puts: readonly PendingRecord[],
  error: SyncError | null,
): void {
  // of what was given anew meanwhile, the dead letter above all, this is not the newest
  const newer = new Set(waiting.puts.map(({ n }) => n))
  if (error === null) for (const { n } of puts) if (!newer.has(n)) refusals.delete(n)
  const ns = puts.map(({ n }) => n).filter(n => !newer.has(n) && !refusals.has(n))
  if (ns.length > 0) events.durable(ns, error)
}

/** Null: stored, or nothing to store. */
async function attempt({ store, broken }: State, work: Saving): Promise<SyncError | null> {
  if (isNothing(work)) return null
  try {
    if (broken === null) await store.save(work)
    return broken
  } catch (cause) {
    return cause instanceof SyncError ? cause : new SyncError('STORAGE_FAILED', String(cause), { cause })
  }
}

function giveUp(state: State, error: SyncError): void {
  if (state.broken === null) state.events.failed((state.broken = error), true)
}

function append<T>(to: T[], items: readonly T[]): void {
  for (const item of items) to.push(item)
}

function isNothing({ identity, puts, removes, commits, overlays }: Saving): boolean {
  return identity === null && puts.length + removes.length + commits.length + overlays.length === 0
}
