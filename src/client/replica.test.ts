import { describe, expect, test } from 'vitest'
import type { Cursor, Down, EntityShape, MutationResult, RowSet, Up, Welcome, WireRow } from '../core/index.ts'
import { textShape } from '../testing/fake-server.ts'
import { healing } from './heal.ts'
import { createReplica } from './replica.ts'
import type { ReplicaEvent } from './replica.ts'
import type { Change, Effect } from './state.ts'
import type { Saving } from './store.ts'

const shape = textShape(['id', 'title', 'done'])
const at = (seq: number, epoch = 'e', check = seq): Cursor => ({ epoch, seq, check })

function rig(options: { entities?: string[]; shape?: EntityShape; strategy?: string; healing?: null } = {}) {
  const entities = options.entities ?? ['t']
  const replica = createReplica({
    entities, identity: { client: 'c', n: 0, lead: 1, user: null, reading: 0 }, node: 'n', healing: options.healing === undefined ? healing : options.healing, strategy: options.strategy ?? null,
  })
  const changes: Change[] = []
  const saves: Saving[] = []
  const sent: Up[] = []
  const log: Effect[] = []
  const step = (event: ReplicaEvent, now = 1000): number => {
    const { n, effects } = replica.step(event, now)
    for (const effect of effects) {
      log.push(effect)
      if (effect.do === 'changed') changes.push(...effect.changes)
      if (effect.do === 'save') saves.push(effect.work)
      if (effect.do === 'send') sent.push(JSON.parse(effect.text) as Up)
    }
    return n
  }
  const frame = (message: Down): number => step({ type: 'frame', message })
  const welcome = (more: Partial<Welcome> = {}): void => {
    step({ type: 'opened' })
    frame({
      type: 'welcome', protocol: 1, user: 'u', epoch: 'e', head: 0, last: 0, server_time: 0, max_payload: 1_000_000,
      entities: Object.fromEntries(entities.map(name => [name, options.shape ?? shape])), ...more,
    })
  }
  const batch = (from: Cursor | null, to: Cursor | null, rows: WireRow[], more: Partial<RowSet> & { repair?: true; scopes?: string[] } = {}): void => {
    const { repair, scopes = ['t'], ...set } = more
    frame({
      type: 'batch', scopes, from, ...(to === null ? {} : { to }), ...(repair ? { repair } : {}), sets: [{ entity: 't', rows, ...set }],
    })
  }
  const result = (n: number, status: MutationResult['status'], version: number, more: Partial<MutationResult> = {}): void => {
    frame({ type: 'results', results: [{ n, status, version, ...more }] })
  }
  const durable = (...ns: number[]): number => step({ type: 'durable', ns })
  const update = (id: string, data: Record<string, string>): number => {
    const n = step({ type: 'write', writes: [{ entity: 't', id, action: 'update', data }] })
    durable(n)
    return n
  }
  const create = (id: string, data: Record<string, string>): number => {
    const n = step({ type: 'write', writes: [{ entity: 't', id, action: 'create', data }] })
    durable(n)
    return n
  }
  const sentMutations = () => sent.filter(message => message.type === 'mutate').flatMap(message => message.mutations)
  const view = (id: string) => replica.view('t', id)
  return { replica, step, frame, welcome, batch, result, durable, update, create, changes, saves, sent, log, view, sentMutations }
}

/** Connected, caught up at 10 with rows a and b. */
function synced(options: Parameters<typeof rig>[0] = {}) {
  const r = rig(options)
  r.welcome({ head: 10 })
  r.batch(null, at(10), [[3, 'a', 'A', 'no'], [4, 'b', 'B', 'no']])
  r.changes.length = r.saves.length = r.sent.length = r.log.length = 0
  return r
}

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
    expect(r.sent).toEqual([{ type: 'subscribe', scopes: [{ entity: 't', cursor: at(11), marks: [at(10)], shape: shape.hash }] }])
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
    expect(r.changes.map(({ ids, action }) => [ids, action])).toEqual([[['a', 'b'], 'update'], [['c'], 'create']])
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
    r.batch(at(10), at(12), [], { gone: [['a', 11], ['z', 12]] })
    expect(r.view('a')).toBeUndefined()
    expect(r.changes).toMatchObject([{ ids: ['a'], action: 'delete', source: 'server', version: 12 }])
    expect(r.saves[0]?.commits).toMatchObject([{ deletes: ['a'], from: at(10), cursor: at(12), marks: [at(10)], replace: false }])
  })

  test('[R7] rows and cursor are one commit', () => {
    const r = synced()
    r.batch(at(10), at(11), [[11, 'c', 'C', 'no']])
    expect(r.saves).toMatchObject([{ commits: [{ from: at(10), cursor: at(11), puts: [{ id: 'c', seq: 11 }] }] }])
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

  test('one batch moves several entities', () => {
    const r = rig({ entities: ['t', 'u'] })
    r.welcome()
    r.frame({ type: 'batch', scopes: ['t', 'u'], from: null, to: at(2), sets: [{ entity: 'u', rows: [[1, 'x', 'X', 'no']] }] })
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
    expect(r.sentMutations()[0]?.writes).toEqual([{ entity: 't', id: 'a', action: 'update', data: { done: 'yes' } }])
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
    r.step({ type: 'write', writes: [{ entity: 't', id: 'c', action: 'create', data: {} }, { entity: 'u', id: 'c', action: 'create', data: {} }] })
    r.batch(at(10), at(12), [])
    const bases = [...r.replica.state.entries.values()].map(({ record }) => record.mutation.base)
    expect(bases).toEqual([null, { epoch: 'e', seq: 10 }, { epoch: 'e', seq: 7 }])
  })

  test('stamps rise, also when the clock stands or goes back', () => {
    const r = rig()
    for (const now of [5, 5, 3]) r.step({ type: 'write', writes: [{ entity: 't', id: `${now}`, action: 'create', data: {} }] }, now)
    const stamps = [...r.replica.state.entries.values()].map(({ record }) => record.mutation.stamp)
    expect(stamps).toEqual(['0000000000005000.n', '0000000000005001.n', '0000000000005002.n'])
  })

  test('[Q1] [Q2] sent when durable, in order, once per connection', () => {
    const r = synced()
    const write = (id: string) => r.step({ type: 'write', writes: [{ entity: 't', id, action: 'create', data: {} }] })
    write('x')
    write('y')
    r.durable(2)
    expect(r.sentMutations()).toEqual([])
    r.durable(1)
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2])
    r.durable(1, 2)
    expect(r.sentMutations()).toHaveLength(2)
    r.step({ type: 'closed' })
    r.welcome({ head: 10 })
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 2, 1, 2])
  })

  test('nothing is sent before every held scope is answered', () => {
    const r = synced()
    r.step({ type: 'closed' })
    r.update('a', { title: 'x' })
    r.welcome({ head: 12 })
    expect(r.sentMutations()).toEqual([])
    r.batch(at(10), at(12), [])
    expect(r.sentMutations()).toHaveLength(1)
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

describe('results', () => {
  for (const order of ['batch first', 'result first']) {
    test(`[R2] the overlay stays until result and cursor are there: ${order}`, () => {
      const r = synced()
      r.update('a', { title: 'mine' })
      const shown = r.view('a')
      const steps = [() => r.batch(at(10), at(11), [[11, 'a', 'mine', 'no']]), () => r.result(1, 'applied', 11)]
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
      expect(r.saves.at(-1)).toMatchObject({ removes: [1], overlays: [{ entity: 't', id: 'a', row: undefined }] })
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

  test('a refused scope holds no overlay for ever', () => {
    const r = rig()
    r.welcome()
    r.frame({ type: 'error', re: 'subscribe', code: 'FORBIDDEN', message: 'no' })
    r.create('a', { title: 'x' })
    r.result(1, 'applied', 11)
    expect(r.replica.state.entries.size).toBe(0)
  })
})

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
    expect(told).toMatchObject([{ ids: expect.arrayContaining(['42']), source: 'server', replaced: [{ from: 'tmp_1', to: '42' }] }])
    expect(r.changes.flatMap(({ ids, source }) => (source === 'server' ? ids : []))).not.toContain('tmp_1')
    expect(r.saves.at(-1)?.puts.map(({ n, mutation }) => [n, mutation.writes[0]?.id])).toEqual([[1, '42'], [2, 'c'], [3, '42']])
  })

  test('[Q6] an integer key becomes a number where a column is one', () => {
    const integers = { ...shape, columns: [['id', 'integer'], ['title', 'text'], ['done', 'integer']] } as const satisfies EntityShape
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

describe('dead letters', () => {
  const no = { error: { code: 'VALIDATION_FAILED', message: 'no' } } as const

  test('[Q4] the refused write and its unsent dependants are rolled back, told and kept; the queue goes on', () => {
    const r = synced()
    r.update('a', { title: 'bad' })
    r.step({ type: 'write', writes: [{ entity: 't', id: 'a', action: 'update', data: { done: 'yes' } }, { entity: 't', id: 'b', action: 'update', data: { done: 'yes' } }] })
    r.step({ type: 'write', writes: [{ entity: 't', id: 'b', action: 'update', data: { title: 'B2' } }] })
    r.step({ type: 'write', writes: [{ entity: 't', id: 'c', action: 'create', data: { title: 'C' } }] })
    r.result(1, 'rejected', 10, no)
    expect(r.log.filter(effect => effect.do === 'reject').map(effect => [effect.n, effect.error.code])).toEqual([
      [1, 'VALIDATION_FAILED'], [2, 'DEPENDENCY_FAILED'], [3, 'DEPENDENCY_FAILED'],
    ])
    expect(r.replica.rows('t').map(row => row['title'])).toEqual(['A', 'B', 'C'])
    expect(r.changes.filter(({ source }) => source === 'rollback')).toMatchObject([{ ids: ['a', 'b'], action: 'update' }])
    expect(r.saves.at(-1)?.puts.map(({ n, dead }) => [n, dead?.error.code])).toEqual([
      [1, 'VALIDATION_FAILED'], [2, 'DEPENDENCY_FAILED'], [3, 'DEPENDENCY_FAILED'],
    ])
    r.durable(4)
    expect(r.sentMutations().map(({ n }) => n)).toEqual([1, 4])
  })

  test('[Q4] a temporary parent takes its children along', () => {
    const r = synced()
    r.create('tmp_1', { title: 'p' })
    r.step({ type: 'write', writes: [{ entity: 't', id: 'c', action: 'create', data: { title: 'tmp_1' } }] })
    r.result(1, 'rejected', 10, no)
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

  test('[Q4] what is larger than a frame may be is refused here', () => {
    const r = rig()
    r.welcome({ max_payload: 1000 })
    r.create('x', { title: 'ü'.repeat(500) })
    r.create('y', { title: 'y' })
    expect([...r.replica.state.dead.values()].map(({ record }) => record.dead?.error.code)).toEqual(['PAYLOAD_TOO_LARGE'])
    expect(r.sentMutations().map(({ n }) => n)).toEqual([2])
  })

  test('[Q5] retried under a new number with its old base, discarded by key', () => {
    const r = synced()
    r.update('a', { title: 'bad' })
    r.result(1, 'rejected', 10, no)
    r.batch(at(10), at(11), [])
    const n = r.step({ type: 'retry', n: 1 })
    expect(n).toBe(2)
    expect(r.view('a')?.['title']).toBe('bad')
    r.durable(2)
    expect(r.sentMutations().at(-1)).toMatchObject({ n: 2, base: { seq: 10 } })
    expect(r.saves.some(({ removes, puts }) => removes.includes(1) && puts[0]?.n === 2)).toBe(true)
    r.result(2, 'rejected', 11, no)
    r.step({ type: 'discard', n: 2 })
    expect(r.replica.state.dead.size).toBe(0)
    expect(r.saves.at(-1)).toMatchObject({ removes: [2] })
  })

  test('acked never covers a refusal that is not on disk', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.update('b', { title: 'y' })
    r.result(1, 'rejected', 10, no)
    r.result(2, 'applied', 10)
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

describe('healing', () => {
  const reset = (more: Partial<Extract<Down, { type: 'reset' }>> = {}): Down => ({ type: 'reset', entity: 't', state: 'off', common: at(8), shape, ...more })

  test('[S7] nothing shows before the exchange is finished', () => {
    const r = synced()
    r.frame(reset({ state: 'old', common: at(10) }))
    r.batch(null, null, [[12, 'c', 'C', 'no']], { repair: true })
    r.batch(null, at(20), [[13, 'a', 'A13', 'no']], { repair: true })
    expect(r.changes).toEqual([])
    expect(r.sent).toMatchObject([{ type: 'reconcile', entity: 't', cursor: at(20) }])
    r.frame({ type: 'mismatch', entity: 't', cursor: at(20), buckets: [] })
    expect(r.replica.rows('t').map(row => row['title'])).toEqual(['A13', 'B', 'C'])
    expect(r.replica.state.entities.get('t')?.cursor).toEqual(at(20))
    expect(r.saves).toHaveLength(1)
  })

  test('[S7] unequal buckets: pairs up, repairs down, whatever seq is held; pending edits survive', () => {
    const r = synced()
    r.update('b', { done: 'mine' })
    r.frame(reset())
    r.batch(null, at(9), [], { repair: true })
    r.frame({ type: 'mismatch', entity: 't', cursor: at(9), buckets: Array.from({ length: 256 }, (_, i) => i) })
    expect(r.sent.at(-1)).toMatchObject({ type: 'reconcile', held: [['a', 3], ['b', 4]] })
    r.batch(null, null, [[2, 'b', 'B2', 'no']], { repair: true })
    r.batch(null, at(9), [], { repair: true, gone: [['a', 9]] })
    expect(r.view('a')).toBeUndefined()
    expect(r.view('b')).toEqual({ id: 'b', title: 'B2', done: 'mine' })
    expect(r.replica.state.entities.get('t')).toMatchObject({ heal: null, current: true, cursor: at(9) })
  })

  test('[Q8] a reset lowers the base of what is pending to the common place', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.frame(reset({ common: at(8, 'f') }))
    const base = () => [...r.replica.state.entries.values()].map(({ record }) => record.mutation.base)
    expect(base()).toEqual([{ epoch: 'f', seq: 8 }])
    expect(r.saves.at(-1)?.puts).toMatchObject([{ n: 1, mutation: { base: { epoch: 'f', seq: 8 } } }])
    r.update('b', { title: 'y' })
    expect(base()[1]).toEqual({ epoch: 'f', seq: 8 })
  })

  test('[Q8] without a common place the base is the beginning', () => {
    const r = synced()
    r.update('a', { title: 'x' })
    r.frame(reset({ common: null }))
    expect([...r.replica.state.entries.values()][0]?.record.mutation.base).toEqual({ epoch: 'e', seq: 0 })
  })

  test('a new shape shows with the rows that were made for it', () => {
    const r = synced()
    const wide = textShape(['id', 'title', 'done', 'more'])
    r.frame(reset({ state: 'shape', common: at(10), shape: wide }))
    r.batch(null, at(10), [[3, 'a', 'A', 'no', 'm'], [4, 'b', 'B', 'no', null]], { repair: true })
    expect(r.view('a')).toEqual({ id: 'a', title: 'A', done: 'no' })
    r.frame({ type: 'mismatch', entity: 't', cursor: at(10), buckets: [] })
    expect(r.view('a')).toEqual({ id: 'a', title: 'A', done: 'no', more: 'm' })
    expect(r.saves.at(-1)?.commits[0]?.shape?.hash).toBe(wide.hash)
  })

  test('[S7] healing that is not loaded yet is asked for, and the scope asked again', () => {
    const r = synced({ healing: null })
    r.frame(reset({ state: 'old', common: at(10) }))
    r.batch(null, at(20), [[13, 'a', 'A13', 'no']], { repair: true })
    expect(r.log).toEqual([{ do: 'heal' }])
    r.step({ type: 'healing', healing })
    expect(r.sent).toMatchObject([{ type: 'subscribe', scopes: [{ entity: 't', cursor: at(10) }] }])
    r.frame(reset({ state: 'old', common: at(10) }))
    r.batch(null, at(20), [[13, 'a', 'A13', 'no']], { repair: true })
    r.frame({ type: 'mismatch', entity: 't', cursor: at(20), buckets: [] })
    expect(r.view('a')?.['title']).toBe('A13')
  })

  test('a connection that is lost in between leaves everything as it was', () => {
    const r = synced()
    r.frame(reset())
    r.batch(null, at(20), [[13, 'a', 'A13', 'no']], { repair: true })
    r.step({ type: 'closed' })
    r.welcome({ head: 20 })
    expect(r.sent.at(-1)).toMatchObject({ type: 'subscribe', scopes: [{ cursor: at(10) }] })
    expect(r.view('a')?.['title']).toBe('A')
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
  for (let i = 0; i < 6_500; i++) r.step({ type: 'write', writes: [{ entity: 't', id: `x${i}`, action: 'create', data: {} }] })
  r.durable(...Array.from({ length: 6_500 }, (_, i) => i + 1))
  r.welcome()
  const frames = () => r.sent.filter(message => message.type === 'mutate').map(({ mutations }) => mutations.length)
  expect(frames()).toEqual([1000, 1000, 1000, 1000])
  r.frame({ type: 'results', results: Array.from({ length: 1000 }, (_, i) => ({ n: i + 1, status: 'applied', version: 1000 })) })
  expect(frames()).toEqual([1000, 1000, 1000, 1000, 1000])
})
