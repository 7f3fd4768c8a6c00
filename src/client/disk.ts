// Carries `save` effects to the store: one transaction at a time, what comes meanwhile is merged into the next (rule R7).
// Pending mutations go in transactions of their own, so that nothing that is wrong with confirmed rows can hold them up;
// there the store gives new ones their numbers (Q2). When confirmed rows cannot be stored any more, pending ones still
// are; when neither can, all stays in memory (R8).
import { SyncError } from '../core/index.ts'
import type { Work } from './state.ts'
import { firstDraft, numbered } from './store.ts'
import type { ClientStore, EntityCommit, Overlay, PendingRecord, Saved, Saving } from './store.ts'

export interface Disk {
  save(work: Work): void
  /** What the server said is another tab's to store from now on, also what waits here. */
  yield(): void
  /** Resolves when all that was given is stored or given up. */
  idle(): Promise<void>
}

/** Which numbers drafts have got. */
export type Numbers = readonly (readonly [draft: number, n: number])[]

export interface DiskEvents {
  /** The lead under which confirmed rows and removals are stored; null: another tab does that, and here they are left. */
  lead(): number | null
  known(): number
  /** The newest that was given of these is stored, new ones under `numbers`; `others` are what other tabs stored. */
  stored(ns: readonly number[], numbers: Numbers, others: readonly PendingRecord[]): void
  /** Confirmed rows are on disk. */
  committed(): void
  /** These are not among the pending ones any more. */
  removed(ns: readonly number[]): void
  /** Refused, and in memory only; refusals that the server must not forget are left out. */
  unstored(ns: readonly number[], error: SyncError): void
  /** Confirmed rows, or everything, are in memory only from now on. */
  failed(error: SyncError, everything: boolean): void
  /** Another tab leads: nothing was stored. */
  fenced(): void
}

interface Waiting {
  identity: Saving['identity']
  readonly news: Map<number, PendingRecord>
  readonly puts: PendingRecord[]
  readonly removes: number[]
  readonly discards: number[]
  readonly commits: EntityCommit[]
  readonly overlays: Overlay[]
}

const waitingNothing = (): Waiting => ({
  identity: null,
  news: new Map(),
  puts: [],
  removes: [],
  discards: [],
  commits: [],
  overlays: [],
})

export const nothing: Saving = {
  lead: null,
  identity: null,
  known: 0,
  news: [],
  puts: [],
  removes: [],
  commits: [],
  overlays: [],
}

interface State {
  readonly store: ClientStore
  readonly events: DiskEvents
  waiting: Waiting
  running: Promise<void> | null
  /** Drafts on their way: what comes of them meanwhile waits for their numbers. */
  flying: ReadonlyMap<number, PendingRecord>
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
    waiting: waitingNothing(),
    running: null,
    flying: new Map(),
    commits: true,
    broken: null,
    refusals: new Set(),
  }
  return {
    save(work) {
      const { waiting } = state
      // what became of a mutation, and of rows, is for the leading tab to store: late, it would bring back what is over
      const leads = events.lead() !== null
      waiting.identity = work.identity ?? waiting.identity
      for (const record of work.puts) {
        if (record.n >= firstDraft && !state.flying.has(record.n)) waiting.news.set(record.n, record)
        else if (record.n >= firstDraft || leads) waiting.puts.push(record)
      }
      const discards = work.discards ?? []
      for (const n of leads ? work.removes : discards) if (!waiting.news.delete(n)) waiting.removes.push(n)
      append(waiting.discards, discards)
      for (const n of work.refusals ?? []) state.refusals.add(n)
      if (leads) append(waiting.commits, work.commits)
      append(waiting.overlays, work.overlays)
      state.running ??= Promise.resolve().then(() => run(state))
    },
    yield() {
      const { waiting } = state
      waiting.commits.length = 0
      waiting.removes.splice(0, Infinity, ...waiting.discards)
    },
    async idle() {
      while (state.running !== null) await state.running
    },
  }
}

async function run(state: State): Promise<void> {
  const { events } = state
  while (!isNothing(state.waiting)) {
    const { identity, news, puts, removes, discards, commits, overlays } = state.waiting
    state.waiting = waitingNothing()
    state.flying = news
    const pending = news.size + puts.length > 0
    // a dead letter goes with its retry: between the two, a tab that dies would leave both
    const first = pending ? { news: [...news.values()], puts, removes: discards, overlays } : {}
    await attemptPending(state, { ...nothing, identity, known: events.known(), ...first })
    const lead = events.lead()
    const rest = {
      ...nothing,
      lead,
      removes: lead === null ? discards : removes,
      commits: state.commits && lead !== null ? commits : [],
      overlays: pending ? [] : overlays,
    }
    let error = await attempt(state, rest)
    if (isError(error) && rest.commits.length > 0 && state.broken === null) {
      state.commits = false
      events.failed(error, false)
      error = await attempt(state, { ...rest, commits: [] })
    }
    if (isError(error)) {
      giveUp(state, error)
      continue
    }
    if (error === null) continue
    if (lead !== null && rest.removes.length > 0) events.removed(rest.removes)
    if (rest.commits.length > 0) events.committed()
  }
  state.running = null
}

async function attemptPending(state: State, work: Saving): Promise<void> {
  const { events } = state
  const done = await attempt(state, work)
  state.flying = new Map()
  if (isError(done)) {
    giveUp(state, done)
    const ns = newest(state, [...work.news, ...work.puts])
    if (ns.length > 0) events.unstored(ns, done)
    return
  }
  if (done === null) return
  const numbers = work.news.map(({ n }, i) => [n, done.first + i] as const)
  renumber(state, new Map(numbers))
  for (const { n } of work.puts) if (!isNewer(state, n)) state.refusals.delete(n)
  const stored = [...numbers.map(([, n]) => n), ...work.puts.map(({ n }) => n)]
  if (stored.length > 0)
    events.stored(
      newest(
        state,
        stored.map(n => ({ n })),
      ),
      numbers,
      done.others,
    )
}

/** What came of drafts while they were on their way. */
function renumber({ waiting }: State, numbers: ReadonlyMap<number, number>): void {
  const real = (n: number): number => numbers.get(n) ?? n
  for (const [i, record] of waiting.puts.entries()) waiting.puts[i] = numbered(record, real(record.n))
  for (const list of [waiting.removes, waiting.discards])
    for (const [i, n] of list.entries()) list[i] = real(n)
}

/** Of what was given anew meanwhile, the dead letter above all, this is not the newest. */
function newest(state: State, records: readonly { readonly n: number }[]): number[] {
  return records.map(({ n }) => n).filter(n => !isNewer(state, n) && !state.refusals.has(n))
}

function isNewer({ waiting }: State, n: number): boolean {
  return waiting.puts.some(record => record.n === n)
}

/** Null: there was nothing to store, or another tab leads. */
async function attempt({ store, broken, events }: State, work: Saving): Promise<Saved | SyncError | null> {
  if (isNothing(work)) return null
  if (broken !== null) return broken
  try {
    return await store.save(work)
  } catch (cause) {
    if (!(cause instanceof SyncError)) return new SyncError('STORAGE_FAILED', String(cause), { cause })
    if (cause.code !== 'FENCED') return cause
    events.fenced()
    return null
  }
}

function isError(done: Saved | SyncError | null): done is SyncError {
  return done instanceof SyncError
}

function giveUp(state: State, error: SyncError): void {
  if (state.broken === null) state.events.failed((state.broken = error), true)
}

function append<T>(to: T[], items: readonly T[]): void {
  for (const item of items) to.push(item)
}

function isNothing({ identity, news, puts, removes, commits, overlays }: Saving | Waiting): boolean {
  const added = 'size' in news ? news.size : news.length
  return identity === null && added + puts.length + removes.length + commits.length + overlays.length === 0
}
