// What every `ClientStore` owes. Runs in any test runner: give it `test` and `expect`.
import type {
  ClientStore,
  EntityCommit,
  Identity,
  Overlay,
  PendingRecord,
  Saving,
} from '../../client/index.ts'
import type { Cursor } from '../../core/index.ts'
import { rowsContract } from './client-store-rows.ts'
import type { TestKit } from './kit.ts'

/** A disk that outlives its stores. */
export interface StoreHome {
  /** Another store on the same disk, as after a reload. */
  open(): ClientStore
}

const at = (seq: number, epoch = 'e'): Cursor => ({ epoch, seq, check: seq })
const shape = {
  columns: [
    ['id', 'text'],
    ['title', 'text'],
  ],
  key: ['id'],
  hash: 'h',
  strategy: 'last-write-wins',
} as const
const identity: Identity = { client: 'c', n: 3, lead: 1, user: 'u', reading: 7 }

function work(more: Partial<Saving>): Saving {
  return { identity: null, puts: [], removes: [], commits: [], overlays: [], ...more }
}

function commit(more: Partial<EntityCommit>): EntityCommit {
  return {
    entity: 't',
    replace: false,
    puts: [],
    deletes: [],
    from: null,
    cursor: at(1),
    marks: [],
    shape,
    ...more,
  }
}

function row(id: string, title = id, seq = 1): EntityCommit['puts'][number] {
  return { id, seq, row: { id, title } }
}

function pending(n: number, title = 'x'): PendingRecord {
  const writes = [{ entity: 't', id: 'a', action: 'update', data: { title } }] as const
  return { n, timestamp: n * 10, mutation: { n, base: { epoch: 'e', seq: 1 }, stamp: null, writes } }
}

/** `make` gives each test a disk of its own. */
export function clientStoreContract(name: string, make: () => StoreHome, kit: TestKit): void {
  readingContract(name, make, kit)
  writingContract(name, make, kit)
  orderContract(name, make, kit)
  rowsContract(name, make, kit)
}

function readingContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  test(`${name}: a fresh store holds nothing`, async () => {
    const loaded = await make().open().load(['t'])
    expect(loaded.identity).toEqual(null)
    expect(loaded.pending).toEqual([])
    expect(loaded.entities.get('t')?.rows ?? []).toEqual([])
  })

  test(`${name}: what was saved is there after a reload`, async () => {
    const home = make()
    const store = home.open()
    await store.load(['t', 'u'])
    await store.save(work({ identity, puts: [pending(2), pending(1)] }))
    await store.save(
      work({
        commits: [
          commit({ puts: [row('a'), row('b')], marks: [at(0)] }),
          commit({ entity: 'u', puts: [row('x')] }),
        ],
      }),
    )
    await store.close()
    const loaded = await home.open().load(['t', 'u'])
    expect(loaded.identity).toEqual(identity)
    expect(loaded.pending.map(({ n }) => n)).toEqual([1, 2])
    expect(loaded.pending[0]).toEqual(pending(1))
    const { rows, ...rest } = loaded.entities.get('t') ?? { rows: [] }
    expect(rest).toEqual({ cursor: at(1), marks: [at(0)], shape })
    expect([...rows].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([row('a'), row('b')])
    expect(loaded.entities.get('u')?.rows).toEqual([row('x')])
  })

  test(`${name}: an entity that joins later leaves the others as they are`, async () => {
    const home = make()
    const store = home.open()
    await store.load(['t'])
    await store.save(work({ commits: [commit({ puts: [row('a')] })] }))
    await store.close()
    const wider = home.open()
    const loaded = await wider.load(['t', 'later'])
    expect(loaded.entities.get('t')?.rows).toEqual([row('a')])
    await wider.save(work({ commits: [commit({ entity: 'later', puts: [row('z')] })] }))
    await wider.close()
    const narrow = await home.open().load(['t'])
    expect(narrow.entities.get('t')?.cursor).toEqual(at(1))
  })

  test(`${name}: clear forgets everything, close twice is fine`, async () => {
    const home = make()
    const store = home.open()
    await store.load(['t'])
    await store.save(work({ identity, puts: [pending(1)], commits: [commit({ puts: [row('a')] })] }))
    await store.clear()
    const loaded = await store.load(['t'])
    expect([loaded.identity, loaded.pending, loaded.entities.get('t')?.rows ?? []]).toEqual([null, [], []])
    await store.close()
    await store.close()
  })
}

function writingContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  const opened = async (): Promise<ClientStore> => {
    const store = make().open()
    await store.load(['t', 'u'])
    return store
  }

  test(`${name}: [Q1] pending mutations are replaced and removed by key`, async () => {
    const store = await opened()
    await store.save(work({ puts: [pending(1), pending(2), pending(3)] }))
    await store.save(work({ puts: [pending(2, 'again'), pending(4)], removes: [1, 99] }))
    const loaded = await store.load(['t', 'u'])
    expect(loaded.pending.map(({ n, mutation }) => [n, mutation.writes[0]?.data?.['title']])).toEqual([
      [2, 'again'],
      [3, 'x'],
      [4, 'x'],
    ])
  })

  test(`${name}: [R7] commits put, delete and replace rows, with the cursor`, async () => {
    const store = await opened()
    await store.save(work({ commits: [commit({ puts: [row('a'), row('b')] })] }))
    await store.save(
      work({
        commits: [commit({ from: at(1), cursor: at(2), puts: [row('a', 'A', 2)], deletes: ['b', 'none'] })],
      }),
    )
    let held = (await store.load(['t'])).entities.get('t')
    expect([held?.rows, held?.cursor]).toEqual([[row('a', 'A', 2)], at(2)])
    await store.save(
      work({ commits: [commit({ from: at(2), cursor: at(3), replace: true, puts: [row('c', 'c', 3)] })] }),
    )
    held = (await store.load(['t'])).entities.get('t')
    expect([held?.rows, held?.cursor]).toEqual([[row('c', 'c', 3)], at(3)])
  })

  test(`${name}: [R7] a commit that does not begin at the stored cursor fails whole`, async () => {
    const store = await opened()
    await store.save(work({ commits: [commit({ puts: [row('a')] })] }))
    const wrong = [at(2), at(1, 'other'), { ...at(1), check: 9 }, null]
    for (const from of wrong) {
      const lost = work({
        identity,
        puts: [pending(1)],
        removes: [7],
        commits: [
          commit({ entity: 'u', puts: [row('x')] }),
          commit({ from, cursor: at(5), puts: [row('b')] }),
        ],
      })
      await expect(store.save(lost)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    }
    const loaded = await store.load(['t', 'u'])
    expect(loaded.entities.get('t')?.rows).toEqual([row('a')])
    expect(loaded.entities.get('u')?.rows ?? []).toEqual([])
    expect([loaded.pending, loaded.identity]).toEqual([[], null])
  })
}

function orderContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  const opened = async (): Promise<ClientStore> => {
    const store = make().open()
    await store.load(['t', 'u'])
    return store
  }

  test(`${name}: [R7] several commits of an entity follow each other in one transaction`, async () => {
    const store = await opened()
    await store.save(
      work({
        puts: [pending(1, 'one'), pending(2), pending(1, 'two')],
        removes: [2],
        commits: [
          commit({ puts: [row('a'), row('b')] }),
          commit({ from: at(1), cursor: at(2), puts: [row('c')], deletes: ['a'] }),
        ],
      }),
    )
    const broken = [commit({ from: at(2), cursor: at(3) }), commit({ from: at(2), cursor: at(4) })]
    await expect(store.save(work({ commits: broken }))).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    const { entities, pending: left } = await store.load(['t'])
    expect(entities.get('t')?.rows.map(({ id }) => id)).toEqual(['b', 'c'])
    expect(entities.get('t')?.cursor).toEqual(at(2))
    expect(left).toEqual([pending(1, 'two')])
  })

  test(`${name}: overlays come and go`, async () => {
    const store = await opened()
    const over = (row: Overlay['row']): Overlay => ({ entity: 't', id: 'a', row })
    await store.save(work({ overlays: [over({ id: 'a' }), { ...over(null), id: 'b' }] }))
    await store.save(work({ overlays: [over(undefined)] }))
    expect((await store.load(['t'])).pending).toEqual([])
  })

  test(`${name}: saves that overlap keep their order`, async () => {
    const store = await opened()
    await Promise.all([
      store.save(work({ puts: [pending(1, 'one')] })),
      store.save(work({ puts: [pending(1, 'two')] })),
      store.save(work({ commits: [commit({ puts: [row('a')] })] })),
      store.save(work({ commits: [commit({ from: at(1), cursor: at(2), deletes: ['a'] })] })),
    ])
    const loaded = await store.load(['t'])
    expect(loaded.pending[0]?.mutation.writes[0]?.data).toEqual({ title: 'two' })
    expect([loaded.entities.get('t')?.rows, loaded.entities.get('t')?.cursor]).toEqual([[], at(2)])
  })
}
