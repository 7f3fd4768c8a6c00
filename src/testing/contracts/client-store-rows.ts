// What a `ClientStore` owes for many rows, however it packs them. Part of the client store's contract.
import type { ClientStore, EntityCommit, Saving, StoredRow } from '../../client/index.ts'
import type { Cursor } from '../../core/index.ts'
import { seededRandom } from '../random.ts'
import type { Random } from '../random.ts'
import type { StoreHome } from './client-store.ts'
import type { TestKit } from './kit.ts'

const at = (seq: number): Cursor => ({ epoch: 'e', seq, check: seq })

/** Rows of several forms, as an entity holds them whose columns have changed. */
function row(n: number, seq: number): StoredRow {
  const id = n % 3 === 0 ? `key ${n}` : String(n)
  const values = {
    id,
    title: `title ${seq}`,
    done: n % 2 === 0,
    note: n % 5 === 0 ? null : { n, seq: [seq] },
  }
  return { id, seq, row: n % 97 === 0 ? { 'other column': -n, ...values } : values }
}

function many(from: number, to: number, seq = 1): StoredRow[] {
  return Array.from({ length: to - from }, (_, i) => row(from + i, seq))
}

/** A store, and what must be in it. */
class Held {
  readonly rows = new Map<string, StoredRow>()
  seq = 0
  readonly home: StoreHome
  store: ClientStore

  constructor(home: StoreHome) {
    this.home = home
    this.store = home.open()
  }

  commit(more: Partial<EntityCommit>): EntityCommit {
    const { replace = false, puts = [], deletes = [] } = more
    if (replace) this.rows.clear()
    for (const put of puts) this.rows.set(put.id, put)
    for (const id of deletes) this.rows.delete(id)
    const from = this.seq === 0 ? null : at(this.seq)
    this.seq += 1
    return { entity: 't', replace, puts, deletes, from, cursor: at(this.seq), marks: [], shape: null }
  }

  async save(...commits: Partial<EntityCommit>[]): Promise<void> {
    const work: Saving = {
      lead: null,
      identity: null,
      known: 0,
      news: [],
      puts: [],
      removes: [],
      commits: commits.map(more => this.commit(more)),
      overlays: [],
    }
    await this.store.save(work)
  }

  async tidy(times = Infinity): Promise<void> {
    for (let i = 0; i < times && (await this.store.tidy?.()) === true;) i += 1
  }

  async check({ expect }: TestKit, reopen = false): Promise<void> {
    if (reopen) {
      await this.store.close()
      this.store = this.home.open()
    }
    const held = (await this.store.load(['t', 'u'])).entities.get('t')
    expect(held?.cursor ?? null).toEqual(this.seq === 0 ? null : at(this.seq))
    // as text: the order of the columns counts too
    const texts = (rows: Iterable<StoredRow>): string[] => Array.from(rows, one => JSON.stringify(one)).sort()
    expect(texts(held?.rows ?? [])).toEqual(texts(this.rows.values()))
  }
}

async function open(make: () => StoreHome): Promise<Held> {
  const held = new Held(make())
  await held.store.load(['t', 'u'])
  return held
}

export function rowsContract(name: string, make: () => StoreHome, kit: TestKit): void {
  manyRowsContract(name, make, kit)
  mixtureContract(name, make, kit)
}

function manyRowsContract(name: string, make: () => StoreHome, kit: TestKit): void {
  const { test } = kit

  test(`${name}: [R9] 2,000 rows and one more come back as they were written`, async () => {
    const held = await open(make)
    for (const count of [2000, 2001, 5500, 10]) {
      await held.save({ replace: true, puts: many(0, count) })
      await held.check(kit, true)
    }
  })

  test(`${name}: [R9] the newest of a row wins, before and after tidying`, async () => {
    const held = await open(make)
    await held.save({ replace: true, puts: many(0, 4000) })
    await held.save(
      { puts: many(10, 20, 2), deletes: ['1', 'key 3', 'none'] },
      { puts: many(15, 25, 3), deletes: ['10'] },
    )
    await held.save({ puts: [row(1, 4), ...many(5000, 5400, 4)] })
    await held.save({ puts: many(20, 300, 5), deletes: ['5000', '1'] })
    await held.check(kit, true)
    await held.tidy(1)
    await held.save({ puts: [row(1, 6)], deletes: ['20'] })
    await held.check(kit, true)
    await held.tidy()
    await held.check(kit, true)
  })

  test(`${name}: [R9] a small entity that grows, at once and little by little`, async () => {
    const held = await open(make)
    await held.save({ puts: many(0, 50) })
    await held.save({ puts: many(40, 2500, 2), deletes: ['1', '41'] })
    await held.save({ puts: many(45, 49, 3), deletes: ['2', '44'] })
    await held.check(kit, true)
    await held.tidy()
    await held.check(kit, true)
    await held.save({ replace: true, puts: many(0, 1500, 4) })
    await held.save({ puts: many(1500, 2200, 5) })
    await held.tidy()
    await held.save({ puts: many(0, 9, 6), deletes: ['2000'] })
    await held.check(kit, true)
    for (let i = 1; i < 5; i++) await held.save({ puts: many(1500 + i * 900, 2400 + i * 900, 7) })
    await held.tidy()
    await held.check(kit, true)
    await held.store.clear()
    held.rows.clear()
    held.seq = 0
    await held.check(kit)
  })
}

function mixtureContract(name: string, make: () => StoreHome, kit: TestKit): void {
  for (const seed of [1, 2, 3])
    kit.test(`${name}: [R9] any mixture of commits, tidying and reloads, seed ${seed}`, async () => {
      const held = await open(make)
      const random = seededRandom(seed)
      await held.save({ replace: seed % 2 === 0, puts: many(0, 2500) })
      for (let step = 0; step < 60; step++) await act(held, random, kit)
      await held.check(kit, true)
    })
}

async function act(held: Held, random: Random, kit: TestKit): Promise<void> {
  const start = random.int(4000)
  const rows = (most: number): StoredRow[] => many(start, start + random.int(most), held.seq + 1)
  const ids = (most: number): string[] => rows(most).map(({ id }) => id)
  const what = random.int(20)
  if (what < 9) return held.save({ puts: rows(20) }, { deletes: ids(10) })
  if (what < 12) return held.save({ puts: rows(900) })
  if (what < 14) return held.save({ deletes: ids(500) })
  if (what < 18) return held.tidy(1 + random.int(3))
  if (what < 19) return held.check(kit, true)
  return random.int(3) === 0 ? held.save({ replace: true, puts: rows(4000) }) : undefined
}
