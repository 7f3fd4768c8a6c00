// Rules Q, the server's half: exactly once, in order, temporary ids, fencing.
import {
  alice,
  anybody,
  bob,
  changesAfter,
  codeOf,
  create,
  deciding,
  mutation,
  offer,
  push,
  remove,
  rowOf,
  sequenced,
  snapshotOf,
  update,
} from './server-store-kit.ts'
import type { ContractTests } from './server-store-kit.ts'

const open = { ...alice, lead: null }

export const queueTests: ContractTests = {
  '[Q2] mutations are processed in order; a rejected one counts as processed and spoils no other': async ({
    store,
    expect,
  }) => {
    const outcomes = await offer(store, alice, [
      mutation(1, create('notes', 'a', { title: '1' })),
      mutation(2, create('notes', 'a', { title: '2' })),
      { ...mutation(3, create('notes', 'b', {})), rejected: { code: 'FORBIDDEN', message: 'no' } },
      mutation(4, update('notes', 'a', { title: '4' })),
    ])
    const results = outcomes.map(outcome => (outcome.kind === 'result' ? outcome.result : null))
    expect(results.map(result => [result?.n, result?.status])).toEqual([
      [1, 'applied'],
      [2, 'rejected'],
      [3, 'rejected'],
      [4, 'applied'],
    ])
    expect(results.map(result => result?.error?.code ?? null)).toEqual([
      null,
      'ALREADY_EXISTS',
      'FORBIDDEN',
      null,
    ])
    expect((await store.identify(alice)).last).toBe(4)
    await sequenced(store)
    expect((await snapshotOf(store, 'notes')).map(({ row }) => row['title'])).toEqual(['4'])
  },

  '[Q2] a result says as of which place it is settled': async ({ app, store, expect }) => {
    const applied = await push(store, alice, mutation(1, create('notes', 'a', { title: '1' })))
    const [row] = await changesAfter(store, ['notes'])
    expect(applied.version).toBe(row?.seq)
    expect([row?.origin?.client, row?.origin?.mutation]).toEqual(['alice', 1])
    const base = (await sequenced(store)).seq
    await app.update('notes', 'a', { title: '2' })
    const conflict = await push(
      store,
      alice,
      mutation(2, update('notes', 'a', { title: 'x' }), { base }),
      deciding({ strategy: 'server-wins' }),
    )
    // it stored nothing, yet the view that refutes it lies above its base
    expect(conflict.version === applied.version).toBe(conflict.status === 'applied')
    expect(
      (await changesAfter(store, ['notes'], base)).map(change => change.seq <= conflict.version),
    ).toEqual(conflict.status === 'applied' ? [] : [true])
  },

  '[Q3] a mutation that was processed is a duplicate, with its result, and stored by nobody twice':
    async kit => {
      const { store, expect } = kit
      const first = await push(store, alice, mutation(1, create('notes', 'a', { title: '1' })))
      const refused = await push(store, alice, mutation(2, create('notes', 'a', { title: '2' })))
      await kit.app.update('notes', 'a', { title: 'later' })
      const head = await sequenced(store)
      const other = await kit.another()
      const [again, refusedAgain] = [
        await push(other, alice, mutation(1, create('notes', 'a', { title: '1' }))),
        await push(other, alice, mutation(2, create('notes', 'a', { title: '2' }))),
      ]
      expect([again.status, again.version]).toEqual(['duplicate', first.version])
      expect([refusedAgain.status, refusedAgain.version, refusedAgain.error?.code]).toEqual([
        'duplicate',
        refused.version,
        'ALREADY_EXISTS',
      ])
      expect((await store.head()).seq).toBe(head.seq)
      expect((await snapshotOf(store, 'notes'))[0]?.row['title']).toBe('later')
    },

  '[Q3] also twice in one push, and after its result was acknowledged and forgotten': async ({
    store,
    expect,
  }) => {
    const twice = await offer(store, alice, [
      mutation(1, create('notes', 'a', {})),
      mutation(1, create('notes', 'a', {})),
    ])
    expect(twice.map(outcome => outcome.kind === 'result' && outcome.result.status)).toEqual([
      'applied',
      'duplicate',
    ])
    await offer(store, alice, [mutation(2, create('notes', 'b', {}))], deciding(), 1)
    const head = await sequenced(store)
    const forgotten = await push(store, alice, mutation(1, create('notes', 'a', {})))
    expect(forgotten.status).toBe('duplicate')
    expect((await sequenced(store)).seq).toBeGreaterThan(head.seq)
    expect((await snapshotOf(store, 'notes')).length).toBe(2)
    expect((await store.identify(alice)).last).toBe(2)
  },

  '[Q3] numbers are per user and client': async ({ store, expect }) => {
    await push(store, alice, mutation(5, create('notes', 'a', {})))
    expect((await push(store, bob, mutation(1, create('notes', 'b', {})))).status).toBe('applied')
    expect(
      (await push(store, { ...alice, user: 'else' }, mutation(1, create('notes', 'c', {})))).status,
    ).toBe('applied')
    expect((await store.identify({ ...alice, client: 'new' })).last).toBe(0)
    expect((await store.identify(alice)).last).toBe(5)
  },

  '[Q3] a foreign client names its mutations itself': async ({ store, expect }) => {
    const named = { ...mutation(null, create('notes', 'a', { title: '1' })) }
    const sent = { ...named, mutation: { ...named.mutation, mutationId: 'm-1' } }
    const first = await push(store, open, sent)
    const again = await push(store, open, sent)
    expect([first.status, again.status, again.version]).toEqual(['applied', 'duplicate', first.version])
    expect([first.mutation_id, again.mutation_id]).toEqual(['m-1', 'm-1'])
    // without a name nothing is known of it
    await push(store, anybody, mutation(null, update('notes', 'a', { title: '2' })))
    const third = await push(store, anybody, mutation(null, update('notes', 'a', { title: '2' })))
    expect(third.status).toBe('applied')
  },

  '[Q3] what a mutation stores and that it was processed are one transaction: a refused push books nothing':
    async ({ store, expect }) => {
      await store.identify({ ...alice, lead: 7 })
      expect(await codeOf(offer(store, alice, [mutation(1, create('notes', 'a', {}))]))).toBe('FENCED')
      expect((await store.identify({ ...alice, lead: 7 })).last).toBe(0)
      const later = await push(store, { ...alice, lead: 7 }, mutation(1, create('notes', 'a', {})))
      expect(later.status).toBe('applied')
    },

  '[Q6] a temporary id travels with its row and is resolved in ids and foreign keys of later writes': async ({
    store,
    expect,
  }) => {
    const made = await offer(store, alice, [
      mutation(1, create('lists', 'tmp_l', { name: 'l' })),
      mutation(2, create('tasks', 'tmp_t', { list_id: 'tmp_l', title: 't' })),
      mutation(3, update('tasks', 'tmp_t', { title: 't2' })),
    ])
    const results = made.map(outcome => (outcome.kind === 'result' ? outcome.result : null))
    expect(results.map(result => result?.status)).toEqual(['applied', 'applied', 'applied'])
    const [list, task] = [results[0]?.ids?.['tmp_l'] ?? '', results[1]?.ids?.['tmp_t'] ?? '']
    await sequenced(store)
    const rows = await changesAfter(store, ['lists', 'tasks'])
    expect(rows.map(row => [row.entity, row.id, row.temporary])).toEqual([
      ['lists', list, 'tmp_l'],
      ['tasks', task, 'tmp_t'],
    ])
    expect(rowOf(rows[1])).toEqual({
      id: Number(task),
      list_id: Number(list),
      title: 't2',
      done: null,
      slug: null,
      rank: null,
    })

    // later, folded, in another push, in one transaction with a new row
    while (await store.fold());
    const later = await push(
      store,
      alice,
      mutation(4, [
        update('lists', 'tmp_l', { name: 'renamed' }),
        create('tasks', 'tmp_u', { list_id: 'tmp_l' }),
      ]),
    )
    expect(later.status).toBe('applied')
    expect(later.ids?.['tmp_l']).toBe(list)
    expect((await push(store, alice, mutation(5, remove('tasks', 'tmp_t')))).status).toBe('applied')
    await sequenced(store)
    expect((await snapshotOf(store, 'tasks')).map(({ row }) => row['list_id'])).toEqual([Number(list)])
    expect(
      (await snapshotOf(store, 'lists'))
        .map(({ row }) => JSON.stringify(row['name']))
        .sort((a, b) => (a < b ? -1 : 1)),
    ).toEqual(['"before"', '"renamed"'])
  },

  '[Q6] the temporary ids of a refused transaction stand for nothing, and those of another client are not mine':
    async ({ store, expect }) => {
      const refused = await push(
        store,
        alice,
        mutation(1, [create('lists', 'tmp_l', { name: 'l' }), create('lists', 'tmp_m', {})]),
      )
      expect(refused.status).toBe('rejected')
      const orphan = await push(store, alice, mutation(2, create('tasks', 'tmp_t', { list_id: 'tmp_l' })))
      expect(orphan.status).toBe('rejected')
      await push(store, alice, mutation(3, create('lists', 'tmp_l', { name: 'again' })))
      const other = await push(store, bob, mutation(1, update('lists', 'tmp_l', { name: 'stolen' })))
      expect(other.status).toBe('rejected')
      await sequenced(store)
      expect(
        (await snapshotOf(store, 'lists'))
          .map(({ row }) => JSON.stringify(row['name']))
          .sort((a, b) => (a < b ? -1 : 1)),
      ).toEqual(['"again"', '"before"'])
    },

  '[Q7] a lower lead than the greatest seen is fenced, and nothing of it is stored': async kit => {
    const { store, expect } = kit
    expect((await store.identify({ ...alice, lead: 2 })).lead).toBe(2)
    expect((await store.identify({ ...alice, lead: 1 })).lead).toBe(2)
    const other = await kit.another()
    expect(await codeOf(offer(other, { ...alice, lead: 1 }, [mutation(1, create('notes', 'a', {}))]))).toBe(
      'FENCED',
    )
    await push(other, { ...alice, lead: 3 }, mutation(1, create('notes', 'a', { title: 'three' })))
    expect(
      await codeOf(
        offer(store, { ...alice, lead: 2 }, [mutation(2, update('notes', 'a', { title: 'two' }))]),
      ),
    ).toBe('FENCED')
    expect(
      (await push(store, { ...alice, lead: 3 }, mutation(2, update('notes', 'a', { title: 'ok' })))).status,
    ).toBe('applied')
    expect((await push(store, open, mutation(3, update('notes', 'a', { title: 'http' })))).status).toBe(
      'applied',
    )
    expect((await store.identify({ ...bob, lead: 1 })).lead).toBe(1)
    await sequenced(store)
    expect((await snapshotOf(store, 'notes')).map(({ row }) => row['title'])).toEqual(['http'])
  },
}
