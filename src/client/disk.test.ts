import { expect, test } from 'vitest'
import { SyncError } from '../core/index.ts'
import { createDisk } from './disk.ts'
import { memoryStore } from './memory.ts'
import type { ClientStore, EntityCommit, PendingRecord, Saving } from './store.ts'

const none: Saving = { identity: null, puts: [], removes: [], commits: [], overlays: [] }
const at = (seq: number) => ({ epoch: 'e', seq, check: seq })
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
  const disk = createDisk(store, {
    durable: (ns, error) => log.push(`durable ${ns.join()} ${error?.code ?? 'ok'}`),
    failed: (error, everything) => log.push(`failed ${error.code} ${everything}`),
  })
  return { disk, works, log, inner }
}

test('[R7] one transaction at a time; what comes meanwhile is merged into the next', async () => {
  const { disk, works, log, inner } = rig()
  const row = (id: string, seq: number) => ({ id, seq, row: { id } })
  disk.save({ ...none, commits: [commit(null, 1, { puts: [row('a', 1), row('b', 1)] })] })
  disk.save({ ...none, puts: [put(1)] })
  await Promise.resolve()
  disk.save({ ...none, commits: [commit(1, 2, { puts: [row('c', 2)], deletes: ['a'] })] })
  disk.save({ ...none, puts: [put(2)] })
  disk.save({ ...none, commits: [commit(2, 3, { puts: [row('a', 3)], deletes: ['c'] })], removes: [1] })
  await disk.idle()
  expect(works.map(work => [work.puts.map(({ n }) => n), work.commits.length, work.removes])).toEqual([
    [[1], 0, []],
    [[], 1, []],
    [[2], 0, []],
    [[], 2, [1]],
  ])
  expect(log).toEqual(['durable 1 ok', 'durable 2 ok'])
  const loaded = await inner.load(['t'])
  expect(
    loaded.entities
      .get('t')
      ?.rows.map(({ id }) => id)
      .sort(),
  ).toEqual(['a', 'b'])
  expect(loaded.pending.map(({ n }) => n)).toEqual([2])
})

test('[R8] rows that cannot be stored do not take pending mutations with them', async () => {
  const { disk, log, inner } = rig(work =>
    work.commits.length > 0 ? new SyncError('STORAGE_FULL', '') : null,
  )
  disk.save({ ...none, puts: [put(1), put(2)], commits: [commit(null, 1)], removes: [1] })
  await disk.idle()
  disk.save({ ...none, puts: [put(3)], commits: [commit(1, 2)] })
  await disk.idle()
  expect(log).toEqual(['durable 1,2 ok', 'failed STORAGE_FULL false', 'durable 3 ok'])
  expect((await inner.load(['t'])).pending.map(({ n }) => n)).toEqual([2, 3])
})

test('[R8] when nothing can be stored, everything goes on in memory, announced once', async () => {
  const { disk, works, log } = rig(() => new SyncError('STORAGE_FAILED', ''))
  disk.save({ ...none, puts: [put(1)] })
  await disk.idle()
  disk.save({ ...none, puts: [put(2)], commits: [commit(null, 1)] })
  await disk.idle()
  expect(log).toEqual(['failed STORAGE_FAILED true', 'durable 1 STORAGE_FAILED', 'durable 2 STORAGE_FAILED'])
  expect(works).toHaveLength(1)
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
  expect(log).toEqual(['durable 1 ok', 'durable 2 ok'])
})

test('[Q5] [R8] in memory alone, edits may be sent, but no refusal counts as stored', async () => {
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
    'durable 1,2 STORAGE_FAILED',
    'durable 2 STORAGE_FAILED',
    'durable 3 STORAGE_FAILED',
  ])
})

test('[Q5] a retried dead letter goes in the transaction of what takes its place, other removals with their rows', async () => {
  const { disk, works } = rig()
  disk.save({ ...none, commits: [commit(null, 1)], removes: [1] })
  disk.save({ ...none, puts: [put(3)], removes: [2], discards: [2] })
  await disk.idle()
  expect(works.map(({ puts, removes, commits }) => [puts.length, removes, commits.length])).toEqual([
    [1, [2], 0],
    [0, [1, 2], 1],
  ])
})
