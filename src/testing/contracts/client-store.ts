// What every `ClientStore` owes. Runs in any test runner: give it `test` and `expect`.
import { firstDraft } from '../../client/index.ts'
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
  return {
    lead: null,
    identity: null,
    known: 0,
    news: [],
    puts: [],
    removes: [],
    commits: [],
    overlays: [],
    ...more,
  }
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

/** Puts new mutations under the next numbers. */
async function add(store: ClientStore, ...titles: string[]): Promise<void> {
  const news = titles.map((title, i) => pending(firstDraft + i, title))
  await store.save(work({ news, known: Number.MAX_SAFE_INTEGER }))
}

/** `make` gives each test a disk of its own. */
export function clientStoreContract(name: string, make: () => StoreHome, kit: TestKit): void {
  readingContract(name, make, kit)
  writingContract(name, make, kit)
  orderContract(name, make, kit)
  rowsContract(name, make, kit)
  leadContract(name, make, kit)
  numbersContract(name, make, kit)
  standingContract(name, make, kit)
  clearingContract(name, make, kit)
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
    await store.claim({ ...identity, n: 0 }, null)
    await add(store, 'x', 'x')
    await store.save(work({ identity }))
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
    expect(loaded.pending[0]?.mutation).toEqual(pending(1).mutation)
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
}

function clearingContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  test(`${name}: clear forgets everything, close twice is fine`, async () => {
    const home = make()
    const store = home.open()
    await store.load(['t'])
    await store.claim(identity, null)
    await add(store, 'x')
    await store.save(work({ commits: [commit({ puts: [row('a')] })] }))
    await store.clear()
    const loaded = await store.load(['t'])
    expect([loaded.identity, loaded.pending, loaded.entities.get('t')?.rows ?? []]).toEqual([null, [], []])
    // nothing counts the numbers there
    await expect(add(store, 'x')).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
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
    await store.claim({ ...identity, n: 0 }, null)
    await add(store, 'x', 'x', 'x')
    await store.save(work({ puts: [pending(2, 'again'), pending(4)], removes: [1, 99] }))
    // removed by another tab while this one had something to say of it
    await store.save(work({ puts: [pending(1, 'late')] }))
    const loaded = await store.load(['t', 'u'])
    expect(loaded.pending.map(({ n, mutation }) => [n, mutation.writes[0]?.data?.['title']])).toEqual([
      [2, 'again'],
      [3, 'x'],
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
        news: [pending(firstDraft)],
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

/** Several tabs on one disk. */
async function twoTabs(make: () => StoreHome): Promise<readonly [ClientStore, ClientStore]> {
  const home = make()
  const both = [home.open(), home.open()] as const
  for (const store of both) await store.load(['t', 'u'])
  return both
}

function leadContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  test(`${name}: [T1] of several that ask at once, one takes the lead`, async () => {
    const [one, two] = await twoTabs(make)
    const fresh = [identity, { ...identity, client: 'other' }] as const
    const known = await Promise.all([one.claim(fresh[0], null), two.claim(fresh[1], null)])
    expect(known[0]).toEqual(known[1])
    const { client, lead } = known[0].identity
    const claims = await Promise.all([one, two, one].map(store => store.claim(fresh[1], lead)))
    expect(claims.filter(({ raised }) => raised).length).toEqual(1)
    expect(claims.map(claim => claim.identity.lead)).toEqual([lead + 1, lead + 1, lead + 1])
    expect(await two.claim(fresh[1], lead)).toMatchObject({ raised: false, identity: { lead: lead + 1 } })
    expect((await one.load([])).identity).toMatchObject({ client, lead: lead + 1 })
  })

  test(`${name}: [T4] what does not come from the stored lead is refused whole`, async () => {
    const [one, two] = await twoTabs(make)
    await one.claim({ ...identity, lead: 0 }, 0)
    await two.claim(identity, 1)
    const stale = work({ lead: 1, removes: [identity.n + 1], commits: [commit({ puts: [row('a')] })] })
    await two.save(work({ news: [pending(firstDraft)], known: 99 }))
    await expect(one.save(stale)).rejects.toMatchObject({ code: 'FENCED' })
    expect((await one.load(['t'])).pending.length).toEqual(1)
    await two.save({ ...stale, lead: 2 })
    const loaded = await one.load(['t'])
    expect([loaded.pending, loaded.entities.get('t')?.rows]).toEqual([[], [row('a')]])
  })
}

function numbersContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  const draft = (title: string): PendingRecord => pending(firstDraft + 1, title)

  test(`${name}: [Q2] [T4] new mutations of all tabs get one row of numbers, and each tab hears of the others`, async () => {
    const [one, two] = await twoTabs(make)
    await one.claim({ ...identity, n: 10 }, null)
    expect(await one.save(work({ news: [draft('a'), draft('b')], known: 10 }))).toEqual({
      first: 11,
      others: [],
    })
    expect(await two.save(work({ news: [draft('c')], known: 10 }))).toMatchObject({
      first: 13,
      others: [{ n: 11 }, { n: 12 }],
    })
    await one.save(work({ removes: [11, 12, 13] }))
    expect(await one.save(work({ news: [draft('d')], known: 12 }))).toEqual({ first: 14, others: [] })
    const all = await Promise.all([one, two, one].map(s => s.save(work({ news: [draft('x')], known: 14 }))))
    expect(all.map(({ first }) => first).toSorted((a, b) => a - b)).toEqual([15, 16, 17])
    const { pending: left, identity: stored } = await two.load([])
    expect(left.map(({ n, mutation }) => [n, mutation.n])).toEqual([14, 15, 16, 17].map(n => [n, n]))
    expect(stored?.n).toEqual(17)
  })

  test(`${name}: [Q5] [T4] what a tab found dead does not live again by what a late one stores of it`, async () => {
    const [one, two] = await twoTabs(make)
    await one.claim({ ...identity, n: 0 }, null)
    await one.save(work({ news: [draft('a'), draft('b')] }))
    const dead = { error: { code: 'CONFLICT' as const, message: '' }, at: 1 }
    await two.save(work({ puts: [{ ...pending(1, 'a'), dead }] }))
    await one.save(work({ puts: [pending(1, 'renamed'), pending(2, 'renamed')] }))
    const titles = (await two.load([])).pending.map(record => [
      record.dead?.error.code,
      record.mutation.writes,
    ])
    expect(titles).toEqual([
      ['CONFLICT', pending(1, 'a').mutation.writes],
      [undefined, pending(2, 'renamed').mutation.writes],
    ])
  })

  test(`${name}: [Q3] numbers only grow, whatever is saved of an identity`, async () => {
    const [one, two] = await twoTabs(make)
    await one.claim({ ...identity, n: 5, reading: 50, user: null }, null)
    await two.save(work({ identity: { ...identity, client: 'x', n: 9, lead: 7, reading: 40, user: 'v' } }))
    await one.save(work({ identity: { ...identity, n: 2, user: 'v' } }))
    expect((await one.load([])).identity).toEqual({ client: 'c', n: 9, lead: 1, reading: 50, user: 'v' })
  })
}

function standingContract(name: string, make: () => StoreHome, { test, expect }: TestKit): void {
  test(`${name}: [T3] entities that stand where the asker stands come without their rows`, async () => {
    const [one] = await twoTabs(make)
    await one.save(
      work({ commits: [commit({ puts: [row('a')] }), commit({ entity: 'u', puts: [row('b')] })] }),
    )
    const { shape } = commit({})
    const { entities } = await one.load(['t', 'u'], new Map([['t', { cursor: at(1), shape }]]))
    expect(entities.get('t')).toMatchObject({ cursor: at(1), rows: [] })
    expect(entities.get('u')?.rows).toEqual([row('b')])
    // a repair may have brought other rows there
    const other = { columns: [], key: ['id'], hash: 'another', strategy: 'last-write-wins' }
    const again = await one.load(['t'], new Map([['t', { cursor: at(1), shape: other }]]))
    expect(again.entities.get('t')?.rows).toEqual([row('a')])
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
    await store.claim({ ...identity, n: 0 }, null)
    await add(store, 'x', 'x')
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
    await store.claim({ ...identity, n: 0 }, null)
    await Promise.all([
      add(store, 'zero'),
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
