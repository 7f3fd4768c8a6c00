// Rules V: what views need of a store.
import { defineEntity } from '../../core/index.ts'
import type { Equality, Row } from '../../core/index.ts'
import type { ServerStore } from '../../server/index.ts'
import { alice, deciding, mutation, sequenced, update } from './server-store-kit.ts'
import type { ContractTests, Kit } from './server-store-kit.ts'

const routed = [
  defineEntity({ name: 'lists' }),
  defineEntity({ name: 'tasks', by: ['title', 'done', 'rank'] }),
  defineEntity({ name: 'notes', by: ['title', 'big'] }),
]

async function withRouting(kit: Kit, run: (store: ServerStore) => Promise<void>): Promise<void> {
  const store = kit.under.store()
  await store.open(routed)
  try {
    await run(store)
  } finally {
    await store.close()
  }
}

async function movesAfter(
  store: ServerStore,
  after: number,
): Promise<[entity: string, id: string, was: Row][]> {
  await sequenced(store)
  const entities = ['lists', 'tasks', 'notes']
  const moves: [string, string, Row][] = []
  for (let from = after; ;) {
    const page = await store.changes({ entities, after: from, limit: 2, form: 'values', moves: true })
    for (const move of page.moves) moves.push([move.entity, move.id, move.was])
    from = page.to.seq
    if (!page.more) return moves
  }
}

export const viewTests: ContractTests = {
  '[V2] a change of a routing column, a move of the key and a delete tell all that routed the row before, folded or not':
    async kit => {
      const { app, expect } = kit
      await withRouting(kit, async store => {
        await app.insert('tasks', { id: 1, title: 'it\'s; "a",', done: true, rank: 0.5 })
        await app.insert('notes', { id: 'n', title: null, big: 7, body: 'text' })
        const at = (await sequenced(store)).seq
        await app.update('tasks', '1', { rank: 2 })
        await app.update('tasks', '1', { done: null, title: 'b' })
        // not one that routes
        await app.update('tasks', '1', { slug: 's' })
        await app.update('notes', 'n', { body: 'other' })
        await app.move('notes', 'n', 'm')
        await app.remove('tasks', '1')
        const expected = [
          ['tasks', '1', { title: 'it\'s; "a",', done: true, rank: 0.5 }],
          ['tasks', '1', { title: 'it\'s; "a",', done: true, rank: 2 }],
          ['notes', 'n', { title: null, big: 7 }],
          ['tasks', '1', { title: 'b', done: null, rank: 2 }],
        ]
        expect(await movesAfter(store, at)).toEqual(expected)
        while (await store.fold());
        expect(await movesAfter(store, at)).toEqual(expected)
      })
    },

  '[V2] also where a client wrote it, together with a side effect': async kit => {
    const { app, expect } = kit
    await withRouting(kit, async store => {
      await app.insert('notes', { id: 'n', title: 'a', big: 1 })
      const at = (await sequenced(store)).seq
      // the table's own trigger counts revisions
      await store.accept(alice, [mutation(1, update('notes', 'n', { title: 'b', big: 2 }))], deciding(), 0)
      const moves = await movesAfter(store, at)
      expect(moves[0]).toEqual(['notes', 'n', { title: 'a', big: 1 }])
      const [row] = (await store.look('notes', ['n'])).map(found => found.standing.cells)
      expect(Object.keys(row ?? {}).sort()).toEqual(['big', 'revision', 'title'])
    })
  },

  '[V5] a page that is narrowed down leaves out no row that holds what is asked for': async kit => {
    const { app, expect } = kit
    await withRouting(kit, async store => {
      for (let id = 1; id <= 9; id++)
        await app.insert('tasks', { id, title: id % 3 === 0 ? 'c' : 'd', done: id % 2 === 0 })
      await sequenced(store)
      const found = new Set<string>()
      for (let after: string | null = null; ;) {
        const where = [
          { column: 'title', values: ['c'] },
          { column: 'done', values: [true, false] },
        ]
        const page = await store.snapshot({ entity: 'tasks', after, limit: 2, form: 'object', where })
        for (const { id } of page.rows) found.add(id)
        after = page.next
        if (after === null) break
      }
      for (const id of ['3', '6', '9']) expect(found.has(id)).toBe(true)
    })
  },

  '[V8] a write of a row that moved since it was judged is stale, and nothing of its mutation is stored':
    async kit => {
      const { app, store, expect } = kit
      await app.insert('notes', { id: 'a', title: '1' })
      await app.insert('notes', { id: 'b', title: '1' })
      await sequenced(store)
      const places = (await store.look('notes', ['a', 'b'])).map(({ standing }) => standing.seq)
      await app.update('notes', 'b', { body: 'moved' })
      await sequenced(store)
      const both = mutation(1, [update('notes', 'a', { title: '2' }), update('notes', 'b', { title: '2' })])
      const judged = (seqs: readonly number[]): typeof both => ({
        ...both,
        attempts: both.attempts.map((attempt, i) => ({ ...attempt, judged: seqs[i] })),
      })
      expect(await store.accept(alice, [judged(places)], deciding(), 0)).toEqual([{ kind: 'stale' }])
      expect((await store.look('notes', ['a']))[0]?.row?.['title']).toBe('1')
      const now = (await store.look('notes', ['a', 'b'])).map(({ standing }) => standing.seq)
      const [accepted] = await store.accept(alice, [judged(now)], deciding(), 0)
      expect(accepted?.kind).toBe('result')
      expect((await store.look('notes', ['a']))[0]?.row?.['title']).toBe('2')
    },
  '[V12] rows are ranked by columns, NULL and numbers before texts by code points, then by key, all of them or some':
    async kit => {
      const { app, store, expect } = kit
      const titles = ['b', 'B', '', '\u{1F600}', '\uFFFD', 'a', 'b']
      for (const [i, title] of titles.entries())
        await app.insert('tasks', {
          id: i + 1,
          title,
          rank: i % 3 === 0 ? null : 3 - (i % 3),
          done: i % 2 === 0,
        })
      const { seq } = await sequenced(store)
      type Order = readonly (readonly [string, 'asc' | 'desc'])[]
      const ordered = async (order: Order, where: readonly Equality[] = [], limit = 9): Promise<string> => {
        const { ids, head } = await store.ordered({ entity: 'tasks', order, limit, where })
        expect(head.seq + 1).toBeGreaterThan(seq)
        return ids.join()
      }
      const byTitle: Order = [['title', 'asc']]
      const byBoth: Order = [
        ['rank', 'asc'],
        ['title', 'desc'],
      ]
      expect(await ordered(byTitle)).toBe('3,2,6,1,7,5,4')
      expect(await ordered(byTitle, [], 3)).toBe('3,2,6')
      expect(await ordered([['title', 'desc']])).toBe('4,5,1,7,6,2,3')
      expect(await ordered(byBoth)).toBe('4,1,7,6,3,5,2')
      expect(await ordered([['rank', 'desc']])).toBe('2,5,3,6,1,4,7')
      expect(await ordered([['done', 'asc']])).toBe('2,4,6,1,3,5,7')
      expect(await ordered([])).toBe('1,2,3,4,5,6,7')
      expect(await ordered(byTitle, [{ column: 'title', values: ['b', 'a'] }])).toBe('6,1,7')
      // of some of them it is the same order, whichever they are
      for (const order of [byTitle, byBoth, [], [['rank', 'desc']] satisfies Order]) {
        const all = (await ordered(order)).split(',')
        for (const among of [
          ['7', '1', '4'],
          ['5', '99', '3', '2', '6'],
          [],
          ['7', '6', '5', '4', '3', '2', '1'],
        ]) {
          const expected = all.filter(id => among.includes(id)).slice(0, 3)
          const { ids } = await store.ordered({ entity: 'tasks', order, limit: 3, among })
          expect(ids).toEqual(expected)
        }
      }
    },
  '[V12] rows with a key of several columns, or of text, are ranked as well': async kit => {
    const { app, store, expect } = kit
    for (const [a, b, v] of [
      ['x', 2, 'v'],
      ['x', 10, 'u'],
      ['"é,', 1, 'v'],
    ] as const)
      await app.insert('pairs', { a, b, v })
    for (const id of ['b', '\u{1F600}', 'B', '\uFFFD']) await app.insert('notes', { id, title: 't' })
    await sequenced(store)
    const ranked = async (entity: string, order: readonly [string, 'desc'][], among?: string[]) =>
      (await store.ordered({ entity, order, limit: 4, ...(among && { among }) })).ids.filter(
        id => id !== '["marker",0]',
      )
    const pairs = ['["\\"é,",1]', '["x",2]', '["x",10]']
    expect(await ranked('pairs', [['v', 'desc']])).toEqual(pairs)
    expect(await ranked('pairs', [], pairs.slice(1).toReversed())).toEqual(pairs.slice(1))
    expect(await ranked('notes', [['title', 'desc']])).toEqual(['B', 'b', '\uFFFD', '\u{1F600}'])
    expect(await ranked('notes', [], ['\u{1F600}', 'nobody', 'B'])).toEqual(['B', '\u{1F600}'])
  },
}
