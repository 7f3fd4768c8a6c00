// Rules D8 to D11, from one end of accept to the other: rows that are deleted, there already, or never were.
import {
  alice,
  changesAfter,
  create,
  deciding,
  mutation,
  push,
  remove,
  sequenced,
  snapshotOf,
  stampIn,
  update,
} from './server-store-kit.ts'
import type { ContractTests, Kit } from './server-store-kit.ts'
import type { Row } from '../../core/index.ts'

const serverWins = deciding({ strategy: 'server-wins' })
const clientWins = deciding({ strategy: 'client-wins' })
const keepBoth = deciding({ strategy: 'keep-both', grain: 'field' })

/** A note that the application made; the place of the log after it. */
async function noted(kit: Kit, row: Row = {}): Promise<number> {
  await kit.app.insert('notes', { id: 'a', title: 'first', body: 'first', ...row })
  return (await sequenced(kit.store)).seq
}

async function note(kit: Kit, id = 'a'): Promise<Row | null> {
  await sequenced(kit.store)
  return (await snapshotOf(kit.store, 'notes')).find(row => row.id === id)?.row ?? null
}

export const existenceTests: ContractTests = {
  '[D8] an update of a row deleted after base stores nothing; only a create revives': async kit => {
    const base = await noted(kit)
    await kit.app.remove('notes', 'a')
    await sequenced(kit.store)
    const late = await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'mine' }), { base, stamp: stampIn(50_000) }),
    )
    kit.expect([late.status, late.error?.code, await note(kit)]).toEqual(['conflict', 'ROW_DELETED', null])
    const revived = await push(
      kit.store,
      alice,
      mutation(2, create('notes', 'a', { title: 'again' }), { base }),
    )
    kit
      .expect([revived.status, (await note(kit))?.['title'], (await note(kit))?.['body']])
      .toEqual(['applied', 'again', null])
  },

  '[D8] also when the delete may have been forgotten': async kit => {
    const base = await noted(kit)
    await kit.app.remove('notes', 'a')
    await kit.app.insert('notes', { id: 'other' })
    await sequenced(kit.store)
    await kit.store.cleanup(Date.now() + 3_600_000)
    const late = await push(kit.store, alice, mutation(1, update('notes', 'a', { title: 'mine' }), { base }))
    kit.expect([late.status, late.error?.code]).toEqual(['conflict', 'ROW_DELETED'])
  },

  '[D9] a delete of an edited row wins or is a conflict by strategy; a delete of nothing is applied':
    async kit => {
      const base = await noted(kit)
      await kit.app.update('notes', 'a', { title: 'theirs' })
      await sequenced(kit.store)
      const refused = await push(kit.store, alice, mutation(1, remove('notes', 'a'), { base }), serverWins)
      kit.expect([refused.status, (await note(kit))?.['title']]).toEqual(['conflict', 'theirs'])
      const at = (await sequenced(kit.store)).seq
      const won = await push(kit.store, alice, mutation(2, remove('notes', 'a'), { base }))
      kit.expect([won.status, await note(kit)]).toEqual(['applied', null])
      kit
        .expect((await changesAfter(kit.store, ['notes'], at)).map(row => [row.id, row.json]))
        .toEqual([['a', null]])
      kit
        .expect((await push(kit.store, alice, mutation(3, remove('notes', 'a'), { base }))).status)
        .toBe('applied')
      kit
        .expect((await push(kit.store, alice, mutation(4, remove('notes', 'never'), { base }))).status)
        .toBe('applied')
    },

  '[D10] a create on an existing id is rejected under every strategy, unless it may update': async kit => {
    const base = await noted(kit)
    for (const [i, decide] of [deciding(), clientWins, serverWins, keepBoth].entries()) {
      const result = await push(
        kit.store,
        alice,
        mutation(i + 1, create('notes', 'a', { title: 'mine' }), { base }),
        decide,
      )
      kit.expect([result.status, result.error?.code], `strategy ${i}`).toEqual(['rejected', 'ALREADY_EXISTS'])
    }
    const merged = await push(
      kit.store,
      alice,
      mutation(9, create('notes', 'a', { title: 'mine' }, true), { base }),
    )
    kit
      .expect([merged.status, (await note(kit))?.['title'], (await note(kit))?.['body']])
      .toEqual(['applied', 'mine', 'first'])
  },

  '[D11] an update of a row that never existed inserts it, or is NOT_FOUND where the table refuses':
    async kit => {
      const inserted = await push(kit.store, alice, mutation(1, update('notes', 'new', { title: 'made' })))
      kit.expect([inserted.status, (await note(kit, 'new'))?.['title']]).toEqual(['applied', 'made'])
      const refused = await push(kit.store, alice, mutation(2, update('lists', '77', {})))
      kit.expect([refused.status, refused.error?.code]).toEqual(['rejected', 'NOT_FOUND'])
      const broken = await push(kit.store, alice, mutation(3, create('lists', '78', {})))
      kit.expect([broken.status, broken.error?.code]).toEqual(['rejected', 'CONSTRAINT_FAILED'])
      const [list] = await snapshotOf(kit.store, 'lists')
      const emptied = await push(
        kit.store,
        alice,
        mutation(4, update('lists', list?.id ?? '', { name: null })),
      )
      kit.expect([emptied.status, emptied.error?.code]).toEqual(['rejected', 'CONSTRAINT_FAILED'])
    },
}
