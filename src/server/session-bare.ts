// The session's handlers of the bare dialects: what is live from now on, what is read once, what is pushed. Neighbour:
// `session`, the machine that they are a part of.
import { SyncError } from '../core/index.ts'
import type {
  ErrorBody,
  Listen,
  Pull,
  Push,
  SyncFollow,
  SyncPush,
  SyncRequest,
  SyncUnfollow,
  Unsubscribe,
} from '../core/index.ts'
import type { Effect, Known, Session } from './session.ts'

export function unsubscribe(session: Session, message: Unsubscribe): Effect[] {
  const entities = message.entities.filter(entity => session.scopes.delete(entity))
  return entities.length === 0 ? [] : [{ type: 'leave', entities }]
}

export function listen(session: Session, message: Listen, known: Known): Effect[] {
  if (session.dialect === 'differential')
    return [fail('INVALID_MESSAGE', 'this connection follows with sync:subscribe', 'subscribe')]
  return live(session, message.entities, known, 'subscribed')
}

export type LiveReply = 'subscribed' | 'subscription:confirmed'

/** Live from now on, whatever was before. */
function live(session: Session, wanted: readonly string[], known: Known, reply: LiveReply): Effect[] {
  const named = [...new Set(wanted)]
  const unknown = named.filter(entity => known.shapeOf(entity) === undefined)
  const entities = named.filter(entity => known.shapeOf(entity) !== undefined)
  const { turn } = session
  for (const entity of entities) session.scopes.set(entity, { phase: 'live', turn })
  const re = reply === 'subscribed' ? 'subscribe' : 'sync:subscribe'
  return [...unknown.map(entity => unknownEntity(entity, re)), { type: 'listen', entities, reply }]
}

/** What a connection is told live is told in one dialect. */
export function follow(session: Session, message: SyncFollow, known: Known): Effect[] {
  if (session.dialect === 'canonical' || (session.dialect !== 'differential' && session.scopes.size > 0))
    return [fail('INVALID_MESSAGE', 'this connection follows in another dialect', 'sync:subscribe')]
  session.dialect = 'differential'
  return live(session, message.entities, known, 'subscription:confirmed')
}

export function unfollow(session: Session, { entities }: SyncUnfollow): Effect[] {
  const names = entities.map(entity => entity.slice(0, 128))
  const confirmed: Effect = {
    type: 'send',
    message: { type: 'unsubscription:confirmed', entityTypes: names },
  }
  return [...unsubscribe(session, { type: 'unsubscribe', entities }), confirmed]
}

export function pull(message: Pull, known: Known): Effect[] {
  if (known.shapeOf(message.entity) === undefined) return [unknownEntity(message.entity, 'sync')]
  return [{ type: 'pull', entity: message.entity, since: message.since, batch: message.batch }]
}

export function push({ mutations }: Push | SyncPush | SyncRequest, reply: 'acks' | 'sync:ack'): Effect[] {
  return [{ type: 'accept', mutations, acked: 0, reply }]
}

export function unknownEntity(entity: string, re: string, request: { syncId?: string } = {}): Effect {
  const failed = fail('UNKNOWN_ENTITY', `no entity '${entity.slice(0, 80)}' is synced here`, re, request)
  return { ...failed, about: { ...failed.about, entity: entity.slice(0, 128) } }
}

export function fail(
  code: ErrorBody['code'],
  message: string,
  re: string,
  { syncId }: { syncId?: string } = {},
): Extract<Effect, { type: 'fail' }> {
  const error = new SyncError(code, message).toJSON()
  return { type: 'fail', error, about: syncId === undefined ? { re } : { re, syncId } }
}
