// Rules D, from one end of accept to the other: what is judged, what is stored, what is answered.
import {
  alice,
  anybody,
  bob,
  changesAfter,
  create,
  deciding,
  mutation,
  offer,
  push,
  rowOf,
  sequenced,
  snapshotOf,
  stampIn,
  update,
} from './server-store-kit.ts'
import type { ContractTests, Kit } from './server-store-kit.ts'
import type { Row } from '../../core/index.ts'

const field = deciding({ grain: 'field' })
const serverWins = deciding({ strategy: 'server-wins' })
const clientWins = deciding({ strategy: 'client-wins' })
const keepBoth = deciding({ strategy: 'keep-both', grain: 'field' })
const resolver = deciding({ resolver: true })

/** A note that the application made; the place of the log after it. */
async function noted(kit: Kit, row: Row = {}): Promise<number> {
  await kit.app.insert('notes', { id: 'a', title: 'first', body: 'first', ...row })
  return (await sequenced(kit.store)).seq
}

async function note(kit: Kit, id = 'a'): Promise<Row | null> {
  await sequenced(kit.store)
  return (await snapshotOf(kit.store, 'notes')).find(row => row.id === id)?.row ?? null
}

export const decideTests: ContractTests = {
  '[D1] what the writer had seen is overwritten, whatever the clocks say': async kit => {
    const base = await noted(kit)
    const result = await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'mine' }), { base, stamp: stampIn(-86_400_000) }),
      serverWins,
    )
    kit.expect(result.status).toBe('applied')
    kit.expect(result.version).toBeGreaterThan(base)
    kit.expect((await note(kit))?.['title']).toBe('mine')
  },

  '[D2] what an earlier mutation of the same client stored is seen, its side effects too': async kit => {
    const base = await noted(kit)
    for (const [i, writer] of [alice, alice, bob].entries()) {
      const patch = { title: `${i}`, revision: 100 * (i + 1) }
      const result = await push(
        kit.store,
        writer,
        mutation(i + 1, update('notes', 'a', patch), { base, stamp: stampIn(0) }),
        serverWins,
      )
      kit.expect(result.status, `mutation ${i}`).toBe(i < 2 ? 'applied' : 'conflict')
    }
  },

  '[D2] two of one client in one push; side effects of the first are its own': async kit => {
    const base = await noted(kit)
    const outcomes = await offer(
      kit.store,
      alice,
      [1, 2].map(n =>
        mutation(n, update('notes', 'a', { title: `t${n}` }), { base, stamp: stampIn(-60_000 + n) }),
      ),
      serverWins,
    )
    kit
      .expect(outcomes.map(outcome => outcome.kind === 'result' && outcome.result.status))
      .toEqual(['applied', 'applied'])
    kit.expect((await note(kit))?.['title']).toBe('t2')
    kit.expect((await note(kit))?.['revision']).toBe(2)
  },

  '[D2] what a resolver put in place of the written value is not seen': async kit => {
    const base = await noted(kit)
    await kit.app.update('notes', 'a', { title: 'theirs' })
    await sequenced(kit.store)
    const asked = (
      await offer(
        kit.store,
        alice,
        [mutation(1, update('notes', 'a', { title: 'mine' }), { base })],
        resolver,
      )
    )[0]
    if (asked?.kind !== 'resolve') throw new Error('no resolver was asked for')
    const seq = asked.writes[0]?.seq ?? -1
    const resolution = { seq, changes: { title: 'merged' } }
    const result = await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'mine' }), { base, resolution }),
      resolver,
    )
    kit.expect(result.status).toBe('merged')
    const again = await offer(
      kit.store,
      alice,
      [mutation(2, update('notes', 'a', { title: 'second' }), { base })],
      resolver,
    )
    kit.expect(again[0]?.kind).toBe('resolve')
  },

  '[D3] without a base: with a stamp later cells are concurrent, without both the write is informed':
    async kit => {
      await noted(kit)
      const late = await push(
        kit.store,
        bob,
        mutation(1, update('notes', 'a', { title: 'late' }), { stamp: stampIn(-60_000) }),
      )
      kit.expect(late.status).toBe('conflict')
      kit
        .expect(
          (
            await push(
              kit.store,
              anybody,
              mutation(null, update('notes', 'a', { title: 'rest' })),
              serverWins,
            )
          ).status,
        )
        .toBe('applied')
      kit.expect((await note(kit))?.['title']).toBe('rest')
    },

  '[D4] last-write-wins: the greater stamp, in whatever order they arrive': async kit => {
    const base = await noted(kit)
    const [older, newer] = [stampIn(1000), stampIn(2000)]
    await kit.app.insert('notes', { id: 'b', title: 'first' })
    const baseB = (await sequenced(kit.store)).seq
    await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'older' }), { base, stamp: older }),
    )
    await push(kit.store, bob, mutation(1, update('notes', 'a', { title: 'newer' }), { base, stamp: newer }))
    await push(
      kit.store,
      bob,
      mutation(2, update('notes', 'b', { title: 'newer' }), { base: baseB, stamp: newer }),
    )
    const lost = await push(
      kit.store,
      alice,
      mutation(2, update('notes', 'b', { title: 'older' }), { base: baseB, stamp: older }),
    )
    kit.expect([(await note(kit))?.['title'], (await note(kit, 'b'))?.['title']]).toEqual(['newer', 'newer'])
    kit
      .expect([lost.status, lost.lost])
      .toEqual(['conflict', [{ entity: 'notes', id: 'b', columns: ['title'] }]])
  },

  '[D4] equal readings are ordered by node': async kit => {
    const base = await noted(kit)
    const stamp = stampIn(1000, 'node-b')
    await push(kit.store, bob, mutation(1, update('notes', 'a', { title: 'b' }), { base, stamp }))
    await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'a' }), { base, stamp: stamp.replace('node-b', 'node-a') }),
    )
    kit.expect((await note(kit))?.['title']).toBe('b')
  },

  '[D5] client-wins stores, server-wins and keep-both drop, whatever the stamps': async kit => {
    const base = await noted(kit)
    await kit.app.update('notes', 'a', { title: 'theirs' })
    await sequenced(kit.store)
    const tried = { base, stamp: stampIn(50_000) }
    const dropped = await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'mine' }), tried),
      serverWins,
    )
    const kept = await push(
      kit.store,
      alice,
      mutation(2, update('notes', 'a', { title: 'mine' }), tried),
      keepBoth,
    )
    kit
      .expect([dropped.status, kept.status, (await note(kit))?.['title']])
      .toEqual(['conflict', 'conflict', 'theirs'])
    kit.expect(dropped.error?.code).toBe('CONFLICT')
    const won = await push(
      kit.store,
      bob,
      mutation(1, update('notes', 'a', { title: 'mine' }), { base, stamp: stampIn(-50_000) }),
      clientWins,
    )
    kit.expect([won.status, (await note(kit))?.['title']]).toEqual(['applied', 'mine'])
  },

  '[D6] a resolution for a row that moved meanwhile is asked for again, and holds up what is behind it':
    async kit => {
      const base = await noted(kit)
      await kit.app.update('notes', 'a', { title: 'theirs' })
      await sequenced(kit.store)
      const mine = update('notes', 'a', { title: 'mine' })
      const first = await offer(
        kit.store,
        alice,
        [mutation(1, mine, { base }), mutation(2, create('notes', 'z', {}))],
        resolver,
      )
      kit.expect(first.map(outcome => outcome.kind)).toEqual(['resolve'])
      kit.expect(await note(kit, 'z')).toBe(null)
      const seq = first[0]?.kind === 'resolve' ? (first[0].writes[0]?.seq ?? -1) : -1
      const [looked] = await kit.store.look('notes', ['a'])
      kit.expect(looked?.standing.seq).toBe(seq)
      await kit.app.update('notes', 'a', { body: 'moved' })
      const stale = await offer(
        kit.store,
        alice,
        [mutation(1, mine, { base, resolution: { seq, changes: { title: 'merged' } } })],
        resolver,
      )
      kit.expect(stale[0]?.kind).toBe('resolve')
      kit.expect((await note(kit))?.['title']).toBe('theirs')
    },

  '[D7] at entity grain the row is one, at field grain each field is by itself': async kit => {
    const base = await noted(kit)
    await kit.app.update('notes', 'a', { body: 'theirs' })
    await sequenced(kit.store)
    const patch = { base, stamp: stampIn(-1000) }
    const row = await push(kit.store, alice, mutation(1, update('notes', 'a', { title: 'mine' }), patch))
    kit.expect(row.status).toBe('conflict')
    const fields = await push(
      kit.store,
      alice,
      mutation(2, update('notes', 'a', { title: 'mine', body: 'mine' }), patch),
      field,
    )
    kit
      .expect([fields.status, fields.lost])
      .toEqual(['merged', [{ entity: 'notes', id: 'a', columns: ['body'] }]])
    const now = await note(kit)
    kit.expect([now?.['title'], now?.['body']]).toEqual(['mine', 'theirs'])
  },

  '[D12] a stamp from the future is clamped, a stored stamp is above the one it replaces': async kit => {
    const base = await noted(kit)
    await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'mine' }), { base, stamp: stampIn(86_400_000) }),
    )
    await sequenced(kit.store)
    const [looked] = await kit.store.look('notes', ['a'])
    const stamp = looked?.standing.cells['title']?.stamp ?? ''
    kit.expect(stamp < stampIn(61_000) && stamp > stampIn(50_000)).toBe(true)
  },

  '[D13] a transaction is stored whole or not at all': async kit => {
    const base = await noted(kit)
    await kit.app.update('notes', 'a', { body: 'theirs' })
    await sequenced(kit.store)
    const both = mutation(1, [create('notes', 'n1', { title: 'x' }), create('lists', '5', {})])
    kit.expect((await push(kit.store, alice, both)).status).toBe('rejected')
    const partly = mutation(
      2,
      [create('notes', 'n2', {}), update('notes', 'a', { title: 'mine', body: 'mine' })],
      { base, stamp: stampIn(-1000) },
    )
    const result = await push(kit.store, alice, partly, field)
    kit.expect(result.status).toBe('conflict')
    kit
      .expect([await note(kit, 'n1'), await note(kit, 'n2'), (await note(kit))?.['title']])
      .toEqual([null, null, 'first'])
    const whole = mutation(3, [
      create('lists', '6', { name: 'l' }),
      create('tasks', '6', { list_id: 6, title: 't' }),
    ])
    const at = (await sequenced(kit.store)).seq
    kit.expect((await push(kit.store, alice, whole)).status).toBe('applied')
    await sequenced(kit.store)
    const rows = await changesAfter(kit.store, ['lists', 'tasks'], at)
    kit.expect(rows.map(row => row.entity)).toEqual(['lists', 'tasks'])
  },

  '[D14] a cell that loses never enters the log': async kit => {
    const base = await noted(kit)
    await kit.app.update('notes', 'a', { title: 'theirs' })
    const at = await sequenced(kit.store)
    const [before] = await kit.store.look('notes', ['a'])
    await push(
      kit.store,
      alice,
      mutation(1, update('notes', 'a', { title: 'mine', body: 'mine' }), { base, stamp: stampIn(-1000) }),
    )
    await push(
      kit.store,
      alice,
      mutation(2, update('notes', 'a', { title: 'mine' }), { base, stamp: stampIn(-1000) }),
      field,
    )
    kit.expect((await kit.store.look('notes', ['a']))[0]).toEqual(before)
    kit.expect(await changesAfter(kit.store, ['notes'], at.seq)).toEqual([])
    kit.expect(rowOf((await changesAfter(kit.store, ['notes']))[0])?.['title']).toBe('theirs')
  },
}
