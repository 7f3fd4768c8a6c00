// Rules L: the log's order, its pages, its places, what it forgets.
import {
  alice,
  changesAfter,
  create,
  mutation,
  push,
  remove,
  rowOf,
  sequenced,
  snapshotOf,
  stampIn,
  update,
  pause,
} from './server-store-kit.ts'
import type { ContractTests, Kit } from './server-store-kit.ts'
import type { Cell, Cursor, Standing } from '../../core/index.ts'

async function standingOf(kit: Kit, entity: string, id: string): Promise<Standing> {
  await sequenced(kit.store)
  const [looked] = await kit.store.look(entity, [id])
  if (looked === undefined) throw new Error(`look left out ${id}`)
  return looked.standing
}

function cellOf(standing: Standing, column: string): Cell | null {
  return standing.cells[column] ?? standing.whole
}

export const logTests: ContractTests = {
  '[L1] later commits have greater numbers, whoever wrote': async kit => {
    const { app, store, expect } = kit
    const seqs: number[] = []
    for (let i = 0; i < 6; i++) {
      if (i % 2 === 0) await app.insert('notes', { id: `n${i}` })
      else await push(store, alice, mutation(i, create('notes', `n${i}`, {})))
      await sequenced(store)
      seqs.push((await changesAfter(store, ['notes'])).find(row => row.id === `n${i}`)?.seq ?? -1)
    }
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
    expect(new Set(seqs).size).toBe(6)
    const heads = [await store.head(), await store.head()]
    expect(heads[1]).toEqual(heads[0])
  },

  '[L1] a transaction that commits late is behind those that committed before it': async kit => {
    const { app, store, expect, under } = kit
    if (!under.concurrent) return
    await app.insert('notes', { id: 'early' })
    const open = await app.begin()
    await open.insert('notes', { id: 'long' })
    await app.insert('notes', { id: 'meanwhile' })
    const at = await sequenced(store)
    expect((await changesAfter(store, ['notes'])).map(row => row.id)).toEqual(['early', 'meanwhile'])
    await open.commit()
    await sequenced(store)
    expect((await changesAfter(store, ['notes'], at.seq)).map(row => row.id)).toEqual(['long'])
  },

  '[L9] a change names the columns written above the place, folded or not; a row made anew names none':
    async kit => {
      const { app, store, expect } = kit
      await app.insert('notes', { id: 'n', title: 'a', body: 'a' })
      const made = await sequenced(store)
      await app.update('notes', 'n', { body: 'b' })
      const first = await sequenced(store)
      await push(store, alice, mutation(1, update('notes', 'n', { title: 'b' })))
      await app.insert('notes', { id: 'm' })
      await sequenced(store)
      const named = async (after: number): Promise<unknown> => {
        const query = { entities: ['notes'], after, limit: 100, form: 'values', cells: true } as const
        const { rows } = await store.changes(query)
        return rows.map(({ id, cells }) => [id, cells && Object.keys(cells).sort()])
      }
      for (const folded of [false, true]) {
        expect(await named(0)).toEqual([
          ['n', undefined],
          ['m', undefined],
        ])
        expect(await named(made.seq)).toEqual([
          ['n', ['body', 'revision', 'title']],
          ['m', undefined],
        ])
        expect(await named(first.seq)).toEqual([
          ['n', ['revision', 'title']],
          ['m', undefined],
        ])
        if (!folded) while (await store.fold());
      }
      const { rows } = await store.changes({
        entities: ['notes'],
        after: made.seq,
        limit: 9,
        form: 'values',
        cells: true,
      })
      const at = rows[0]?.cells?.['body']?.seq ?? 0
      expect(at > made.seq && at <= first.seq).toBe(true)
      expect(rows[0]?.cells?.['title']?.by).toBe(alice.client)
      expect((await changesAfter(store, ['notes'], made.seq))[0]?.cells).toBe(undefined)
    },

  '[L9] [E1] a reading in pages leaves no column out: a later page names what was written since it began':
    async kit => {
      const { app, store, expect } = kit
      for (const id of ['a', 'b', 'c']) await app.insert('notes', { id, title: id, body: id })
      const began = await sequenced(store)
      await app.update('notes', 'a', { title: 'early' })
      await sequenced(store)
      await app.update('notes', 'b', { title: 'between' })
      await app.insert('notes', { id: 'new' })
      await sequenced(store)
      await app.update('notes', 'a', { body: 'late' })
      await app.update('notes', 'new', { body: 'late' })
      await sequenced(store)
      for (const folded of [false, true]) {
        const seen: unknown[] = []
        for (let after = began.seq, more = true; more;) {
          const query = { entities: ['notes'], after, since: began.seq, limit: 1, form: 'values' } as const
          const page = await store.changes({ ...query, cells: true })
          for (const { id, created, cells } of page.rows)
            seen.push([
              id,
              created,
              Object.keys(cells ?? {})
                .filter(name => name !== 'revision')
                .sort(),
            ])
          after = page.to.seq
          more = page.more
        }
        expect(seen).toEqual([
          ['b', false, ['title']],
          ['a', false, ['body', 'title']],
          ['new', true, []],
        ])
        if (!folded) while (await store.fold());
      }
    },

  '[L2] folding changes no answer, is idempotent, and two may do it at once': async kit => {
    const { app, store, expect } = kit
    const other = await kit.another()
    for (let i = 0; i < 30; i++) {
      await app.insert('notes', { id: `n${i % 10}`, title: `t${i}` }).catch(() => {})
      if (i % 3 === 0) await app.update('notes', `n${i % 10}`, { title: `u${i}` })
      if (i % 7 === 0) await app.remove('notes', `n${i % 10}`)
    }
    await sequenced(store)
    const before = [await changesAfter(store, ['notes']), await snapshotOf(store, 'notes')]
    await Promise.all([store.fold(), other.fold()])
    expect([await changesAfter(store, ['notes']), await snapshotOf(store, 'notes')]).toEqual(before)
    for (let i = 0; i < 100 && (await store.fold()); i++);
    expect(await store.fold()).toBe(false)
    expect([await changesAfter(other, ['notes']), await snapshotOf(other, 'notes')]).toEqual(before)
  },

  '[L3] along each cell stamps rise with seq, whatever the writers clocks say': async kit => {
    const { app, store, expect } = kit
    await app.insert('notes', { id: 'a', title: '0' })
    let last = cellOf(await standingOf(kit, 'notes', 'a'), 'title')
    let head = 0
    const steps: (() => Promise<unknown>)[] = [
      () =>
        push(
          store,
          alice,
          mutation(1, update('notes', 'a', { title: '1' }), { base: head, stamp: stampIn(-3_600_000) }),
        ),
      () => app.update('notes', 'a', { title: '2' }),
      () =>
        push(
          store,
          alice,
          mutation(2, update('notes', 'a', { title: '3' }), { base: head, stamp: stampIn(86_400_000) }),
        ),
      () => app.update('notes', 'a', { title: '4' }),
      () =>
        push(
          store,
          alice,
          mutation(3, update('notes', 'a', { title: '5' }), { base: head, stamp: stampIn(-1) }),
        ),
    ]
    for (const [i, step] of steps.entries()) {
      head = (await sequenced(store)).seq
      await step()
      const cell = cellOf(await standingOf(kit, 'notes', 'a'), 'title')
      if (cell === null || last === null) throw new Error('the cell has no place')
      expect(cell.seq, `seq after step ${i}`).toBeGreaterThan(last.seq)
      expect(cell.stamp > last.stamp, `${cell.stamp} above ${last.stamp} after step ${i}`).toBe(true)
      last = cell
    }
  },

  '[L3] also where the database gives the id of a deleted row a second time': async kit => {
    const { app, store, expect } = kit
    await app.insert('tasks', { id: 40 })
    for (const byClient of [false, true]) {
      const n = byClient ? 3 : 1
      await app.insert('tasks', { id: 41, title: 'first life' })
      const base = (await sequenced(store)).seq
      if (byClient)
        await push(store, alice, mutation(n, remove('tasks', '41'), { base, stamp: stampIn(-7_200_000) }))
      else await app.remove('tasks', '41')
      const gone = (await standingOf(kit, 'tasks', '41')).gone
      if (byClient) while (await store.fold());
      const made = await push(
        store,
        alice,
        mutation(n + 1, create('tasks', `tmp_${n}`, { title: 'second life' }), {
          stamp: stampIn(-3_600_000),
        }),
      )
      const id = made.ids?.[`tmp_${n}`] ?? ''
      const again = cellOf(await standingOf(kit, 'tasks', id), 'title')
      const floor = id === '41' ? (gone?.stamp ?? '') : ''
      expect(
        (again?.stamp ?? '') > floor,
        `${again?.stamp} above ${floor}, deleted by ${byClient ? 'a client' : 'the application'}`,
      ).toBe(true)
      await app.remove('tasks', id)
    }
  },

  '[L4] the newest state of each changed row, once, in order of seq, in pages': async kit => {
    const { app, store, expect } = kit
    for (let i = 0; i < 12; i++) await app.insert('notes', { id: `n${i}`, title: 'a' })
    const at = (await sequenced(store)).seq
    for (let i = 0; i < 12; i += 2) await app.update('notes', `n${i}`, { title: 'b' })
    await app.update('notes', 'n0', { title: 'c' })
    await app.remove('notes', 'n1')
    await sequenced(store)
    for (const limit of [1, 2, 5, 100]) {
      const rows = await changesAfter(store, ['notes'], at, limit)
      expect(
        rows.map(row => row.id),
        `pages of ${limit}`,
      ).toEqual(['n2', 'n4', 'n6', 'n8', 'n10', 'n0', 'n1'])
      expect(rows.map(row => row.seq)).toEqual(rows.map(row => row.seq).sort((a, b) => a - b))
      expect(rowOf(rows[5])?.['title']).toBe('c')
      expect(rows[6]?.json ?? null).toBe(null)
    }
    const first = await store.changes({ entities: ['notes'], after: at, limit: 2, form: 'values' })
    expect(first.more).toBe(true)
    expect(first.to.seq).toBe(first.rows.at(-1)?.seq)
    expect(await store.verify([first.to])).toEqual(['here'])
  },

  '[L4] changes of other entities advance the place and are not sent': async kit => {
    const { app, store, expect } = kit
    await app.insert('lists', { id: 1, name: 'x' })
    const head = await sequenced(store)
    const page = await store.changes({ entities: ['notes'], after: 0, limit: 10, form: 'values' })
    expect([page.rows.length, page.more]).toEqual([0, false])
    expect(page.to.seq).toBe(head.seq)
  },

  '[L5] cleanup forgets deletes and superseded entries, never the newest state or the newest entry':
    async kit => {
      const { app, store, expect } = kit
      await app.insert('notes', { id: 'kept', title: '1' })
      await app.insert('notes', { id: 'dead', title: '1' })
      await app.update('notes', 'kept', { title: '2' })
      const before = await sequenced(store)
      await app.remove('notes', 'dead')
      await app.update('notes', 'kept', { title: '3' })
      const head = await sequenced(store)
      const places = await store.places({ entity: 'notes', after: null, limit: 10 })
      expect(await store.cleanup(Date.now() - 3_600_000)).toBe(0)
      expect(await store.verify([before, head])).toEqual(['here', 'here'])
      await pause(5)
      expect(await store.cleanup(Date.now() + 3_600_000)).toBeGreaterThan(0)
      expect(await store.places({ entity: 'notes', after: null, limit: 10 })).toEqual(places)
      expect((await snapshotOf(store, 'notes')).map(({ row }) => row['title'])).toEqual(['3'])
      expect(await store.verify([before, head])).toEqual(['old', 'here'])
      expect((await store.head()).horizon).toBeGreaterThan(before.seq)
      // whoever reads from before it has to be told in the same view that deletes are missing
      const late = await store.changes({ entities: ['notes'], after: before.seq, limit: 1, form: 'values' })
      expect(late.horizon).toBeGreaterThan(before.seq)
      expect((await store.head()).seq).toBe(head.seq)
      await app.insert('notes', { id: 'more' })
      expect((await sequenced(store)).seq).toBeGreaterThan(head.seq)
    },

  '[L6] a cursor is here, old, or off this log': async kit => {
    const { app, store, expect } = kit
    await app.insert('notes', { id: 'a' })
    const here = await sequenced(store)
    const strange: Cursor[] = [
      { ...here, epoch: `${here.epoch}x` },
      { ...here, seq: here.seq + 1000 },
      { ...here, check: here.check + 1 },
    ]
    expect(await store.verify([here, ...strange])).toEqual(['here', 'off', 'off', 'off'])
    expect(await store.verify([{ ...here, seq: 0, check: 0 }])).toEqual(['here'])
    expect(await store.verify([])).toEqual([])
  },

  '[L6] a restored backup that was written on is recognised': async kit => {
    const { app, store, expect, under } = kit
    await app.insert('notes', { id: 'a', title: 'before' })
    const common = await sequenced(store)
    const restore = await under.backup()
    await app.update('notes', 'a', { title: 'lost branch' })
    const lost = await sequenced(store)
    await store.close()
    await restore()
    const renewed = await kit.another()
    for (let i = 0; i < 3; i++) await app.insert('notes', { id: `b${i}` })
    await sequenced(renewed)
    expect(await renewed.verify([lost, common])).toEqual(['off', 'here'])
    expect((await snapshotOf(renewed, 'notes')).find(row => row.id === 'a')?.row['title']).toBe('before')
  },

  '[L7] keyset pages cover every row once, with its place; ids sort as their keys': async kit => {
    const { app, store, expect } = kit
    for (const id of [2, 10, 1, 33, 9]) await app.insert('tasks', { id, title: `t${id}` })
    for (const [a, b] of [
      ['x', 2],
      ['x', 10],
      ['w', 5],
    ] as const)
      await app.insert('pairs', { a, b, v: 'v' })
    await sequenced(store)
    for (const limit of [1, 2, 100]) {
      expect(
        (await snapshotOf(store, 'tasks', limit)).map(row => row.id).sort(),
        `pages of ${limit}`,
      ).toEqual(['1', '10', '2', '33', '9'])
      const pairs = (await snapshotOf(store, 'pairs', limit))
        .map(row => row.id)
        .filter(id => !id.includes('marker'))
      expect(pairs.sort()).toEqual(['["w",5]', '["x",10]', '["x",2]'])
    }
    const places = await store.places({ entity: 'tasks', after: null, limit: 100 })
    expect(places.rows).toEqual((await snapshotOf(store, 'tasks')).map(({ id, seq }) => [id, seq]))
    const last = places.rows.map(([, seq]) => seq).sort((a, b) => a - b)
    const above = await store.rowsAbove({ entity: 'tasks', above: last[2] ?? 0, after: null, limit: 100 })
    expect(above.rows.map(row => row.seq).sort((a, b) => a - b)).toEqual(last.slice(3))
    expect(
      (await store.rowsAbove({ entity: 'lists', above: -1, after: null, limit: 10 })).rows.map(row => row.id),
    ).toEqual(['900'])
    expect((await store.rowsAbove({ entity: 'lists', above: 0, after: null, limit: 10 })).rows).toEqual([])
    const byId = await store.rowsById(
      'tasks',
      ['33', 'nobody', '2'].filter(id => id !== 'nobody'),
    )
    expect(byId.map(row => row.id).sort()).toEqual(['2', '33'])
    expect(await store.rowsById('tasks', ['777'])).toEqual([])
  },

  '[L8] JSON is exact by kind': async kit => {
    const { app, store, expect } = kit
    await app.insert('notes', {
      id: 'x',
      title: 'ü\u{1f600}',
      revision: 9_007_199_254_740_991,
      big: null,
      data: [true, { a: 1.5 }],
      picture: { $blob: 'AAEC' },
    })
    await push(store, alice, mutation(1, update('notes', 'x', { big: '9007199254740993' })))
    await app.insert('tasks', { id: 5, done: true, rank: 0.1 })
    await sequenced(store)
    const [note] = await snapshotOf(store, 'notes')
    expect(note?.row).toEqual({
      id: 'x',
      title: 'ü\u{1f600}',
      body: null,
      revision: 9_007_199_254_740_991,
      data: [true, { a: 1.5 }],
      picture: { $blob: 'AAEC' },
      big: '9007199254740993',
    })
    const [task] = await snapshotOf(store, 'tasks')
    expect(task?.row).toEqual({ id: 5, list_id: null, title: '', done: true, slug: null, rank: 0.1 })
    const values = await store.snapshot({ entity: 'tasks', after: null, limit: 1, form: 'values' })
    expect(JSON.parse(`[${values.rows[0]?.json}]`)).toEqual([5, null, '', true, null, 0.1])
    expect(values.rows[0]?.idJson).toBe('5')
    const [, shape] = [...store.entities].find(([name]) => name === 'tasks') ?? []
    expect(shape?.shape.columns.map(([name]) => name)).toEqual([
      'id',
      'list_id',
      'title',
      'done',
      'slug',
      'rank',
    ])
    expect(shape?.shape.columns.map(([, kind]) => kind)).toEqual([
      'integer',
      'integer',
      'text',
      'boolean',
      'text',
      'real',
    ])
    expect([shape?.shape.key, shape?.integerKey, shape?.assignsKey]).toEqual([['id'], true, true])
  },
}
