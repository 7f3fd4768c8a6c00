import { expect, test } from 'vitest'
import { SyncError } from '../core/index.ts'
import { createDisk } from './disk.ts'
import { memoryStore } from './memory.ts'
import type { Work } from './state.ts'
import { firstDraft } from './store.ts'
import type { ClientStore, EntityCommit, PendingRecord, Saving } from './store.ts'

const none: Work = { identity: null, puts: [], removes: [], commits: [], overlays: [] }
const at = (seq: number) => ({ epoch: 'e', seq, check: seq })
const draft = (k: number): PendingRecord => put(firstDraft + k)
const put = (n: number): PendingRecord => ({
  n,
  timestamp: 0,
  mutation: { n, base: null, stamp: null, writes: [] },
})

function commit(from: number | null, to: number, more: Partial<EntityCommit> = {}): EntityCommit {
  return {
    entity: 't',
    replace: false,
    puts: [],
    deletes: [],
    from: from === null ? null : at(from),
    cursor: at(to),
    marks: [],
    shape: null,
    ...more,
  }
}

function rig(fails: (work: Saving) => SyncError | null = () => null) {
  const inner = memoryStore()
  const works: Saving[] = []
  const store: ClientStore = {
    ...inner,
    save(work) {
      works.push(work)
      const error = fails(work)
      return error === null ? inner.save(work) : Promise.reject(error)
    },
  }
  const log: string[] = []
  const leading: { lead: number | null } = { lead: 0 }
  const short = (n: number): string => (n < firstDraft ? String(n) : `d${n - firstDraft}`)
  const disk = createDisk(store, {
    lead: () => leading.lead,
    known: () => 0,
    stored: (ns, numbers) =>
      log.push(`stored ${ns.join()}${numbers.map(([from, to]) => ` ${short(from)}=${to}`).join('')}`),
    removed: ns => log.push(`removed ${ns.join()}`),
    committed: () => {},
    unstored: (ns, error) => log.push(`unstored ${ns.map(short).join()} ${error.code}`),
    failed: (error, everything) => log.push(`failed ${error.code} ${everything}`),
    fenced: () => log.push('fenced'),
  })
  return { disk, works, log, inner, leading }
}

test('[R7] one transaction at a time; what comes meanwhile is merged into the next', async () => {
  const { disk, works, log, inner } = rig()
  await inner.claim({ client: 'c', n: 0, lead: 0, user: null, reading: 0 }, null)
  const row = (id: string, seq: number) => ({ id, seq, row: { id } })
  disk.save({ ...none, commits: [commit(null, 1, { puts: [row('a', 1), row('b', 1)] })] })
  disk.save({ ...none, puts: [draft(1)] })
  await Promise.resolve()
  disk.save({ ...none, commits: [commit(1, 2, { puts: [row('c', 2)], deletes: ['a'] })] })
  disk.save({ ...none, puts: [draft(2)] })
  disk.save({ ...none, commits: [commit(2, 3, { puts: [row('a', 3)], deletes: ['c'] })], removes: [1] })
  await disk.idle()
  expect(works.map(work => [work.news.length, work.commits.length, work.removes])).toEqual([
    [1, 0, []],
    [0, 1, []],
    [1, 0, []],
    [0, 2, [1]],
  ])
  expect(log).toEqual(['stored 1 d1=1', 'stored 2 d2=2', 'removed 1'])
  const loaded = await inner.load(['t'])
  expect(
    loaded.entities
      .get('t')
      ?.rows.map(({ id }) => id)
      .sort(),
  ).toEqual(['a', 'b'])
  expect(loaded.pending.map(({ n }) => n)).toEqual([2])
})

test('[Q2] what becomes of a draft before it is stored is one record, and while it is stored follows under its number', async () => {
  const { disk, log, inner } = rig()
  await inner.claim({ client: 'c', n: 6, lead: 0, user: null, reading: 0 }, null)
  const renamed = (record: PendingRecord): PendingRecord => ({ ...record, timestamp: 9 })
  disk.save({ ...none, puts: [draft(1), draft(2)] })
  disk.save({ ...none, puts: [renamed(draft(1))] })
  await Promise.resolve()
  disk.save({ ...none, puts: [renamed(draft(2)), draft(3)] })
  disk.save({ ...none, removes: [firstDraft + 3] })
  await disk.idle()
  expect(
    (await inner.load([])).pending.map(({ n, timestamp, mutation }) => [n, timestamp, mutation.n]),
  ).toEqual([
    [7, 9, 7],
    [8, 9, 8],
  ])
  expect(log).toEqual(['stored 7 d1=7 d2=8', 'stored 8'])
})

test('[R8] rows that cannot be stored do not take pending mutations with them', async () => {
  const { disk, log, inner } = rig(work =>
    work.commits.length > 0 ? new SyncError('STORAGE_FULL', '') : null,
  )
  await inner.claim({ client: 'c', n: 0, lead: 0, user: null, reading: 0 }, null)
  disk.save({ ...none, puts: [draft(1), draft(2)], commits: [commit(null, 1)] })
  await disk.idle()
  disk.save({ ...none, puts: [draft(3)], commits: [commit(1, 2)], removes: [1] })
  await disk.idle()
  expect(log).toEqual(['stored 1,2 d1=1 d2=2', 'failed STORAGE_FULL false', 'stored 3 d3=3', 'removed 1'])
  expect((await inner.load(['t'])).pending.map(({ n }) => n)).toEqual([2, 3])
})

test('[R8] when nothing can be stored, everything goes on in memory, announced once', async () => {
  const { disk, works, log } = rig(() => new SyncError('STORAGE_FAILED', ''))
  disk.save({ ...none, puts: [draft(1)] })
  await disk.idle()
  disk.save({ ...none, puts: [draft(2), put(1)], commits: [commit(null, 1)] })
  await disk.idle()
  expect(log).toEqual([
    'failed STORAGE_FAILED true',
    'unstored d1 STORAGE_FAILED',
    'unstored d2,1 STORAGE_FAILED',
  ])
  expect(works).toHaveLength(1)
})

test('[T4] a tab that follows stores its own new mutations and discards, and nothing of what the server said', async () => {
  const { disk, works, log, leading, inner } = rig()
  await inner.claim({ client: 'c', n: 0, lead: 0, user: null, reading: 0 }, null)
  leading.lead = null
  disk.save({ ...none, puts: [draft(1), put(4)], removes: [2, 3], discards: [3], commits: [commit(null, 1)] })
  await disk.idle()
  expect(works.map(({ news, puts, removes, commits }) => [news.length, puts, removes, commits])).toEqual([
    [1, [], [3], []],
    [0, [], [3], []],
  ])
  expect(log).toHaveLength(1)
})

test('[T4] who was fenced off stores nothing, and is told', async () => {
  const { disk, log, inner } = rig(work => (work.lead === null ? null : new SyncError('FENCED', '')))
  await inner.claim({ client: 'c', n: 0, lead: 0, user: null, reading: 0 }, null)
  disk.save({ ...none, puts: [draft(1)], commits: [commit(null, 1)] })
  await disk.idle()
  expect(log).toEqual(['stored 1 d1=1', 'fenced'])
})

const dead = (n: number): PendingRecord => ({
  ...put(n),
  dead: { error: { code: 'VALIDATION_FAILED', message: '' }, at: 1 },
})

test('[Q5] a record is durable when the newest that was given is: a dead letter is not stored by what it was', async () => {
  const { disk, log } = rig()
  disk.save({ ...none, puts: [put(1), put(2)] })
  await Promise.resolve()
  disk.save({ ...none, puts: [dead(2)], refusals: [2] })
  await disk.idle()
  expect(log).toEqual(['stored 1', 'stored 2'])
})

test('[Q5] [R8] in memory alone no refusal counts as stored', async () => {
  const { disk, log } = rig(() => new SyncError('STORAGE_FAILED', ''))
  disk.save({ ...none, puts: [put(1), put(2)] })
  await disk.idle()
  disk.save({ ...none, puts: [dead(1)], refusals: [1] })
  // never answered by the server, so nothing there waits for it
  disk.save({ ...none, puts: [dead(2)] })
  await disk.idle()
  disk.save({ ...none, puts: [dead(1), put(3)] })
  await disk.idle()
  expect(log.slice(1)).toEqual([
    'unstored 1,2 STORAGE_FAILED',
    'unstored 2 STORAGE_FAILED',
    'unstored 3 STORAGE_FAILED',
  ])
})

test('[Q5] a retried dead letter goes in the transaction of what takes its place, other removals with their rows', async () => {
  const { disk, works, inner } = rig()
  await inner.claim({ client: 'c', n: 0, lead: 0, user: null, reading: 0 }, null)
  disk.save({ ...none, commits: [commit(null, 1)], removes: [1] })
  disk.save({ ...none, puts: [draft(3)], removes: [2], discards: [2] })
  await disk.idle()
  expect(works.map(({ news, removes, commits }) => [news.length, removes, commits.length])).toEqual([
    [1, [2], 0],
    [0, [1, 2], 1],
  ])
})
