// Two tenants, as in `tenants`: by deltas, through parts of tables and windows, and in what is on record of lost values.
import { afterEach, expect, test } from 'vitest'
import { cleanUp, rowsOf, until } from './support/app.ts'
import {
  begin,
  busy,
  Ear,
  expectClean,
  mark,
  mutation,
  scope,
  theirs,
  whole,
  write,
} from './support/tenants.ts'

afterEach(cleanUp)

test('[V1] [V2] [W1] X49 deltas: asked for, live, pushed, refused', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const b = new Ear(app, 'b')
  const line = await a.socket()
  const clocks: unknown[] = [undefined]
  let asked = 0
  const ask = async (
    entityType: string,
    lastKnownVectorClock: unknown,
    deltas: object[] = [],
  ): Promise<void> => {
    const syncId = `${entityType}-${++asked}`
    line.say({
      type: 'sync:request',
      syncId,
      data: { clientId: 'x', entityType, lastKnownVectorClock, deltas },
    })
    const answer = await line.hears(
      syncId,
      frame => frame['syncId'] === syncId && (frame.type === 'sync:response' || frame.type === 'sync:error'),
    )
    const { currentVectorClock } = (answer['data'] ?? {}) as { currentVectorClock?: unknown }
    if (entityType === 'notes' && currentVectorClock !== undefined) clocks.push(currentVectorClock)
  }
  for (const entityType of ['notes', 'parts', 'ghosts']) line.say({ type: 'sync:subscribe', entityType })
  const other = await b.socket()
  other.say({ type: 'sync:subscribe', entityType: 'notes' })
  await mark(app, a, 'first')
  const set = (entityId: string, field: string, newValue: unknown, changeType = 'update'): object => ({
    entityType: 'notes',
    entityId,
    changes: [{ field, oldValue: null, newValue, changeType, timestamp: 1 }],
    timestamp: 1,
  })
  for (let round = 0; round < 4; round++) {
    busy(app, round)
    for (const clock of clocks.slice(0, 4)) await ask('notes', clock)
    await ask('parts', undefined)
    await ask('ghosts', undefined)
    await ask('notes', { versions: { guess: 1, server: 3 }, lamportCounter: 2 })
    for (const delta of [
      set('guess', 'title', 'x'),
      set('guess', 'title', 'x', 'create'),
      set('guess', 'id', null, 'delete'),
      set(`mine${round}`, 'title', 'x'),
      set('mine20', 'secret', 'x'),
      set('mine20', 'tenant', 'B'),
    ]) {
      line.say({ type: 'sync:delta', data: delta })
      await ask('notes', clocks.at(-1), [delta])
    }
    if (round === 2) await app.engine.cleanup(0)
    await mark(app, a, `round${round}`)
  }
  expect(a.heard).toContain('FORBIDDEN')
  expectClean(a)
  await until('the other one', () => b.heard.includes(theirs))
})

test('[V10] [V12] X49 parts of tables and windows: nothing of others is in any, also where it would come first', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const line = await a.session('parts')
  const window = { orderBy: [['title', 'desc']], limit: 5 }
  const wishes = [
    { title: { gte: '' } },
    { or: [{ tenant: 'B' }, { title: 'title 5' }] },
    { not: { tenant: 'A' } },
    window,
    {
      ...window,
      orderBy: [
        ['tenant', 'desc'],
        ['title', 'asc'],
      ],
    },
    { ...window, where: { tenant: 'B' } },
    { or: [window, { title: { lt: 'title 3' } }, { orderBy: [['title', 'asc']], limit: 3 }] },
    { orderBy: [['secret', 'asc']], limit: 3 },
    { secret: { gt: '' } },
  ]
  for (const [round, where] of wishes.entries()) {
    line.say({ type: 'subscribe', scopes: [scope({ where })] })
    busy(app, round)
    await line.hears(`an answer to ${JSON.stringify(where)}`, frame => whole(frame) || frame.type === 'error')
    app.db.exec(
      `UPDATE notes SET title = '${theirs} first' WHERE tenant = 'B'; DELETE FROM notes WHERE id = 'mine2${round}'`,
    )
    line.say({ type: 'subscribe', scopes: [scope()] })
    await mark(app, a, `zz${round}`)
  }
  expectClean(a)
})

test('[V1] [I3] X49 what is on record of the values of others is theirs', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const b = new Ear(app, 'b')
  const line = await a.session('one')
  const inbox = scope({ entity: 'syncline_conflicts' })
  line.say({ type: 'subscribe', scopes: [inbox, scope()] })
  await line.hears('the first load', whole)
  const { head } = await app.engine.stats()
  const stale = { base_version: head }
  for (let round = 0; round < 4; round++) {
    app.db.exec(`UPDATE notes SET title = 'stands ${round}' WHERE id IN ('mine10', '${theirs}-20')`)
    const change = (id: string, more: object): object => ({ id, action: 'update', ...stale, ...more })
    await b.post('/notes', {
      client_id: `${theirs}-device`,
      changes: [change(`${theirs}-20`, { data: { title: `${theirs} lost`, secret: theirs } })],
    })
    await a.post('/notes', {
      client_id: 'a-device',
      changes: [
        change('mine10', { data: { title: `mine ${round}` } }),
        change('guess', { data: { title: 'x' } }),
      ],
    })
    line.say({
      type: 'mutate',
      acked: 0,
      mutations: [
        { ...mutation(round + 1, write('mine10', 'update', { title: 'y' })), base: { epoch: '', seq: head } },
      ],
    })
    await a.ask('/syncline_conflicts')
    await a.ask(`/syncline_conflicts?since=${head}`)
    await mark(app, a, `round${round}`)
  }
  expect(JSON.parse((await a.ask('/syncline_conflicts')).text)).toMatchObject({
    changes: expect.arrayContaining([
      expect.objectContaining({ data: expect.objectContaining({ mine: 'mine 3', theirs: 'stands 3' }) }),
    ]),
  })
  expect(a.heard).not.toContain('-device')
  expectClean(a)
  await b.ask('/syncline_conflicts')
  expect(b.heard).toContain(`${theirs} lost`)
})

test('[V1] [I3] who wrote a row that has left their sight since is not told what others write there', async () => {
  const app = await begin()
  const a = new Ear(app, 'a')
  const b = new Ear(app, 'b')
  const place = async (): Promise<number> => (await app.engine.stats()).head
  const start = await place()
  const push = (ear: Ear, id: number, text: string, timestamp: number): Promise<{ text: string }> =>
    ear.post('/parts', {
      client_id: `${ear.who}-device`,
      changes: [{ id, action: 'update', base_version: start, timestamp, data: { text } }],
    })
  const now = Date.now()
  await push(a, 1, 'mine', now - 3_000)
  app.db.exec("UPDATE parts SET tenant = 'B' WHERE id = 1")
  // takes the place of what the first tenant wrote there
  await push(b, 1, `${theirs} now`, now + 9_000)
  // of the second tenant's row: what is written to it later, as the first one's, is no business of theirs
  await push(b, 2, `${theirs} before`, now - 1_000)
  app.db.exec("UPDATE parts SET tenant = 'A' WHERE id = 2; UPDATE parts SET text = 'clean' WHERE id = 2")
  await push(a, 2, 'private', now - 3_000)
  const records = rowsOf(
    app.db,
    'SELECT row_id, writer, other, mine, theirs FROM _syncline_conflicts ORDER BY row_id',
  )
  expect(records).toEqual([
    { row_id: '1', writer: 'a', other: 'b', mine: '"mine"', theirs: null },
    { row_id: '2', writer: 'a', other: null, mine: '"private"', theirs: '"clean"' },
  ])
  for (const ear of [a, b]) await ear.ask('/syncline_conflicts')
  expect(b.heard).not.toContain('private')
  expectClean(a)
})
