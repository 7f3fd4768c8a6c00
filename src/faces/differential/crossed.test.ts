// What is under way while a question is, frame by frame: batches that cross it, answers that come late, or twice.
import { expect, test } from 'vitest'
import { settle } from '../../testing/fake-env.ts'
import { batch, place, response, rig, shape, state } from './crossed-rig.test.ts'

for (const followed of [true, false])
  test(`[W3] [W8] a live batch that crosses the question is told as it is, and does not answer it, ${followed ? 'followed' : 'not followed any more'}`, async () => {
    const it = await rig(followed)
    const { wire, told } = it
    const asked = it.ask()
    await settle()
    expect(wire.questions()).toEqual([[asked.id, 1]])
    await wire.say(batch(1, 3, { 2: { id: 'u', status: 'b', name: 'U' }, 3: { id: 'v', status: 'b' } }))
    expect(asked.ended).toEqual([])
    expect(told.splice(0)).toEqual([
      'sync:delta u.status',
      'sync:delta v.id.status.name',
      'deltas:processed u.status v.id.status.name',
    ])
    await wire.say(
      response(asked.id, 5, [
        [3, 'v', 'create', { id: 'v', status: 'b' }],
        [4, 'u', 'update', { status: 'b', name: 'V' }],
        [5, 'w', 'create', { id: 'w', status: 'c' }],
      ]),
    )
    expect(asked.ended).toEqual(['u.name w.id.status'])
    expect(told).toEqual(['sync:response u.name w.id.status', 'deltas:processed u.name w.id.status'])
    expect(state(it)).toEqual({
      u: { id: 'u', status: 'b', name: 'V' },
      v: { id: 'v', status: 'b', name: null },
      w: { id: 'w', status: 'c', name: null },
    })
    // it fitted: nobody asks for it again, and what comes next goes on from there
    expect(wire.questions()).toHaveLength(1)
    await wire.say(batch(5, 6, { 6: 'w' }))
    expect(Object.keys(state(it))).toEqual(followed ? ['u', 'v'] : ['u', 'v', 'w'])
  })

test('[W3] [W8] what is gone by a batch that crossed is told once, and an answer that brings nothing more is told empty', async () => {
  const it = await rig(true)
  const { wire, told } = it
  const asked = it.ask()
  await settle()
  await wire.say(batch(1, 2, { 2: 'u' }))
  expect(told.splice(0)).toEqual(['sync:delta u.id', 'deltas:processed u.id'])
  await wire.say(response(asked.id, 2, [[2, 'u', 'delete', { id: 'u' }]]))
  expect([asked.ended, told, state(it)]).toEqual([[''], ['sync:response '], {}])
  // once more it is for nobody
  await wire.say(response(asked.id, 2, [[2, 'u', 'delete', { id: 'u' }]]))
  await wire.say(batch(2, 3, { 3: { id: 'v' } }))
  expect([told.length, Object.keys(state(it)), wire.questions().length]).toEqual([3, ['v'], 1])
})

test('[W3] [R4] pages of an answer are one answer, whatever crossed the question and however far the first of them go', async () => {
  const it = await rig(true)
  const { wire, told } = it
  const asked = it.ask()
  await settle()
  await wire.say(batch(1, 4, { 2: { id: 'u', status: 'b' }, 3: { id: 'v' }, 4: { id: 'w' } }))
  told.length = 0
  const more = { hasMore: true }
  await wire.say(
    response(asked.id, 3, [[3, 'v', 'create', { id: 'v' }]], more),
    response(asked.id, 5, [[5, 'u', 'update', { status: 'c' }]], more),
  )
  expect([asked.ended, told, it.client.getLocalState('users')['u']]).toMatchObject([[], [], { status: 'b' }])
  await wire.say(response(asked.id, 6, [[6, 'x', 'create', { id: 'x' }]]))
  expect([asked.ended, told]).toEqual([
    ['u.status x.id'],
    ['sync:response u.status x.id', 'deltas:processed u.status x.id'],
  ])
  expect(Object.keys(state(it))).toEqual(['u', 'v', 'w', 'x'])
})

test('[W3] [W5] batches that cross are no sign of an answer: it is asked for again from there, and both answers fit', async () => {
  const it = await rig(false)
  const { wire, told, env } = it
  const asked = it.ask()
  await settle()
  await wire.say(
    batch(1, 2, { 2: { id: 'v' } }),
    response(asked.id, 3, [[3, 'w', 'create', { id: 'w' }]], { hasMore: true }),
  )
  await env.advance(2000)
  // the page was a sign
  expect(wire.questions()).toHaveLength(1)
  await env.advance(1000)
  expect(wire.questions()).toEqual([
    [asked.id, 1],
    [asked.id, 2],
  ])
  told.length = 0
  await wire.say(
    response(asked.id, 3, [[3, 'w', 'create', { id: 'w' }]], { hasMore: true }),
    response(asked.id, 4, [[4, 'x', 'create', { id: 'x' }]]),
  )
  expect([asked.ended, told]).toEqual([
    ['w.id x.id'],
    ['sync:response w.id x.id', 'deltas:processed w.id x.id'],
  ])
  expect(Object.keys(state(it))).toEqual(['u', 'v', 'w', 'x'])
})

test('[W3] [W5] asked for in vain it ends with its error, whatever is live, and the next question is one of its own', async () => {
  const it = await rig(true)
  const { wire, told, env } = it
  const first = it.ask()
  await settle()
  const { id } = first
  await wire.say(batch(1, 2, { 2: { id: 'v' } }))
  await env.advance(1100)
  await wire.say(batch(2, 3, { 3: { id: 'w' } }))
  await env.advance(1100)
  expect([first.ended, wire.questions().map(([, at]) => at)]).toEqual([['SYNC_TIMEOUT'], [1, 2]])
  told.length = 0
  env.time += 1
  const second = it.ask()
  await settle()
  expect([second.id === id, wire.questions().at(-1)]).toEqual([false, [second.id, 3]])
  // the answer to the one that was given up is for nobody: all of it is in the other one
  const x = [4, 'x', 'create', { id: 'x' }] as const
  await wire.say(response(id, 4, [x]))
  expect([second.ended, told]).toEqual([[], []])
  await wire.say(response(second.id, 5, [x, [5, 'y', 'create', { id: 'y' }]]))
  expect([second.ended, told]).toEqual([
    ['x.id y.id'],
    ['sync:response x.id y.id', 'deltas:processed x.id y.id'],
  ])
  expect(Object.keys(state(it))).toEqual(['u', 'v', 'w', 'x', 'y'])
})

test('[W8] an edit of its own that crosses the question is neither news nor an answer', async () => {
  const it = await rig(true)
  const { wire, told, client } = it
  client.updateLocalState({ u: { status: 'mine' } }, 'users')
  await it.env.advance(0)
  const asked = it.ask()
  await settle()
  await wire.say(
    { type: 'results', results: [{ n: 1, status: 'applied', version: 2 }] },
    batch(1, 2, { 2: { id: 'u', status: 'mine', name: 'U' } }),
  )
  expect([asked.ended, told]).toEqual([[], []])
  await wire.say(response(asked.id, 2, [[2, 'u', 'update', { status: 'mine' }]]))
  expect([asked.ended, told, client.getSyncStatus().pendingChanges]).toEqual([[''], ['sync:response '], 0])
})

test('[W5] [W8] refused, or healed, it ends as it always does, whatever crossed it', async () => {
  const it = await rig(true)
  const { wire, told } = it
  const refused = it.ask()
  await settle()
  await wire.say(batch(1, 2, { 2: { id: 'v' } }), {
    type: 'sync:error',
    syncId: refused.id,
    code: 'FORBIDDEN',
    message: 'no',
  })
  expect(refused.ended).toEqual(['SYNC_OPERATION_ERROR'])
  it.env.time += 1
  const healed = it.ask()
  await settle()
  told.length = 0
  await wire.say(batch(2, 3, { 3: { id: 'w' } }))
  expect(told.splice(0)).toEqual(['sync:delta w.id.status.name', 'deltas:processed w.id.status.name'])
  await wire.say(
    { type: 'reset', entity: 'users', state: 'check', common: place(2), shape },
    { ...batch(null, 4, { 4: { id: 'x' } }), from: place(2), repair: true },
  )
  expect(healed.ended).toEqual([])
  await wire.say({ type: 'mismatch', entity: 'users', cursor: place(4), buckets: [] })
  expect([healed.ended, told]).toEqual([
    ['x.id.status.name'],
    ['sync:response x.id.status.name', 'deltas:processed x.id.status.name'],
  ])
})

test('[W8] frames of one turn are told one after the other: what comes after the answer is live', async () => {
  const it = await rig(true)
  const { wire, told } = it
  const asked = it.ask()
  await settle()
  await Promise.all([
    wire.say(batch(1, 2, { 2: { id: 'v' } })),
    wire.say(response(asked.id, 3, [[3, 'u', 'update', { status: 'b' }]])),
    wire.say(batch(3, 4, { 4: { id: 'u', status: 'c', name: 'U' } })),
  ])
  expect([asked.ended, told.splice(0)]).toEqual([
    ['u.status'],
    [
      'sync:delta v.id.status.name',
      'deltas:processed v.id.status.name',
      'sync:response u.status',
      'deltas:processed u.status',
      'sync:delta u.status',
      'deltas:processed u.status',
    ],
  ])
  it.env.time += 1
  const nothing = it.ask()
  await settle()
  await Promise.all([wire.say(response(nothing.id, 4, [])), wire.say(batch(4, 5, { 5: 'u' }))])
  expect([nothing.ended, told]).toEqual([
    [''],
    ['sync:response ', 'sync:delta u.id', 'deltas:processed u.id'],
  ])
})

test('[W3] [W6] subscribed in the middle of an answer, the rest of it is for nobody, and the rows are the answer', async () => {
  const it = await rig(false)
  const { wire, told } = it
  const asked = it.ask()
  await settle()
  const { id } = asked
  await wire.say(response(id, 2, [[2, 'v', 'create', { id: 'v' }]], { hasMore: true }))
  const subscribed = it.client.subscribe('users')
  expect(wire.sent.at(-1)).toMatchObject({ type: 'subscribe', scopes: [{ entity: 'users' }] })
  await wire.say(response(id, 3, [[3, 'w', 'create', { id: 'w' }]]))
  expect([asked.ended, told, Object.keys(state(it))]).toEqual([[], [], ['u']])
  await wire.say(batch(1, 4, { 2: { id: 'v' }, 3: { id: 'w' }, 4: 'u' }))
  await subscribed
  const rows = 'v.id.status.name w.id.status.name u.id'
  expect(asked.ended).toEqual([rows])
  expect(told).toEqual([`sync:response ${rows}`, `deltas:processed ${rows}`])
})

test('[W6] unsubscribed in the middle of a sync it is asked for anew, once, and answered by whichever comes', async () => {
  const it = await rig(true)
  const { wire, told, client } = it
  const asked = it.ask()
  await settle()
  await client.unsubscribe('users')
  await settle()
  expect(wire.sent.slice(-3).map(({ type }) => type)).toEqual(['sync:request', 'unsubscribe', 'sync:request'])
  expect([asked.ended, told]).toEqual([[], []])
  const v = [2, 'v', 'create', { id: 'v' }] as const
  await wire.say(response(asked.id, 2, [v]))
  expect([asked.ended, told.splice(0)]).toEqual([['v.id'], ['sync:response v.id', 'deltas:processed v.id']])
  await wire.say(response(asked.id, 3, [v, [3, 'w', 'create', { id: 'w' }]]))
  expect([told, Object.keys(state(it))]).toEqual([[], ['u', 'v']])
})
