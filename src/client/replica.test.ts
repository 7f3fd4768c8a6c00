import { describe, expect, test } from 'vitest'
import { at, rig, shape, synced } from './rig.test.ts'

describe('batches', () => {
  test('[R3] a batch applies iff it begins at the cursor', () => {
    const r = synced()
    r.batch(at(10), at(11), [[11, 'a', 'A2', 'no']])
    expect(r.view('a')).toEqual({ id: 'a', title: 'A2', done: 'no' })
    r.batch(at(9), at(10), [[10, 'a', 'old', 'no']])
    r.batch(at(10), at(11), [[11, 'a', 'overtaken', 'no']])
    expect(r.view('a')?.['title']).toBe('A2')
    expect(r.sent).toEqual([])
    r.batch(at(12), at(13), [[13, 'a', 'A13', 'no']])
    expect(r.view('a')?.['title']).toBe('A2')
    expect(r.sent).toEqual([
      { type: 'subscribe', scopes: [{ entity: 't', cursor: at(11), marks: [at(10)], shape: shape.hash }] },
    ])
    // asked once, however many do not fit
    r.batch(at(13), at(14), [])
    expect(r.sent).toHaveLength(1)
    r.batch(at(11), at(14), [[14, 'a', 'A14', 'no']])
    expect(r.view('a')?.['title']).toBe('A14')
  })

  test('[R3] the same number on another branch does not fit', () => {
    const r = synced()
    r.batch(at(10, 'e', 99), at(11), [[11, 'a', 'x', 'no']])
    expect(r.view('a')?.['title']).toBe('A')
    expect(r.sent).toHaveLength(1)
  })

  test('[R4] parts are staged and become visible with the cursor, all at once', () => {
    const r = synced()
    r.batch(at(10), null, [[11, 'a', 'A2', 'no']])
    r.batch(at(10), null, [[12, 'c', 'C', 'no']])
    expect(r.log).toEqual([])
    r.batch(at(10), at(12), [[12, 'b', 'B2', 'no']])
    expect(r.replica.rows('t').map(row => row['title'])).toEqual(['A2', 'B2', 'C'])
    expect(r.changes.map(({ ids, action }) => [ids, action])).toEqual([
      [['a', 'b'], 'update'],
      [['c'], 'create'],
    ])
    expect(r.saves).toHaveLength(1)
  })

  test('[R4] parts of a lost connection are forgotten', () => {
    const r = synced()
    r.batch(at(10), null, [[11, 'a', 'A2', 'no']])
    r.step({ type: 'closed' })
    r.welcome({ head: 12 })
    r.batch(at(10), at(12), [[12, 'b', 'B2', 'no']])
    expect(r.view('a')?.['title']).toBe('A')
  })

  test('deletes, and rows that were not there', () => {
    const r = synced()
    r.batch(at(10), at(12), [], {
      gone: [
        ['a', 11],
        ['z', 12],
      ],
    })
    expect(r.view('a')).toBeUndefined()
    expect(r.changes).toMatchObject([{ ids: ['a'], action: 'delete', source: 'server', version: 12 }])
    expect(r.saves[0]?.commits).toMatchObject([
      { deletes: ['a'], from: at(10), cursor: at(12), marks: [at(10)], replace: false },
    ])
  })

  test('[R7] rows and cursor are one commit', () => {
    const r = synced()
    r.batch(at(10), at(11), [[11, 'c', 'C', 'no']])
    expect(r.saves).toMatchObject([
      { commits: [{ from: at(10), cursor: at(11), puts: [{ id: 'c', seq: 11 }] }] },
    ])
  })

  test('[R6] the same reference while nothing changed, also after a snapshot', () => {
    const r = rig()
    r.welcome()
    r.create('a', { title: 'A', done: 'no' })
    const before = r.view('a')
    r.batch(null, at(5), [[5, 'a', 'A', 'no']])
    r.result(1, 'applied', 5)
    expect(r.view('a')).toBe(before)
    expect(r.replica.state.entries.size).toBe(0)
  })

  test('[R6] a row that comes and goes in one batch, under a write that showed it, is told as what was seen', () => {
    const r = rig()
    r.welcome()
    r.create('a', { title: 'A', done: 'no' })
    r.create('b', { title: 'B', done: 'no' })
    r.result(1, 'applied', 3)
    r.changes.length = 0
    r.batch(null, null, [
      [3, 'a', 'A', 'no'],
      [4, 'b', 'older', 'no'],
      [4, 'c', 'C', 'no'],
    ])
    r.batch(null, at(10), [], {
      gone: [
        ['a', 8],
        ['b', 9],
        ['c', 10],
      ],
    })
    // what is pending still is shown still, and what nobody saw is nothing
    expect([r.view('a'), r.view('b')?.['title'], r.view('c')]).toEqual([undefined, 'B', undefined])
    expect(r.changes).toMatchObject([{ ids: ['a'], action: 'delete', source: 'server' }])
  })

  test('one batch moves several entities', () => {
    const r = rig({ entities: ['t', 'u'] })
    r.welcome()
    r.frame({
      type: 'batch',
      scopes: ['t', 'u'],
      from: null,
      to: at(2),
      sets: [{ entity: 'u', rows: [[1, 'x', 'X', 'no']] }],
    })
    expect(r.replica.state.entities.get('t')?.cursor).toEqual(at(2))
    expect(r.replica.view('u', 'x')).toEqual({ id: 'x', title: 'X', done: 'no' })
  })
})

describe('writes', () => {
  test('[R1] the view is confirmed state under the pending writes in queue order', () => {
    const r = synced()
    r.update('a', { title: 'mine' })
    r.batch(at(10), at(11), [[11, 'a', 'theirs', 'yes']])
    expect(r.view('a')).toEqual({ id: 'a', title: 'mine', done: 'yes' })
    r.update('a', { done: 'maybe' })
    expect(r.view('a')).toEqual({ id: 'a', title: 'mine', done: 'maybe' })
  })

  test('[R5] an update is cut against the view: changed columns only, nothing changed is nothing', () => {
    const r = synced()
    expect(r.update('a', { title: 'A', done: 'yes' })).toBe(1)
    expect(r.sentMutations()[0]?.writes).toEqual([
      { entity: 't', id: 'a', action: 'update', data: { done: 'yes' }, was: { done: 'no' } },
    ])
    expect(r.update('a', { done: 'yes' })).toBe(0)
    expect(r.replica.state.identity.n).toBe(1)
    expect(r.step({ type: 'write', writes: [{ entity: 't', id: 'none', action: 'delete' }] })).toBe(0)
  })

  test('[Q8] base is the cursor when the user wrote, the lowest of a transaction, null without one', () => {
    const r = rig({ entities: ['t', 'u'] })
    r.create('a', { title: 'x' })
    r.welcome()
    r.batch(null, at(10), [], { scopes: ['t'] })
    r.batch(null, at(7), [], { scopes: ['u'] })
    r.create('b', { title: 'x' })
    r.step({
      type: 'write',
      writes: [
        { entity: 't', id: 'c', action: 'create', data: {} },
        { entity: 'u', id: 'c', action: 'create', data: {} },
      ],
    })
    r.batch(at(10), at(12), [])
    const bases = [...r.replica.state.entries.values()].map(({ record }) => record.mutation.base)
    expect(bases).toEqual([null, { epoch: 'e', seq: 10 }, { epoch: 'e', seq: 7 }])
  })

  test('stamps rise, also when the clock stands or goes back', () => {
    const r = rig()
    for (const now of [5, 5, 3])
      r.step({ type: 'write', writes: [{ entity: 't', id: `${now}`, action: 'create', data: {} }] }, now)
    const stamps = [...r.replica.state.entries.values()].map(({ record }) => record.mutation.stamp)
    expect(stamps).toEqual(['0000000000005000.n', '0000000000005001.n', '0000000000005002.n'])
  })

  test('[Q1] [Q2] sent when durable, in order, once per connection', () => {
    const r = synced()
    const write = (id: string) =>
      r.step({ type: 'write', writes: [{ entity: 't', id, action: 'create', data: {} }] })
    const drafts = [write('x'), write('y')]
    expect(r.sentMutations()).toEqual([])
    r.durable(...drafts)
    expect(r.sentMutations().map(({ n, writes }) => [n, writes[0]?.id])).toEqual([
      [1, 'x'],
      [2, 'y'],
    ])
    r.durable(1, 2)
    expect(r.sentMutations()).toHaveLength(2)
    r.step({ type: 'closed' })
    r.welcome({ head: 10 })
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2, 1, 2])
  })

  test('[Q8] pushes follow the question for the scopes and do not wait for the answer', () => {
    const r = synced()
    r.step({ type: 'closed' })
    r.update('a', { title: 'x' })
    r.welcome({ head: 12 })
    expect(r.sent.map(message => message.type)).toEqual(['hello', 'subscribe', 'mutate'])
  })

  test('an update of a row that somebody deleted shows nothing; of one never seen it shows', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.update('new', { title: 'y' })
    r.batch(at(10), at(11), [], { gone: [['a', 11]] })
    expect(r.view('a')).toBeUndefined()
    expect(r.view('new')).toEqual({ id: 'new', title: 'y' })
  })
})

test('[R4] a question between the parts of a batch leaves what was staged', () => {
  const r = synced()
  r.batch(at(10), null, [[20, 'x1', 'one', 'no']])
  r.step({ type: 'ask', entity: 't' })
  r.batch(at(10), null, [[20, 'x2', 'two', 'no']])
  r.batch(at(10), at(20), [[20, 'x3', 'three', 'no']])
  r.batch(at(10), at(20), [[20, 'x1', 'one', 'no']])
  expect(r.replica.rows('t').map(row => row['id'])).toEqual(['a', 'b', 'x1', 'x2', 'x3'])
  expect(r.replica.state.entities.get('t')).toMatchObject({ cursor: at(20), current: true, asked: false })
})

test('[R4] staged before a question, and again in its answer, with what happened since', () => {
  const r = synced()
  r.batch(at(10), null, [
    [20, 'x1', 'one', 'no'],
    [20, 'x2', 'two', 'no'],
  ])
  r.step({ type: 'ask', entity: 't' })
  r.batch(at(10), at(22), [[21, 'x1', 'newer', 'no']], { gone: [['x2', 22]] })
  expect(r.view('x1')?.['title']).toBe('newer')
  expect(r.view('x2')).toBeUndefined()
})

describe('results', () => {
  for (const order of ['batch first', 'result first']) {
    test(`[R2] the overlay stays until result and cursor are there: ${order}`, () => {
      const r = synced()
      r.update('a', { title: 'mine' })
      const shown = r.view('a')
      const steps = [
        () => r.batch(at(10), at(11), [[11, 'a', 'mine', 'no']]),
        () => r.result(1, 'applied', 11),
      ]
      if (order === 'result first') steps.reverse()
      steps[0]?.()
      expect(r.replica.state.entries.size).toBe(1)
      expect(r.view('a')).toBe(shown)
      steps[1]?.()
      expect(r.replica.state.entries.size).toBe(0)
      expect(r.view('a')).toBe(shown)
      expect(r.log.filter(effect => effect.do === 'settle')).toEqual([
        { do: 'settle', n: 1, settled: { status: 'applied', version: 11, ids: {} } },
      ])
      expect(r.saves.at(-1)).toMatchObject({
        removes: [1],
        overlays: [{ entity: 't', id: 'a', row: undefined }],
      })
    })
  }

  test('[R2] the value of another writer that came in between never flickers', () => {
    const r = synced()
    r.update('a', { title: 'mine' })
    r.result(1, 'applied', 12)
    r.batch(at(10), at(11), [[11, 'a', 'theirs', 'no']])
    expect(r.view('a')?.['title']).toBe('mine')
    r.batch(at(11), at(12), [[12, 'a', 'mine', 'no']])
    expect(r.view('a')?.['title']).toBe('mine')
  })

  test('a conflict shows the server again and says so', () => {
    const r = synced()
    r.update('a', { title: 'mine' })
    r.batch(at(10), at(11), [[11, 'a', 'theirs', 'no']])
    r.changes.length = 0
    r.result(1, 'conflict', 11, { lost: [{ entity: 't', id: 'a', columns: ['title'] }] })
    expect(r.view('a')?.['title']).toBe('theirs')
    expect(r.changes).toMatchObject([{ source: 'rollback', ids: ['a'], action: 'update' }])
  })

  test('[Q3] a duplicate settles like any other, one with an error like the refusal that it was', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.update('b', { title: 'y' })
    r.result(1, 'duplicate', 10)
    r.result(2, 'duplicate', 10, { error: { code: 'VALIDATION_FAILED', message: 'no' } })
    expect(r.replica.state.entries.size).toBe(0)
    expect([...r.replica.state.dead.keys()]).toEqual([2])
    expect(r.view('b')?.['title']).toBe('B')
  })

  test('[R2] the numbers of another epoch are no cursor for a result', () => {
    const r = synced()
    r.update('a', { title: 'mine' })
    r.step({ type: 'closed' })
    r.welcome({ epoch: 'f', head: 3 })
    r.result(1, 'applied', 3)
    expect(r.view('a')?.['title']).toBe('mine')
  })

  test('results are accepted once, unknown ones left', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.result(7, 'applied', 99)
    r.result(1, 'applied', 11)
    r.result(1, 'rejected', 11, { error: { code: 'FORBIDDEN', message: '' } })
    expect(r.replica.state.dead.size).toBe(0)
  })

  test('[R3] a scope that cannot be read now is asked for again after a pause, and is not refused', () => {
    const r = rig({ entities: ['t', 'u'] })
    r.welcome()
    r.frame({
      type: 'error',
      re: 'subscribe',
      entity: 't',
      code: 'DATABASE_BUSY',
      message: '',
      retry_after_ms: 70,
    })
    expect(r.log).toContainEqual({ do: 'pause', ms: 70 })
    const kept = r.replica.state.entities.get('t')
    expect(kept).toMatchObject({ asked: true, refused: false, current: false })
    r.sent.length = 0
    r.step({ type: 'resume' })
    expect(r.sent).toMatchObject([{ type: 'subscribe', scopes: [{ entity: 't', cursor: null }] }])
    r.step({ type: 'resume' })
    expect(r.sent).toHaveLength(1)
    r.batch(null, at(10), [[3, 'a', 'A', 'no']])
    expect(kept?.current).toBe(true)
    expect(r.view('a')?.['title']).toBe('A')
  })

  test('[R4] what was staged of a snapshot that failed is not in the next', () => {
    const r = rig()
    r.welcome()
    r.batch(null, null, [[3, 'deleted', 'A', 'no']])
    r.frame({ type: 'error', re: 'subscribe', code: 'DATABASE_BUSY', message: '' })
    r.step({ type: 'resume' })
    r.batch(null, at(10), [[4, 'b', 'B', 'no']])
    expect(r.replica.rows('t').map(row => row['id'])).toEqual(['b'])
  })

  test('[S7] a repair that fails for now begins anew', () => {
    const r = synced()
    r.frame({ type: 'reset', entity: 't', state: 'old', common: at(10), shape })
    r.frame({ type: 'error', re: 'reconcile', entity: 't', code: 'DATABASE_BUSY', message: '' })
    r.step({ type: 'resume' })
    expect(r.replica.state.entities.get('t')?.heal).toBeNull()
    expect(r.sent).toMatchObject([{ type: 'subscribe', scopes: [{ cursor: at(10) }] }])
  })

  test('only the scope that the server names is refused', () => {
    const r = rig({ entities: ['t', 'u'] })
    r.welcome()
    r.frame({ type: 'error', re: 'subscribe', entity: 'u', code: 'FORBIDDEN', message: 'no' })
    expect(r.replica.state.entities.get('u')).toMatchObject({
      refused: { code: 'FORBIDDEN' },
      current: true,
    })
    expect(r.replica.state.entities.get('t')).toMatchObject({ refused: false, asked: true })
  })

  test('a refused scope holds no overlay for ever', () => {
    const r = rig()
    r.welcome()
    r.frame({ type: 'error', re: 'subscribe', code: 'FORBIDDEN', message: 'no' })
    r.create('a', { title: 'x' })
    r.result(1, 'applied', 11)
    expect(r.replica.state.entries.size).toBe(0)
  })
})

test('another user at welcome: told, and nothing else', () => {
  const r = synced()
  r.update('a', { title: 'x' })
  r.step({ type: 'closed' })
  r.sent.length = 0
  r.welcome({ user: 'v', head: 10 })
  expect(r.sent.map(({ type }) => type)).toEqual(['hello'])
  expect(r.log.some(effect => effect.do === 'user' && effect.user === 'v')).toBe(true)
})

test('[Q1] frames are cut at 1,000 mutations and a few are in flight', () => {
  const r = rig()
  const drafts = Array.from({ length: 6_500 }, (_, i) =>
    r.step({ type: 'write', writes: [{ entity: 't', id: `x${i}`, action: 'create', data: {} }] }),
  )
  r.durable(...drafts)
  r.welcome()
  const frames = () =>
    r.sent.filter(message => message.type === 'mutate').map(({ mutations }) => mutations.length)
  expect(frames()).toEqual([1000, 1000, 1000, 1000])
  r.frame({
    type: 'results',
    results: Array.from({ length: 1000 }, (_, i) => ({ n: i + 1, status: 'applied', version: 1000 })),
  })
  expect(frames()).toEqual([1000, 1000, 1000, 1000, 1000])
})
