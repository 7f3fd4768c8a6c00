import { expect, test } from 'vitest'
import type { Delta, FieldDelta, Json, Row, VectorClock } from '../../core/index.ts'
import type { BareClient } from '../../client/index.ts'
import { Announcer } from './announce.ts'
import { Emitter } from './emitter.ts'
import type { DifferentialEvents } from './events.ts'
import { LocalStates } from './local.ts'

const clock: VectorClock = {
  clientId: 'c',
  versions: new Map(),
  timestamp: 1,
  lamportCounter: 1,
  nodeId: 'n',
}

function announcer(rows: Readonly<Record<string, Row>>): Announcer {
  const client = {
    get: (_type: string, id: string) => rows[id],
    subscribe: () => () => {},
    shape: () => null,
  } as unknown as BareClient // reason: all that is asked of it
  const events = new Emitter<DifferentialEvents>(error => {
    throw error
  })
  const locals = new LocalStates(client, ['users'], () => 1)
  locals.apply('users', Object.keys(rows), false)
  return new Announcer(locals, events, {
    clockOf: () => clock,
    request: () => undefined,
    respond() {},
  })
}

test('[W8] of an answer what this client wrote itself is no news, and the rest says what was here before', () => {
  const it = announcer({ a: { id: 'a', status: 'mine', n: 1 } })
  const change = (field: string, newValue: Json, more: Partial<FieldDelta> = {}): FieldDelta => ({
    field,
    oldValue: null,
    newValue,
    changeType: 'update',
    timestamp: 1,
    ...more,
  })
  const delta = (entityId: string, ...changes: FieldDelta[]): Delta => ({
    entityType: 'users',
    entityId,
    changes,
    vectorClock: clock,
    timestamp: 1,
  })
  const told = it.filled([
    delta('a', change('status', 'mine'), change('n', 2), change('left', null)),
    delta('a', change('status', 'mine')),
    delta('b', change('id', 'b', { changeType: 'create' }), change('status', null, { changeType: 'create' })),
    delta('a', change('id', null, { oldValue: 'a', changeType: 'delete' })),
  ])
  expect(
    told.map(({ entityId, changes }) => [
      entityId,
      changes.map(one => [one.field, one.oldValue, one.newValue]),
    ]),
  ).toEqual([
    ['a', [['n', 1, 2]]],
    [
      'b',
      [
        ['id', null, 'b'],
        ['status', null, null],
      ],
    ],
    ['a', [['id', 'a', null]]],
  ])
})
