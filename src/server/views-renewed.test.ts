// One user's views over time: described otherwise, asked for otherwise, and a row that leaves them.
import { expect, test } from 'vitest'
import { defineEntity } from '../core/index.ts'
import type { AccessRules, Row } from '../core/index.ts'
import type { ChangedRow, EntityInfo } from './store.ts'
import { see, Views } from './views.ts'

const silent = (): void => {}
const quiet = { debug: silent, info: silent, warn: silent, error: silent }

function tableOf(access?: AccessRules): Map<string, EntityInfo> {
  const columns = ['id', 'owner', 'title'].map((name): readonly [string, 'text'] => [name, 'text'])
  const info = {
    name: 't',
    table: 't',
    shape: { columns, key: ['id'], hash: 'h', strategy: 'last-write-wins' },
    definition: defineEntity({ name: 't', ...(access && { access }) }),
    integerKey: false,
    assignsKey: false,
    generated: new Set<string>(),
    routing: ['owner', 'title'],
  }
  return new Map([['t', info]])
}

test('[V4] a user who is described otherwise sees by that, whatever was asked for before', () => {
  const table = tableOf({
    read: user => ({ owner: String(user['team']) }),
    columns: user => (user['team'] === 'a' ? ['owner', 'title'] : ['owner']),
  })
  for (const wish of [undefined, { owner: { ne: null } }]) {
    const views = new Views({ id: 'u', team: 'a' }, table, quiet)
    expect(views.narrow('t', wish)).toBe(null)
    const seen = (owner: string): unknown[] =>
      [views.of('t'), views.rights('t')].map(view => [
        view?.matches?.({ id: 'r', owner, title: 'x' }),
        view?.shape.columns.length,
      ])
    const twice = <T>(one: T): T[] => [one, one]
    const [hash, key] = [views.shapeOf('t')?.hash, views.keyOf(['t'])]
    expect(seen('a')).toEqual(twice([true, 3]))
    views.renew({ id: 'u', team: 'b' })
    expect(seen('a')).toEqual(twice([false, 2]))
    expect(seen('b')).toEqual(twice([true, 2]))
    expect(views.shapeOf('t')?.hash).not.toBe(hash)
    expect(views.keyOf(['t'])).not.toBe(key)
  }
})

test('[V9] [V12] what is asked for anew is seen so, and what was among the first rows before is not', () => {
  const views = new Views({ id: 'u' }, tableOf(), quiet)
  const first = (way: string): Row => ({ orderBy: [['owner', way]], limit: 1 })
  const sees = (owner: string): boolean | undefined => views.of('t')?.matches?.({ id: 'r', owner })
  views.narrow('t', { owner: 'a' })
  expect([sees('a'), sees('b')]).toEqual([true, false])
  views.narrow('t', { owner: 'b' })
  expect([sees('a'), sees('b')]).toEqual([false, true])
  views.narrow('t', first('asc'))
  const hash = views.shapeOf('t')?.hash
  views.members.set('t', { ids: new Set(['r']), at: { epoch: 'e', seq: 1, check: 0 } })
  views.narrow('t', first('desc'))
  expect(views.members.size).toBe(0)
  expect(views.shapeOf('t')?.hash).not.toBe(hash)
  // what cannot be given changes nothing of what is
  expect(views.narrow('t', { nothing: 1 })?.code).toBe('INVALID_MESSAGE')
  expect(views.hasWindows('t')).toBe(true)
  views.narrow('t', undefined)
  expect(views.of('t')).toBe(null)
})

test('[V1] [V2] whose write took a row out of view is not told with it', () => {
  const view = new Views({ id: 'u' }, tableOf({ read: () => ({ owner: 'u' }) }), quiet).of('t')
  const row: ChangedRow = {
    entity: 't',
    id: 'r',
    seq: 9,
    json: '"r","other","x"',
    idJson: '"r"',
    created: true,
    reading: 1,
    temporary: 'tmp_1',
    origin: { client: 'c', mutation: 'm' },
  }
  const told = view && see(view, { ...row, was: [{ owner: 'u' }] }, 'values')
  expect(told).toMatchObject({ id: 'r', json: null, created: false, temporary: null })
  expect(told?.origin).toBeUndefined()
  expect(view && see(view, { ...row, was: [{ owner: 'other' }] }, 'values')).toBe(null)
})
