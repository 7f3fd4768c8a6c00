import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeDown } from './decode-down.ts'
import { decodeUp } from './decode-up.ts'
import { decodeRhtmx } from './dialects/rhtmx.ts'
import { SyncError } from './errors.ts'
import { asObject, asRow, defaultLimits, parseJson } from './limits.ts'

const small = { ...defaultLimits, maxDepth: 3, maxKeys: 4, maxItems: 2 }

/** The decoded message, or the code of the SyncError; any other exception fails the test. */
function outcome(text: string, limits = small): unknown {
  try {
    const message = asObject(parseJson(text), 'a message')
    return decodeUp(message, limits) ?? decodeRhtmx(message, limits, 1e12) ?? 'unknown'
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}

const write = { entity: 'e', id: '1', action: 'update', data: { a: 1 } }
const mutation = { n: 1, base: { epoch: 'x', seq: 3 }, stamp: null, writes: [write] }
const cursor = { epoch: 'x', seq: 1, check: -5 }

test('[S1] well-formed messages come through as they are', () => {
  const messages = [
    { type: 'hello', protocol: 1, client: 'a-b_9', lead: 0, acked: 0 },
    { type: 'subscribe', scopes: [{ entity: 'e', cursor, marks: [cursor], shape: 'h' }] },
    { type: 'unsubscribe', entities: ['e'] },
    { type: 'mutate', mutations: [mutation], acked: 3 },
    { type: 'reconcile', entity: 'e', cursor, buckets: [1, 255], held: [['a', 5]] },
    { type: 'ping' },
  ]
  for (const message of messages) expect(outcome(JSON.stringify(message))).toEqual(message)
  const hashes = Array.from({ length: 256 }, (_, i) => i)
  expect(outcome(JSON.stringify({ type: 'reconcile', entity: 'e', cursor, hashes }))).toEqual({
    type: 'reconcile',
    entity: 'e',
    cursor,
    hashes,
  })
})

test('[S1] hostile messages are refused by a code, never by a crash', () => {
  const mutate = (parts: object): object => ({
    type: 'mutate',
    mutations: [{ ...mutation, ...parts }],
    acked: 0,
  })
  const bad: unknown[] = [
    null,
    [],
    1,
    'x',
    { type: 'hello' },
    { type: 'hello', protocol: 1, client: 'a b', lead: 0, acked: 0 },
    { type: 'hello', protocol: -1, client: 'a', lead: 0, acked: 0 },
    { type: 'hello', protocol: 1, client: 'x'.repeat(65), lead: 0, acked: 0 },
    { type: 'subscribe', scopes: {} },
    { type: 'subscribe', scopes: [1] },
    { type: 'subscribe', scopes: [1, 2, 3] },
    { type: 'subscribe', scopes: [{ entity: 'e', cursor: { epoch: 'x', seq: -1, check: 0 } }] },
    { type: 'subscribe', scopes: [{ entity: 'e', cursor: { epoch: 'x', seq: 1, check: 0.5 } }] },
    { type: 'subscribe', scopes: [{ entity: '', cursor: null }] },
    { type: 'unsubscribe', entities: 'e' },
    mutate({ n: 0 }),
    mutate({ n: -1 }),
    mutate({ n: 1.5 }),
    mutate({ n: null }),
    mutate({ stamp: 'now' }),
    mutate({ writes: [] }),
    mutate({ writes: null }),
    mutate({ base: 5 }),
    mutate({ base: { epoch: '', seq: 1 } }),
    mutate({ writes: [{ ...write, action: 'drop' }] }),
    mutate({ writes: [{ ...write, id: 'x'.repeat(1025) }] }),
    mutate({ writes: [{ ...write, id: 5 }] }),
    mutate({ writes: [{ ...write, data: [] }] }),
    mutate({ writes: [{ ...write, data: undefined }] }),
    mutate({ writes: [write, write, write] }),
    mutate({ writes: [{ ...write, data: { a: 1, b: 2, c: 3, d: 4, e: 5 } }] }),
    mutate({ writes: [{ ...write, data: { a: [[[[]]]] } }] }),
    { type: 'reconcile', entity: 'e', cursor, hashes: [1] },
    { type: 'reconcile', entity: 'e', cursor, buckets: [256], held: [] },
    { type: 'reconcile', entity: 'e', cursor, buckets: [1], held: [[1, 1]] },
    { type: 'reconcile', entity: 'e', cursor },
    { type: 'push', entity: 'e', id: {}, data: {} },
    { type: 'push', entity: 'e', id: 1, timestamp: 'yesterday' },
    { type: 'push' },
    { type: 'sync' },
    { type: 'push_batch', pushes: [1] },
    { type: 'push', entity: 'e', id: 1, base_version: 'x' },
  ]
  for (const message of bad)
    expect(outcome(JSON.stringify(message)), JSON.stringify(message)?.slice(0, 120)).toBe('INVALID_MESSAGE')
  for (const text of ['', '{', 'nul', '\u0000', '{"type":"ping"}x', '[1'])
    expect(outcome(text)).toBe('INVALID_MESSAGE')
  for (const type of ['welcome', 'constructor', '__proto__', 'toString', 5, null])
    expect(outcome(JSON.stringify({ type }))).toBe('unknown')
})

test('[S1] names that would reach a prototype are refused at any depth', () => {
  for (const data of ['{"__proto__":1}', '{"a":{"constructor":1}}', '{"a":[{"prototype":1}]}']) {
    expect(
      outcome(
        `{"type":"mutate","mutations":[{"n":1,"writes":[{"entity":"e","id":"1","action":"update","data":${data}}]}]}`,
      ),
    ).toBe('INVALID_MESSAGE')
  }
  expect(asRow(JSON.parse('{"toString":1}'), 'row', small)).toEqual({ toString: 1 })
  // deep enough to break a recursive reader that has no limit
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`
  expect(outcome(`{"type":"push","entity":"e","id":1,"data":{"a":${deep}}}`, { ...defaultLimits })).toBe(
    'INVALID_MESSAGE',
  )
})

test('[S1] any JSON at all is decoded or refused', () => {
  const type = fc.constantFrom(
    'hello',
    'subscribe',
    'unsubscribe',
    'mutate',
    'reconcile',
    'ping',
    'sync',
    'push',
    'push_batch',
  )
  const field = fc.constantFrom(
    'client',
    'scopes',
    'entities',
    'mutations',
    'entity',
    'cursor',
    'hashes',
    'held',
    'buckets',
    'n',
    'writes',
    'data',
    'id',
    'pushes',
    'base',
    'stamp',
    'timestamp',
  )
  const nested = fc.letrec(tie => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(field, tie('value'), { maxKeys: 4 }),
    ),
  })).value
  fc.assert(
    fc.property(type, fc.dictionary(field, nested, { maxKeys: 6 }), (name, fields) => {
      outcome(JSON.stringify({ ...fields, type: name }))
    }),
    { seed: 6, numRuns: 1500 },
  )
})

test('[K5] what is no message of ours is undefined on the client, never an exception', () => {
  for (const text of [
    '<html>Sign in</html>',
    '',
    'null',
    '5',
    '[]',
    '{}',
    '{"type":"constructor"}',
    '{"type":"change"}',
    '{"type":null}',
    '{"type":',
  ])
    expect(decodeDown(text)).toBe(undefined)
  fc.assert(
    fc.property(fc.string(), text => void decodeDown(text)),
    { seed: 7 },
  )
  expect(decodeDown('{"type":"pong","server_time":5}')).toEqual({ type: 'pong', server_time: 5 })
})
