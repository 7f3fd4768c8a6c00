// Pages of what a user sees, where some of it are the first rows in an order.
import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import type { AccessRules, Row } from '../core/index.ts'
import { openHandle, openStore } from './sqlite/testkit.test.ts'
import { viewed } from './viewed.ts'
import type { ReadStore } from './viewed.ts'
import { Views } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }
const turn = (): Promise<boolean> => Promise.resolve(true)
const highest = (limit: number): Row => ({ orderBy: [['rank', 'desc']], limit })

/** Rows 1 to 10 of `t`, whose rank is their id, those with even ids of owner `a`; and `u` the same. */
async function begin(access?: AccessRules) {
  const app = openHandle('node:sqlite', ':memory:')
  for (const name of ['t', 'u'])
    app.exec(`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, owner TEXT, rank INTEGER)`)
  const real = await openStore(app, [
    defineEntity({ name: 't', by: ['owner'], ...(access && { access }) }),
    defineEntity({ name: 'u', by: ['owner'] }),
  ])
  for (let id = 1; id <= 10; id++)
    for (const name of ['t', 'u'])
      app.exec(`INSERT INTO ${name} VALUES (${id}, '${id % 2 === 0 ? 'a' : 'b'}', ${id})`)
  /** What the database was asked for. */
  const asked: { where: unknown; after: string | null }[] = []
  const read = real.snapshot.bind(real)
  const store = Object.assign(real, {
    snapshot(query: Parameters<typeof read>[0]) {
      asked.push({ where: query.where, after: query.after })
      return read(query)
    },
  })
  const views = new Views({ id: 'u' }, real.entities, quiet)
  const shown = viewed(store, views)
  const wants = async (wish: Row): Promise<void> => {
    expect(views.narrow('t', wish)).toBe(null)
    await shown.gather('t', turn)
  }
  return { app, real, views, shown, wants, asked, close: () => real.close() }
}

/** The ids of each page. */
async function pages(
  read: (after: string | null) => Promise<{ rows: readonly { id: string }[]; next: string | null }>,
): Promise<string[]> {
  const all: string[] = []
  for (let after: string | null = null; ;) {
    const { rows, next } = await read(after)
    all.push(rows.map(({ id }) => id).join())
    if (next === null) return all
    after = next
  }
}

const snapshot = (shown: ReadStore, limit: number): Promise<string[]> =>
  pages(after => shown.snapshot({ entity: 't', after, limit, form: 'values' }))

test('[V12] a snapshot has the first rows, then what is wanted wherever it stands, each row once, in pages of the size asked for', async () => {
  const { shown, wants, asked, close } = await begin()
  await wants({ or: [highest(3), { owner: 'a' }] })
  const all = await snapshot(shown, 2)
  expect(all.slice(0, 2)).toEqual(['10,9', '8'])
  expect(all.slice(2).join().split(',').filter(Boolean)).toEqual(['2', '4', '6'])
  expect(Math.max(...all.map(page => page.split(',').length))).toBe(2)
  // of that only what may be wanted is looked for
  expect(asked[0]).toEqual({ where: [{ column: 'owner', values: ['a'] }], after: null })
  await wants({ owner: 'a' })
  asked.length = 0
  expect(await snapshot(shown, 10)).toEqual(['2,4,6,8,10'])
  expect(asked).toEqual([{ where: [{ column: 'owner', values: ['a'] }], after: null }])
  asked.length = 0
  await wants(highest(3))
  expect(await snapshot(shown, 2)).toEqual(['10,9', '8'])
  expect(asked).toEqual([])
  await close()
})

test('[V12] [S7] a repair has of them what is above the common place, and only their places are told', async () => {
  const { real, shown, wants, close } = await begin()
  await wants(highest(3))
  const { rows } = await real.snapshot({ entity: 't', after: null, limit: 10, form: 'values' })
  const above = rows.find(({ id }) => id === '9')?.seq ?? 0
  expect(await pages(after => shown.rowsAbove({ entity: 't', after, limit: 10, above, had: null }))).toEqual([
    '10',
  ])
  const { rows: places } = await shown.places({ entity: 't', after: null, limit: 10 })
  expect(places.map(([id]) => id)).toEqual(['10', '9', '8'])
  await close()
})

test('[V12] what is asked for while the windows before it are looked at is not shown by them', async () => {
  const { views, shown, wants, close } = await begin()
  await wants(highest(1))
  const looked = shown.gather('t', turn)
  expect(views.narrow('t', highest(2))).toBe(null)
  expect(await looked).toBe(null)
  expect(await snapshot(shown, 5)).toEqual([''])
  expect(await shown.gather('t', turn)).toMatchObject({ entered: ['10', '9'], left: [] })
  await close()
})

test('[V12] changes are told up to where the first rows are known, all of them in one page; with others they are told whole', async () => {
  const { app, shown, wants, views, close } = await begin()
  await wants(highest(3))
  const at = views.members.get('t')?.at
  const before = (at?.seq ?? 0) - 4
  app.exec('UPDATE t SET rank = 20 WHERE id < 5')
  const query = { after: before, limit: 2, form: 'values' as const }
  // who reads on has nothing more to come before the next look
  expect(await shown.changes({ ...query, entities: ['t'], after: at?.seq ?? 0 })).toMatchObject({
    to: at,
    more: false,
  })
  const { to } = await shown.changes({ ...query, entities: ['u', 't'], limit: 50 })
  expect(to.seq).toBeGreaterThan(at?.seq ?? 0)
  const other = await shown.changes({ ...query, entities: ['t', 'u'], limit: 50 })
  expect(other.to).toEqual(to)
  await close()
})

test('[V2] what routed a row before is told to nobody, and of an entity that is seen whole nothing seems to go', async () => {
  const { app, real, shown, close } = await begin({ read: () => ({ owner: 'a' }) })
  const { seq: after } = await real.head()
  app.exec("UPDATE u SET owner = 'c' WHERE id = 2")
  app.exec("UPDATE t SET owner = 'b' WHERE id = 4")
  app.exec("UPDATE u SET owner = 'd' WHERE id = 2")
  const page = await shown.changes({ entities: ['t', 'u'], after, limit: 1, form: 'values' })
  expect(page.rows.map(({ entity, id, json }) => [entity, id, json])).toEqual([['t', '4', null]])
  expect([page.more, page.moves]).toEqual([true, []])
  await close()
})
