// The server's door: text from a client becomes an `Up` message, or a SyncError that says what is wrong with it.
// Neighbours: the session before it, accept and feed behind it.
import type { Action, Base, Mutation, Write } from './change.ts'
import { isStamp } from './clock.ts'
import { isSeq } from './cursor.ts'
import type { Cursor } from './cursor.ts'
import { bucketCount } from './hash.ts'
import { idOfValue, maxIdLength } from './ids.ts'
import type { Row } from './ids.ts'
import { asArray, asInteger, asObject, asRow, asString, invalid } from './limits.ts'
import type { Limits, Unknown } from './limits.ts'
import type { Hello, Mutate, Reconcile, ScopeRequest, Subscribe, Up } from './protocol.ts'
import { maxWhere } from './scope.ts'

const clientPattern = /^[\w-]{1,64}$/
const maxCursorMarks = 64

/** The canonical messages by type; undefined for a type that is not canonical. */
export function decodeUp(message: Unknown, limits: Limits): Up | undefined {
  switch (message['type']) {
    case 'hello':
      return decodeHello(message)
    case 'subscribe':
      return message['scopes'] === undefined ? undefined : decodeSubscribe(message, limits)
    case 'unsubscribe':
      return {
        type: 'unsubscribe',
        entities: asArray(message['entities'], 'entities', limits).map(name => asString(name, 'an entity')),
      }
    case 'mutate':
      return decodeMutate(message, limits)
    case 'reconcile':
      return decodeReconcile(message)
    case 'ping':
      return { type: 'ping' }
    default:
      return undefined
  }
}

function decodeHello(message: Unknown): Hello {
  const client = asString(message['client'], 'client')
  if (!clientPattern.test(client)) throw invalid('client must be 1 to 64 letters, digits, _ or -')
  return {
    type: 'hello',
    protocol: asInteger(message['protocol'], 'protocol'),
    client,
    lead: asInteger(message['lead'], 'lead'),
    acked: asInteger(message['acked'], 'acked'),
  }
}

function decodeSubscribe(message: Unknown, limits: Limits): Subscribe {
  const scopes = asArray(message['scopes'], 'scopes', limits)
  return { type: 'subscribe', scopes: scopes.map(item => decodeScope(asObject(item, 'a scope'), limits)) }
}

export function decodeScope(scope: Unknown, limits: Limits): ScopeRequest {
  const marks = asArray(scope['marks'] ?? [], 'marks', limits).slice(0, maxCursorMarks)
  const cursor = scope['cursor'] ?? null
  return {
    entity: asString(scope['entity'], 'entity'),
    cursor: cursor === null ? null : decodeCursor(cursor, 'cursor'),
    marks: marks.map(mark => decodeCursor(mark, 'a mark')),
    shape: typeof scope['shape'] === 'string' ? scope['shape'] : null,
    ...(scope['where'] == null ? {} : { where: decodeWhere(scope['where'], limits) }),
    ...(scope['once'] === true ? { once: true } : {}),
  }
}

/** Each row is matched against it: it must not be long. */
function decodeWhere(value: unknown, limits: Limits): Row {
  const where = asRow(value, 'where', limits)
  if (JSON.stringify(where).length > maxWhere) throw invalid(`where is longer than ${maxWhere} characters`)
  return where
}

export function decodeCursor(value: unknown, what: string): Cursor {
  const cursor = asObject(value, what)
  const check = cursor['check']
  if (!Number.isSafeInteger(check)) throw invalid(`${what}.check must be an integer`)
  return {
    epoch: asString(cursor['epoch'], `${what}.epoch`),
    seq: asInteger(cursor['seq'], `${what}.seq`),
    check: check as number, // reason: isSafeInteger is no type guard
  }
}

function decodeMutate(message: Unknown, limits: Limits): Mutate {
  const mutations = asArray(message['mutations'], 'mutations', limits).map(item =>
    decodeMutation(item, limits),
  )
  return { type: 'mutate', mutations, acked: asInteger(message['acked'] ?? 0, 'acked') }
}

function decodeMutation(item: unknown, limits: Limits): Mutation {
  const mutation = asObject(item, 'a mutation')
  const n = asInteger(mutation['n'], 'n')
  if (n === 0) throw invalid('n counts from 1')
  const stamp = mutation['stamp'] ?? null
  if (stamp !== null && !isStamp(stamp)) throw invalid('stamp must be 16 digits, a dot and a node')
  const writes = asArray(mutation['writes'], 'writes', limits)
  if (writes.length === 0) throw invalid('a mutation needs at least one write')
  return {
    n,
    base: decodeBase(mutation['base'] ?? null),
    stamp,
    writes: writes.map(write => decodeWrite(write, limits)),
  }
}

function decodeBase(value: unknown): Base | null {
  if (value === null) return null
  const base = asObject(value, 'base')
  return { epoch: asString(base['epoch'], 'base.epoch'), seq: asInteger(base['seq'], 'base.seq') }
}

function decodeWrite(item: unknown, limits: Limits): Write {
  const write = asObject(item, 'a write')
  const action = decodeAction(write['action'])
  const decoded: { -readonly [Key in keyof Write]: Write[Key] } = {
    entity: asString(write['entity'], 'entity'),
    id: asString(write['id'], 'id', maxIdLength),
    action,
  }
  if (action !== 'delete') decoded.data = asRow(write['data'], 'data', limits)
  if (action === 'update' && write['was'] !== undefined) decoded.was = asRow(write['was'], 'was', limits)
  if (write['upsert'] === true) decoded.upsert = true
  return decoded
}

export function decodeAction(value: unknown): Action {
  if (value === 'create' || value === 'update' || value === 'delete') return value
  throw invalid("action must be 'create', 'update' or 'delete'")
}

/** An id in any spelling that users give. */
export function decodeId(value: unknown): string {
  const id = idOfValue(value)
  if (id === null)
    throw invalid(
      `an id must be a non-empty string of at most ${maxIdLength} characters, a number, or an array of them`,
    )
  return id
}

function decodeReconcile(message: Unknown): Reconcile {
  const common = {
    type: 'reconcile',
    entity: asString(message['entity'], 'entity'),
    cursor: decodeCursor(message['cursor'], 'cursor'),
  } as const
  if (message['hashes'] !== undefined) {
    const hashes = message['hashes']
    if (!Array.isArray(hashes) || hashes.length !== bucketCount || !hashes.every(isSeq))
      throw invalid(`hashes must be ${bucketCount} integers`)
    return { ...common, hashes }
  }
  const { buckets, held } = message
  if (!Array.isArray(buckets) || !buckets.every(b => isSeq(b) && b < bucketCount))
    throw invalid('buckets must be bucket numbers')
  if (!Array.isArray(held)) throw invalid('held must be an array')
  // a client may hold millions of rows: the frame's size limits this list, not a count
  return { ...common, buckets, held: held.map(decodeHeld) }
}

function decodeHeld(item: unknown): readonly [string, number] {
  if (!Array.isArray(item) || typeof item[0] !== 'string' || !isSeq(item[1]))
    throw invalid('held must list [id, seq] pairs')
  return [item[0], item[1]]
}
