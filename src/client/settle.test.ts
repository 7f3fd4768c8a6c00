import { describe, expect, test } from 'vitest'
import type { EntityShape, Write } from '../core/index.ts'
import { at, rig, shape, synced } from './rig.test.ts'

describe('temporary ids', () => {
  test('[Q6] renamed in ids, in values, in later writes, and told', () => {
    const r = synced()
    r.create('tmp_1', { title: 'p' })
    r.create('c', { title: 'tmp_1' })
    r.update('tmp_1', { done: 'yes' })
    r.update('c', { done: 'later' })
    r.batch(at(10), at(11), [[11, '42', 'p', 'no']], { renamed: [['tmp_1', '42']] })
    expect(r.view('42')).toEqual({ id: '42', title: 'p', done: 'yes' })
    expect(r.view('tmp_1')).toBe(r.view('42'))
    expect(r.view('c')).toEqual({ id: 'c', title: '42', done: 'later' })
    expect(r.replica.rows('t')).toHaveLength(4)
    const told = r.changes.filter(({ replaced }) => replaced !== undefined)
    expect(told).toMatchObject([
      { ids: expect.arrayContaining(['42']), source: 'server', replaced: [{ from: 'tmp_1', to: '42' }] },
    ])
    expect(r.changes.flatMap(({ ids, source }) => (source === 'server' ? ids : []))).not.toContain('tmp_1')
    expect(r.saves.at(-1)?.puts.map(({ n, mutation }) => [n, mutation.writes[0]?.id])).toEqual([
      [1, '42'],
      [2, 'c'],
      [3, '42'],
    ])
  })

  test('[Q6] a renamed write keeps its place in the queue', () => {
    const r = synced()
    r.create('tmp_1', { title: 'p' })
    r.create('c', { title: 'tmp_1' })
    r.update('c', { title: 'last' })
    r.batch(at(10), at(11), [[11, '42', 'p', null]], { renamed: [['tmp_1', '42']] })
    expect(r.view('c')?.['title']).toBe('last')
  })

  test('[Q6] [R2] what is refused in the event that renames its row is told as rolled back', () => {
    const r = synced()
    r.create('tmp_1', { title: 'p' })
    r.update('tmp_1', { title: 'refused' })
    // the row of a reused id is called otherwise by now: only the result knows what the temporary one became
    r.batch(at(10), at(11), [[11, '42', 'p', null]])
    r.changes.length = 0
    const refusal = { code: 'CONSTRAINT_FAILED', message: 'no' } as const
    r.frame({
      type: 'results',
      results: [
        { n: 1, status: 'applied', version: 11, ids: { tmp_1: '42' } },
        { n: 2, status: 'rejected', version: 11, error: refusal },
      ],
    })
    expect(r.view('42')?.['title']).toBe('p')
    expect(r.changes).toMatchObject([
      { ids: ['42'], source: 'rollback', replaced: [{ from: 'tmp_1', to: '42' }] },
    ])
  })

  test('[Q6] an integer key becomes a number where a column is one', () => {
    const integers = {
      ...shape,
      columns: [
        ['id', 'integer'],
        ['title', 'text'],
        ['done', 'integer'],
      ],
    } as const satisfies EntityShape
    const r = rig({ shape: integers })
    r.welcome()
    r.batch(null, at(1), [])
    r.create('tmp_1', { title: 'p' })
    r.create('tmp_2', { title: 'tmp_1', done: 'tmp_1' })
    r.batch(at(1), at(2), [[2, 7, 'p', null]], { renamed: [['tmp_1', '7']] })
    expect(r.view('7')).toMatchObject({ id: 7 })
    expect(r.view('tmp_2')).toMatchObject({ title: '7', done: 7 })
  })

  test('[Q6] the ids of a result do where the change itself was superseded', () => {
    const r = synced()
    r.create('tmp_1', { title: 'p' })
    r.update('tmp_1', { title: 'q' })
    r.batch(at(10), at(11), [[11, '42', 'p', null]])
    r.result(1, 'applied', 11, { ids: { tmp_1: '42' } })
    expect(r.view('42')).toEqual({ id: '42', title: 'q', done: null })
    expect(r.replica.rows('t')).toHaveLength(3)
  })
})

describe('temporary ids of others and of dead letters', () => {
  test('[Q6] the temporary ids of others are neither kept nor told', () => {
    const r = synced()
    r.create('tmp_mine', { title: 'm' })
    r.batch(
      at(10),
      at(11),
      [
        [11, 'r1', 'x', 'no'],
        [11, 'r2', 'm', null],
      ],
      {
        renamed: [
          ['tmp_theirs', 'r1'],
          ['tmp_mine', 'r2'],
        ],
      },
    )
    expect([...r.replica.state.alias]).toEqual([['tmp_mine', 'r2']])
    expect(r.changes.flatMap(({ replaced = [] }) => replaced)).toEqual([{ from: 'tmp_mine', to: 'r2' }])
    expect(r.changes.flatMap(({ ids }) => ids)).toContain('r1')
  })

  test('[Q6] dead letters from disk are renamed too', () => {
    const r = rig()
    const record = (n: number, action: 'create' | 'update') => ({
      n,
      timestamp: 0,
      mutation: {
        n,
        base: null,
        stamp: null,
        writes: [{ entity: 't', id: 'tmp_1', action, data: { title: 'p' } }],
      },
    })
    const error = { code: 'VALIDATION_FAILED', message: '' }
    const identity = { client: 'c', n: 2, lead: 2, user: 'u', reading: 0 }
    const pending = [record(1, 'create'), { ...record(2, 'update'), dead: { error, at: 1 } }]
    r.step({ type: 'loaded', loaded: { identity, entities: new Map(), pending } })
    r.welcome()
    r.batch(null, at(6), [[6, 'r1', 'p', null]], { renamed: [['tmp_1', 'r1']] })
    expect(r.replica.state.dead.get(2)?.record.mutation.writes[0]?.id).toBe('r1')
    r.result(1, 'applied', 6, { ids: { tmp_1: 'r1' } })
    r.step({ type: 'retry', n: 2 })
    expect(r.replica.rows('t')).toEqual([{ id: 'r1', title: 'p', done: null }])
  })
})

describe('dead letters', () => {
  const no = { error: { code: 'VALIDATION_FAILED', message: 'no' } } as const

  test('[Q4] the refused write and its unsent dependants are rolled back, told and kept; the queue goes on', () => {
    const r = synced()
    r.update('a', { title: 'bad' })
    const write = (...writes: Write[]) => r.step({ type: 'write', writes })
    const drafts = [
      write(
        { entity: 't', id: 'a', action: 'update', data: { done: 'yes' } },
        { entity: 't', id: 'b', action: 'update', data: { done: 'yes' } },
      ),
      write({ entity: 't', id: 'b', action: 'update', data: { title: 'B2' } }),
      write({ entity: 't', id: 'c', action: 'create', data: { title: 'C' } }),
    ]
    r.result(1, 'rejected', 10, no)
    // dead letters have numbers, so what has none yet dies when it is stored
    r.durable(...drafts)
    expect(
      r.log.filter(effect => effect.do === 'reject').map(effect => [effect.n, effect.error.code]),
    ).toEqual([
      [1, 'VALIDATION_FAILED'],
      [2, 'DEPENDENCY_FAILED'],
      [3, 'DEPENDENCY_FAILED'],
    ])
    expect(r.replica.rows('t').map(row => row['title'])).toEqual(['A', 'B', 'C'])
    expect(r.changes.filter(({ source }) => source === 'rollback')).toMatchObject([
      { ids: ['a'], action: 'update' },
      { ids: ['a', 'b'], action: 'update' },
    ])
    expect(
      r.saves.flatMap(({ puts }) => puts).flatMap(({ n, dead }) => (dead ? [[n, dead.error.code]] : [])),
    ).toEqual([
      [1, 'VALIDATION_FAILED'],
      [2, 'DEPENDENCY_FAILED'],
      [3, 'DEPENDENCY_FAILED'],
    ])
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 4])
  })

  test('[Q4] a temporary parent takes its children along', () => {
    const r = synced()
    r.create('tmp_1', { title: 'p' })
    const child = { entity: 't', id: 'c', action: 'create', data: { title: 'tmp_1' } } as const
    const draft = r.step({ type: 'write', writes: [child] })
    r.result(1, 'rejected', 10, no)
    r.durable(draft)
    expect([...r.replica.state.dead.keys()]).toEqual([1, 2])
    expect(r.view('c')).toBeUndefined()
  })

  test('[Q4] a dependant in flight waits for its own verdict', () => {
    const r = synced()
    r.update('a', { title: 'bad' })
    r.update('a', { done: 'yes' })
    r.result(1, 'rejected', 10, no)
    expect([...r.replica.state.dead.keys()]).toEqual([1])
    expect(r.view('a')).toEqual({ id: 'a', title: 'A', done: 'yes' })
    r.step({ type: 'closed' })
    r.welcome({ head: 10, last: 1 })
    expect([...r.replica.state.dead.keys()]).toEqual([1, 2])
  })

  test('[Q4] a transient refusal stops the sender and spends nothing', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.result(1, 'rejected', 10, { error: { code: 'DATABASE_BUSY', message: '', retry_after_ms: 50 } })
    expect(r.log.filter(effect => effect.do === 'pause')).toEqual([{ do: 'pause', ms: 50 }])
    expect(r.view('a')?.['title']).toBe('x')
    r.update('b', { title: 'y' })
    expect(r.sentMutations()).toHaveLength(1)
    r.step({ type: 'resume' })
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 1, 2])
  })

  test('[Q4] a refused frame is taken apart until the culprit is found', () => {
    const r = rig()
    for (const id of ['x', 'y', 'z']) r.create(id, { title: id })
    r.welcome()
    expect(r.sent.filter(({ type }) => type === 'mutate')).toHaveLength(1)
    r.frame({ type: 'error', re: 'mutate', code: 'INVALID_MESSAGE', message: 'bad' })
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2, 3, 1])
    r.result(1, 'applied', 0)
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2, 3, 1, 2])
    r.frame({ type: 'error', re: 'mutate', code: 'INVALID_MESSAGE', message: 'bad' })
    expect([...r.replica.state.dead.keys()]).toEqual([2])
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2, 3, 1, 2, 3])
  })

  const flying = (r: ReturnType<typeof rig>) =>
    r.sent.filter(message => message.type === 'mutate').map(({ mutations }) => mutations.map(({ n }) => n))

  test('[Q4] only the frame that the server names is refused, whatever else is in flight', () => {
    const r = synced()
    for (const id of ['w', 'x', 'y']) r.create(id, { title: id })
    expect(flying(r)).toEqual([[1], [2], [3]])
    r.frame({ type: 'error', re: 'mutate', n: 2, code: 'INVALID_MESSAGE', message: 'bad' })
    expect([...r.replica.state.dead.keys()]).toEqual([2])
    expect(flying(r)).toHaveLength(3)
    r.result(1, 'applied', 10)
    expect([...r.replica.state.entries.keys()]).toEqual([3])
  })

  test('[Q2] [Q4] a refused frame is split only when those behind it were held back, and they follow it', () => {
    const r = rig()
    for (const id of ['x', 'y']) r.create(id, { title: id })
    r.welcome()
    r.create('z', { title: 'z' })
    expect(flying(r)).toEqual([[1, 2], [3]])
    r.frame({ type: 'error', re: 'mutate', n: 1, code: 'INVALID_MESSAGE', message: 'bad' })
    r.create('later', { title: 'l' })
    expect(flying(r)).toHaveLength(2)
    r.frame({ type: 'error', re: 'mutate', n: 3, code: 'OVERLOADED', message: 'held', retry_after_ms: 100 })
    expect(r.replica.state.dead.size).toBe(0)
    r.step({ type: 'resume' })
    expect(flying(r).slice(2)).toEqual([[1]])
    r.result(1, 'applied', 0)
    expect(flying(r).slice(3)).toEqual([[2], [3, 4]])
    r.frame({ type: 'error', re: 'mutate', n: 2, code: 'INVALID_MESSAGE', message: 'bad' })
    expect([...r.replica.state.dead.keys()]).toEqual([2])
    r.frame({ type: 'error', re: 'mutate', n: 3, code: 'OVERLOADED', message: 'held' })
    r.step({ type: 'resume' })
    expect(flying(r).slice(5)).toEqual([[3, 4]])
  })

  test('[Q2] [Q4] after a transient failure of a frame, those behind it come again, said or not', () => {
    const r = synced()
    for (const id of ['w', 'x', 'y']) r.create(id, { title: id })
    r.frame({ type: 'error', re: 'mutate', n: 2, code: 'DATABASE_BUSY', message: '' })
    r.frame({ type: 'error', re: 'mutate', n: 3, code: 'OVERLOADED', message: 'held' })
    r.step({ type: 'resume' })
    expect(flying(r)).toEqual([[1], [2], [3], [2, 3]])
  })

  test('[Q4] a refusal of a frame that is not in flight any more harms nobody', () => {
    const r = synced()
    r.create('x', { title: 'x' })
    r.frame({ type: 'error', re: 'mutate', n: 7, code: 'INVALID_MESSAGE', message: 'bad' })
    expect(r.replica.state.dead.size).toBe(0)
    expect(flying(r)).toEqual([[1]])
  })

  test('[Q4] what is larger than a frame may be is refused here', () => {
    const r = rig()
    r.welcome({ max_payload: 1000 })
    r.create('x', { title: 'ü'.repeat(500) })
    r.create('y', { title: 'y' })
    expect([...r.replica.state.dead.values()].map(({ record }) => record.dead?.error.code)).toEqual([
      'PAYLOAD_TOO_LARGE',
    ])
    expect(r.sentMutations().map(({ n }) => n)).toEqual([2])
  })

  test('[Q4] what is refused for its size takes nothing along that was written before it', () => {
    const r = rig()
    r.create('x', { title: 'x' })
    r.update('x', { title: 'ü'.repeat(500) })
    r.update('x', { done: 'yes' })
    r.welcome({ max_payload: 1000 })
    expect([...r.replica.state.dead.keys()]).toEqual([2, 3])
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1])
    expect(r.view('x')).toEqual({ id: 'x', title: 'x' })
  })

  test('[Q4] what is in flight is not of what is refused after it, also where its row is the same', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.update('a', { done: 'yes' })
    r.frame({ type: 'error', re: 'mutate', n: 2, code: 'INVALID_MESSAGE', message: 'bad' })
    r.step({ type: 'closed' })
    r.welcome({ head: 10, last: 0 })
    expect([...r.replica.state.dead.keys()]).toEqual([2])
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2, 1])
  })

  test('[Q4] [T4] what another tab says is dead is not, once it is in flight here: the server has the last word', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    const refused = { error: { code: 'VALIDATION_FAILED', message: 'then' }, at: 1 } as const
    const told = () => {
      const record = r.replica.state.entries.get(1)?.record
      return record ? [{ ...record, dead: refused }] : []
    }
    r.step({ type: 'durable', ns: [], others: told() })
    expect([r.view('a')?.['title'], r.replica.state.dead.size]).toEqual(['x', 0])
    // what was in flight is lost with its connection
    r.step({ type: 'closed' })
    r.step({ type: 'durable', ns: [], others: told() })
    expect([r.view('a')?.['title'], [...r.replica.state.dead.keys()]]).toEqual(['A', [1]])
  })

  test('[Q5] retried under a new number with its old base, discarded by key', () => {
    const r = synced()
    r.update('a', { title: 'bad' })
    r.result(1, 'rejected', 10, no)
    r.batch(at(10), at(11), [])
    const draft = r.step({ type: 'retry', n: 1 })
    expect(r.view('a')?.['title']).toBe('bad')
    expect(r.durable(draft)).toBe(2)
    expect(r.sentMutations().at(-1)).toMatchObject({ n: 2, base: { seq: 10 } })
    expect(r.saves.some(({ removes, puts }) => removes.includes(1) && puts[0]?.n === draft)).toBe(true)
    r.result(2, 'rejected', 11, no)
    r.step({ type: 'discard', n: 2 })
    expect(r.replica.state.dead.size).toBe(0)
    expect(r.saves.at(-1)).toMatchObject({ removes: [2] })
    expect(r.log.flatMap(effect => (effect.do === 'save' ? (effect.work.discards ?? []) : []))).toEqual([
      1, 2,
    ])
  })

  test('acked never covers a refusal that is not on disk', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.update('b', { title: 'y' })
    r.result(1, 'rejected', 10, no)
    r.result(2, 'applied', 10)
    expect(r.log.flatMap(effect => (effect.do === 'save' ? (effect.work.refusals ?? []) : []))).toEqual([1])
    r.step({ type: 'closed' })
    r.step({ type: 'opened' })
    expect(r.sent.at(-1)).toMatchObject({ type: 'hello', acked: 0 })
    r.durable(1)
    r.step({ type: 'opened' })
    expect(r.sent.at(-1)).toMatchObject({ acked: 2 })
  })
})

describe('display of server-wins', () => {
  test('a pending cell is hidden while confirmed is beyond its base', () => {
    const r = synced({ strategy: 'server-wins' })
    r.update('a', { title: 'mine' })
    r.batch(at(10), at(11), [[11, 'a', 'theirs', 'no']])
    expect(r.view('a')?.['title']).toBe('theirs')
  })

  test('[D2] what was ours hides nothing', () => {
    const r = synced({ shape: { ...shape, strategy: 'server-wins' } })
    r.update('a', { title: 'one' })
    r.update('a', { title: 'two' })
    r.batch(at(10), at(11), [[11, 'a', 'one', 'no']])
    expect(r.view('a')?.['title']).toBe('two')
    r.result(1, 'applied', 11)
    expect(r.view('a')?.['title']).toBe('two')
    r.batch(at(11), at(12), [[12, 'a', 'theirs', 'no']])
    expect(r.view('a')?.['title']).toBe('theirs')
  })
})
