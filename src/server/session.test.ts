import { expect, test } from 'vitest'
import type { Cursor, EntityShape, Mutate } from '../core/index.ts'
import { openSession, step } from './session.ts'
import type { Effect, Session } from './session.ts'

const shape: EntityShape = { columns: [['id', 'text']], key: ['id'], hash: 'h', strategy: 'last-write-wins' }
const known = {
  narrow: () => null,
  hasWindows: () => false,
  shapeOf: (entity: string) => (entity === 'notes' ? shape : undefined),
}
const at = (seq: number): Cursor => ({ epoch: 'e', seq, check: seq })

function greeted(): Session {
  const session = openSession('u')
  step(
    session,
    { type: 'up', message: { type: 'hello', protocol: 1, client: 'c', lead: 1, acked: 0 } },
    known,
  )
  return session
}

test('[E8] the door says how changes are told, until a hello', () => {
  const session = openSession('u', 'field')
  const push = { type: 'pushFields', entity: 'notes', mutations: [], entries: [] } as const
  expect(step(session, { type: 'up', message: push }, known)).toEqual([
    { type: 'accept', mutations: [], acked: 0, reply: push },
  ])
  expect(session.dialect).toBe('field')
  const hello = { type: 'hello', protocol: 1, client: 'c', lead: 1, acked: 0 } as const
  step(session, { type: 'up', message: hello }, known)
  expect(session.dialect).toBe('canonical')
})

function mutate(base: number): Mutate {
  return {
    type: 'mutate',
    acked: 0,
    mutations: [
      {
        n: 1,
        base: { epoch: 'e', seq: base },
        stamp: null,
        writes: [{ entity: 'notes', id: 'a', action: 'delete' }],
      },
    ],
  }
}

function basesOf(effects: readonly Effect[]): (number | undefined)[] {
  return effects.flatMap(effect =>
    effect.type === 'accept' ? effect.mutations.map(mutation => mutation.base?.seq) : [],
  )
}

test('[Q8] what was sent before its client knew of a lost branch is judged from the common place', () => {
  const session = greeted()
  const request = { entity: 'notes', cursor: at(90), marks: [at(40)], shape: 'h' }
  const [verify] = step(session, { type: 'up', message: { type: 'subscribe', scopes: [request] } }, known)
  expect(verify?.type).toBe('verify')
  const effects = step(
    session,
    {
      type: 'verified',
      scopes: [{ request, state: 'off', common: at(40) }],
      head: at(100),
      turn: session.turn,
    },
    known,
  )
  expect(effects.map(effect => effect.type)).toEqual(['send', 'repair'])
  expect(basesOf(step(session, { type: 'up', message: mutate(88) }, known))).toEqual([40])
  expect(basesOf(step(session, { type: 'up', message: mutate(30) }, known))).toEqual([30])
  // a transaction is judged from the earliest of its entities
  const two = mutate(88).mutations.map(({ writes, ...more }) => ({
    ...more,
    writes: [{ entity: 'other', id: 'b', action: 'delete' } as const, ...writes],
  }))
  const message: Mutate = { type: 'mutate', acked: 0, mutations: two }
  expect(basesOf(step(session, { type: 'up', message }, known))).toEqual([40])
  // the client answers the reset: from here on its bases are its own affair
  step(
    session,
    { type: 'up', message: { type: 'reconcile', entity: 'notes', cursor: at(100), buckets: [], held: [] } },
    known,
  )
  expect(basesOf(step(session, { type: 'up', message: mutate(88) }, known))).toEqual([88])
})

test('[S6] another protocol version is closed 4400; a second hello is refused', () => {
  const session = openSession('u')
  const hello = { type: 'hello', protocol: 99, client: 'c', lead: 1, acked: 0 } as const
  expect(
    step(session, { type: 'up', message: hello }, known).map(effect =>
      effect.type === 'close' ? effect.code : effect.type,
    ),
  ).toEqual(['fail', 4400])
  expect(
    step(greeted(), { type: 'up', message: { ...hello, protocol: 1 } }, known).map(effect => effect.type),
  ).toEqual(['fail'])
})

test('[Q7] a lower lead is closed 4409', () => {
  const session = greeted()
  const hello = { type: 'hello', protocol: 1, client: 'c', lead: 1, acked: 0 } as const
  expect(step(session, { type: 'identified', hello, lead: 2 }, known)).toMatchObject([
    { type: 'close', code: 4409 },
  ])
  expect(step(session, { type: 'identified', hello, lead: 1 }, known)).toMatchObject([{ type: 'welcome' }])
})

test('[S7] whatever its cursor is, a client with rows of another shape gets all of them', () => {
  for (const state of ['here', 'old', 'off'] as const) {
    const session = greeted()
    const request = { entity: 'notes', cursor: at(90), marks: [], shape: 'another' }
    step(session, { type: 'up', message: { type: 'subscribe', scopes: [request] } }, known)
    const scopes = [{ request, state, common: at(40) }]
    const effects = step(session, { type: 'verified', scopes, head: at(100), turn: session.turn }, known)
    expect([state, effects[1]]).toMatchObject([state, { type: 'repair', above: -1 }])
  }
})

test('[S13] what is caught up after a heal is whole, on this connection also when it is asked for again', () => {
  const session = greeted()
  const catchUpOf = (state: 'here' | 'off', cursor: Cursor): readonly Effect[] => {
    const request = { entity: 'notes', cursor, marks: [], shape: 'h' }
    step(session, { type: 'up', message: { type: 'subscribe', scopes: [request] } }, known)
    const scopes = [{ request, state, common: at(40) }]
    return step(session, { type: 'verified', scopes, head: at(100), turn: session.turn }, known)
  }
  expect(catchUpOf('here', at(90))).toMatchObject([{ type: 'catchUp', whole: false }])
  expect(catchUpOf('off', at(95)).map(({ type }) => type)).toEqual(['send', 'repair'])
  const read = { type: 'read', entities: ['notes'], at: at(100), repair: true, turn: session.turn } as const
  step(session, read, known)
  const compared = { type: 'compared', entity: 'notes', cursor: at(100), buckets: [] } as const
  expect(step(session, compared, known)).toMatchObject([{ type: 'send' }, { type: 'catchUp', whole: true }])
  // pairs that went in several frames: the client asks from where the last answer brought it
  expect(catchUpOf('here', at(100))).toMatchObject([{ type: 'catchUp', whole: true }])
})

test('[S1] an entity that one frame names often is read once, as it was named last', () => {
  const session = greeted()
  const scopes = [1, 2, 3].map(seq => ({ entity: 'notes', cursor: at(seq), marks: [], shape: 'h' }))
  const effects = step(session, { type: 'up', message: { type: 'subscribe', scopes } }, known)
  expect(effects).toMatchObject([{ type: 'verify', scopes: [{ cursor: { seq: 3 } }] }])
  const listen = { type: 'listen', entities: ['notes', 'notes', 'no', 'no'] } as const
  expect(step(openSession('u'), { type: 'up', message: listen }, known)).toMatchObject([
    { type: 'fail' },
    { type: 'listen', entities: ['notes'] },
  ])
})

test('[V11] where other rows of the same shape are wanted, only what changed and what comes in is sent', () => {
  const wanting = (hash: string) => ({ ...known, shapeOf: () => ({ ...shape, hash }) })
  const repairs = (had: string, hash: string, state: 'here' | 'old' | 'off'): unknown[] => {
    const session = greeted()
    const request = { entity: 'notes', cursor: at(90), marks: [at(40)], shape: had }
    const message = { type: 'subscribe', scopes: [request] } as const
    const [verify] = step(session, { type: 'up', message }, wanting(hash))
    if (verify?.type !== 'verify') throw new Error('the cursors are not asked about')
    const scopes = [{ request, state, common: state === 'off' ? at(40) : at(90) }]
    const effects = step(
      session,
      { type: 'verified', scopes, head: at(99), turn: verify.turn },
      wanting(hash),
    )
    return effects.flatMap(effect => (effect.type === 'repair' ? [[effect.above, effect.had]] : []))
  }
  expect(repairs('h|{"a":1}', 'h|{"a":2}', 'here')).toEqual([[90, 'h|{"a":1}']])
  expect(repairs('h', 'h|{"a":2}', 'here')).toEqual([[90, 'h']])
  expect(repairs('h|{"a":1}', 'h', 'old')).toEqual([[90, 'h|{"a":1}']])
  expect(repairs('h|{"a":1}', 'h|{"a":2}', 'off')).toEqual([[40, 'h|{"a":1}']])
  // rows of another table, or of other rights, are no such rows
  expect(repairs('g|{"a":1}', 'h|{"a":1}', 'here')).toEqual([[-1, null]])
  expect(repairs('h|{"a":1}', 'h|{"a":1}', 'here')).toEqual([])
})

test('[W6] a question of a client is answered once, unless it follows', () => {
  const ask = (session: Session): Effect[] => {
    const scope = { entity: 'notes', cursor: at(3), marks: [], shape: 'h' }
    const quality = {
      qualityScore: 100,
      latency: 0,
      packetLoss: 0,
      jitter: 0,
      connectionStability: 1,
    }
    const asked = { syncId: 's', clientId: 'c', quality }
    const message = { type: 'sync:request', ...asked, clock: null, scope, mutations: [] } as const
    const [verify] = step(session, { type: 'up', message }, known).filter(({ type }) => type === 'verify')
    if (verify?.type !== 'verify') throw new Error('not verified')
    const [request] = verify.scopes
    if (request === undefined) throw new Error('nothing asked')
    const scopes = [{ request, state: 'here' as const, common: null }]
    const { turn } = verify
    const effects = step(session, { type: 'verified', scopes, head: at(9), turn, asked: verify.asked }, known)
    expect(effects).toMatchObject([{ type: 'catchUp', entities: ['notes'], asked }])
    return step(session, { type: 'read', entities: ['notes'], at: at(9), repair: false, turn }, known)
  }
  const once = greeted()
  expect(ask(once)).toEqual([])
  expect(once.scopes.size).toBe(0)
  const follower = greeted()
  follower.scopes.set('notes', { phase: 'live', turn: 0 })
  expect(ask(follower)).toEqual([{ type: 'join', entities: ['notes'], at: at(9) }])
})

test('[W6] a part is asked for after a hello: without one the whole table would come', () => {
  const scope = { entity: 'notes', cursor: null, marks: [], shape: null, where: { done: true } }
  const quality = { qualityScore: 1, latency: 0, packetLoss: 0, jitter: 0, connectionStability: 1 }
  const asked = { syncId: 's', clientId: 'c', quality }
  const message = { type: 'sync:request', ...asked, clock: null, scope, mutations: [] } as const
  expect(step(openSession('u'), { type: 'up', message }, known)).toMatchObject([
    { type: 'fail', error: { code: 'INVALID_MESSAGE' }, about: { re: 'sync:request', syncId: 's' } },
  ])
})

const subscribed = (session: Session, cursor: Cursor | null = null): Effect[] => {
  const request = { entity: 'notes', cursor, marks: [], shape: 'h' }
  return step(session, { type: 'up', message: { type: 'subscribe', scopes: [request] } }, known)
}
const verifiedAt = (session: Session, turn: number): Effect[] => {
  const request = { entity: 'notes', cursor: null, marks: [], shape: null }
  const scopes = [{ request, state: 'here', common: null }] as const
  return step(session, { type: 'verified', scopes, head: at(9), turn }, known)
}
const readTo = (session: Session, turn: number): Effect[] =>
  step(session, { type: 'read', entities: ['notes'], at: at(9), repair: false, turn }, known)

test('[S3] what is asked for anew is not live meanwhile, and what was begun for it before is over', () => {
  const session = greeted()
  subscribed(session)
  verifiedAt(session, 1)
  expect(readTo(session, 1)).toEqual([{ type: 'join', entities: ['notes'], at: at(9) }])
  expect(subscribed(session).map(effect => effect.type)).toEqual(['leave', 'verify'])
  // its first verification, and the reading that followed it
  expect(verifiedAt(session, 1)).toEqual([])
  expect(readTo(session, 1)).toEqual([])
  verifiedAt(session, 2)
  expect(readTo(session, 1)).toEqual([])
  expect(readTo(session, 2)).toEqual([{ type: 'join', entities: ['notes'], at: at(9) }])
})

test('[S7] only what is subscribed to is compared', () => {
  const session = greeted()
  const reconcile = { type: 'reconcile', entity: 'notes', cursor: at(9), hashes: [1] } as const
  const ask = (): Effect[] => step(session, { type: 'up', message: reconcile }, known)
  expect(ask()).toMatchObject([{ type: 'fail', error: { code: 'INVALID_MESSAGE' } }])
  subscribed(session)
  expect(ask()).toMatchObject([{ type: 'compare' }])
})

test('[S3] what is given up is left, and told of no more', () => {
  const session = greeted()
  subscribed(session)
  verifiedAt(session, 1)
  const giveUp = (): Effect[] =>
    step(session, { type: 'up', message: { type: 'unsubscribe', entities: ['notes', 'other'] } }, known)
  expect(giveUp()).toEqual([{ type: 'leave', entities: ['notes'] }])
  expect(readTo(session, 1)).toEqual([])
  expect(giveUp()).toEqual([])
})

test('[W1] what a connection is told live it is told in one dialect', () => {
  const listen = { type: 'listen', entities: ['notes'] } as const
  const follow = { type: 'sync:subscribe', entities: ['notes'] } as const
  const refused = [{ type: 'fail', error: { code: 'INVALID_MESSAGE' } }]
  for (const [first, then] of [
    [listen, follow],
    [follow, listen],
  ] as const) {
    const session = openSession('u')
    expect(step(session, { type: 'up', message: first }, known)).toMatchObject([{ type: 'listen' }])
    expect(step(session, { type: 'up', message: then }, known)).toMatchObject(refused)
    // the same again is the same
    expect(step(session, { type: 'up', message: first }, known)).toMatchObject([{ type: 'listen' }])
  }
  expect(step(greeted(), { type: 'up', message: follow }, known)).toMatchObject(refused)
})

test('[S1] [Q2] mutations that come before a hello are of nobody, and refused', () => {
  expect(step(openSession('u'), { type: 'up', message: mutate(1) }, known)).toMatchObject([
    { type: 'fail', error: { code: 'INVALID_MESSAGE' } },
  ])
})
