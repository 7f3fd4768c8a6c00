// Messages as an attacker makes them: each begins as a true one, of every type that there is, and is bent a little. What
// is random from the first byte on gets no further than the door.
import type { DifferentialUp, Up } from 'syncline/protocol'

/** In [0, below), the same for a seed. */
export type Draw = (below: number) => number

export function draws(seed: number): Draw {
  let state = seed
  return below => {
    state = (state + 0x9e37_79b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0_aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a_2d97)
    return Math.floor((((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32) * below)
  }
}

export function pick<T>(draw: Draw, items: readonly T[]): T {
  const item = items[draw(items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

const cursor = { epoch: 'e', seq: 3, check: 77 }
const scope = { entity: 'users', cursor: null, marks: [], shape: null }
const write = { entity: 'users', id: '1', action: 'update', data: { name: 'Ada' } }
const clock = {
  clientId: 'c',
  versions: { e: 3, 'user-1': 2 },
  timestamp: 5,
  lamportCounter: 3,
  nodeId: 'e',
}
const delta = {
  entityType: 'users',
  entityId: '1',
  changes: [{ field: 'name', oldValue: null, newValue: 'Ada', changeType: 'update', timestamp: 5 }],
  vectorClock: clock,
  timestamp: 5,
}
const mutation = { n: 1, base: null, stamp: null, writes: [write] }

/** The types on the wire; `subscribe` is of both dialects. */
type Type = Up['type'] | DifferentialUp['type'] | 'sync' | 'push' | 'push_batch' | 'push_fields'

export const corpus: Readonly<Record<Type, readonly object[]>> = {
  hello: [
    { protocol: 1, client: 'one', lead: 1, acked: 0 },
    { protocol: 1, client: 'two', lead: 2, acked: 7 },
  ],
  subscribe: [
    { scopes: [scope, { ...scope, entity: 'posts' }] },
    { scopes: [{ ...scope, cursor, marks: [cursor, { ...cursor, seq: 1 }], shape: 'abc' }] },
    { entities: ['users', 'posts'] },
  ],
  unsubscribe: [{ entities: ['users'] }],
  mutate: [
    { mutations: [mutation, { ...mutation, n: 2, base: { epoch: 'e', seq: 1 } }], acked: 0 },
    {
      mutations: [
        {
          ...mutation,
          stamp: '0001700000000000.a',
          writes: [write, { ...write, id: '2', action: 'delete' }],
        },
      ],
    },
    {
      mutations: [
        { ...mutation, writes: [{ ...write, id: 'tmp_0123456789abcdef', action: 'create', upsert: true }] },
      ],
    },
  ],
  reconcile: [
    { entity: 'users', cursor, hashes: Array.from({ length: 256 }, (_, i) => i) },
    {
      entity: 'users',
      cursor,
      buckets: [0, 1, 2],
      held: [
        ['1', 1],
        ['2', 2],
      ],
    },
  ],
  ping: [{}],
  sync: [
    { entity: 'users', since: 0 },
    { entity: 'posts', since: 5, batch: true },
  ],
  push: [
    { entity: 'users', id: 1, action: 'update', data: { name: 'x' }, base_version: 1 },
    { entity: 'users', id: 3, action: 'create', data: { name: 'y' }, timestamp: '2026-01-01T00:00:00Z' },
    { entity: 'posts', entity_id: '4', action: 'delete', mutation_id: 'm1' },
  ],
  push_batch: [
    {
      pushes: [
        { entity: 'users', id: 5, data: { name: 'z' } },
        { entity: 'posts', id: 6, action: 'delete' },
      ],
    },
  ],
  push_fields: [
    {
      entity: 'users',
      entity_id: '1',
      fields: [{ field: 'name', value: 'Alice', action: 'update', timestamp: '2024-01-01T12:00:00Z' }],
    },
    {
      entity: 'users',
      base_version: 1,
      fields: [
        { entity_id: 7, field: 'name', value: 'x', action: 'create', mutation_id: 'f' },
        { entity_id: 7, field: 'email', value: null, action: 'create', mutation_id: 'f' },
        { entity_id: 2, field: 'email', action: 'delete' },
        { entity_id: 2, field: null, action: 'delete' },
      ],
    },
  ],
  'sync:request': [
    { syncId: 'users-1-0.5', data: { clientId: 'c', entityType: 'users' } },
    {
      syncId: 's',
      data: {
        clientId: 'c',
        entityType: 'users',
        lastKnownVectorClock: { ...clock, cursor },
        deltas: [delta],
      },
    },
    { syncId: 's', data: { clientId: 'c', entityType: 'posts', lastKnownVectorClock: clock } },
  ],
  'sync:subscribe': [{ data: { entityTypes: ['users', 'posts'] } }, { entityType: 'users' }],
  'sync:unsubscribe': [{ data: { entityTypes: ['users'] } }],
  'sync:delta': [
    { data: delta },
    { data: { ...delta, entityId: 2, changes: [{ field: 'id', changeType: 'delete' }] } },
    {
      data: { ...delta, changes: [{ field: 'name', newValue: 'x', changeType: 'create' }], mutationId: 'm' },
    },
  ],
  'sync:ping': [{}],
}

const types = Object.keys(corpus) as Type[] // reason: keyed by Type

/** A few, and now and then more than any limit. */
function many(draw: Draw): number {
  return draw(20) === 0 ? 1500 : draw(5)
}

function nested(depth: number): unknown {
  let made: unknown = 1
  for (let i = 0; i < depth; i++) made = i % 2 === 0 ? [made] : { a: made }
  return made
}

const nasty: readonly ((draw: Draw) => unknown)[] = [
  () => null,
  draw => draw(2) === 0,
  draw => pick(draw, [-1, 0, 0.5, 1e308, 2 ** 31, 2 ** 53, Number.MAX_SAFE_INTEGER, -(2 ** 63)]),
  draw =>
    pick(draw, [
      '',
      '\u0000',
      '\ud800',
      '__proto__',
      'constructor',
      'toString',
      'users; DROP TABLE users',
      '\u202e',
      'NaN',
    ]),
  draw =>
    pick(draw, ['9999-12-31T23:59:59Z', '99999999999999999999', '9007199254740993.node', 'tmp_x', '1e400']),
  draw => 'x'.repeat(draw(5000)),
  draw => nested(draw(200)),
  draw => Array.from({ length: many(draw) }, (_, i) => i),
  draw => Object.fromEntries(Array.from({ length: many(draw) }, (_, i) => [`k${i}`, i])),
  () => ({ $blob: 'not base64' }),
  () => [],
  () => ({}),
]

/** Every object and array in a value, with their parents' way to them left out: whichever is changed, is changed in place. */
function nodes(value: unknown, found: (Record<string, unknown> | unknown[])[] = []): typeof found {
  if (typeof value !== 'object' || value === null) return found
  found.push(value as Record<string, unknown>)
  for (const child of Object.values(value)) nodes(child, found)
  return found
}

function bend(draw: Draw, message: object): void {
  const node = pick(draw, nodes(message))
  const keys = Object.keys(node)
  const key = keys.length === 0 ? 'x' : pick(draw, keys)
  switch (draw(5)) {
    case 0:
      if (Array.isArray(node)) node.splice(draw(node.length + 1), 1)
      else Reflect.deleteProperty(node, key)
      break
    case 1: {
      const other = pick(draw, nodes(pick(draw, corpus[pick(draw, types)])))
      Reflect.set(node, key, structuredClone(other))
      break
    }
    case 2:
      if (Array.isArray(node)) for (let n = many(draw); n > 0; n--) node.push(node[0])
      else
        Reflect.set(
          node,
          pick(draw, ['type', 'entity', 'id', 'n', 'data', 'client', 'extra']),
          pick(draw, nasty)(draw),
        )
      break
    default:
      Reflect.set(node, key, pick(draw, nasty)(draw))
  }
}

function garble(draw: Draw, text: string): string {
  const at = draw(text.length + 1)
  switch (draw(6)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return text.slice(0, at) + String.fromCharCode(draw(65_536)) + text.slice(at + 1)
    case 2:
      return text.slice(0, at) + text.slice(draw(text.length + 1))
    case 3:
      return text.replace('{', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},')
    case 4:
      return text.replace('{', `{"type":"${pick(draw, types)}",`)
    default:
      return `${'['.repeat(draw(3000))}${text}`
  }
}

/** A message of any type, most of them bent: one in eight is as it should be, so that what comes next meets a state. */
export function mutated(draw: Draw): string {
  const type = pick(draw, types)
  const message = structuredClone({ type, ...pick(draw, corpus[type]) })
  if (draw(8) === 0) return JSON.stringify(message)
  for (let n = 1 + draw(3); n > 0; n--) bend(draw, message)
  const text = JSON.stringify(message)
  return draw(4) === 0 ? garble(draw, text) : text
}
