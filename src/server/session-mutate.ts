// The session's handler of mutations. Neighbour: `session`, the machine that it is a part of; accept behind it.
import type { Mutate, Mutation } from '../core/index.ts'
import { fail } from './session-bare.ts'
import type { Effect, Session } from './session.ts'

export function mutate(session: Session, message: Mutate): Effect[] {
  if (session.client === null) return [fail('INVALID_MESSAGE', 'say hello before mutating', 'mutate')]
  const mutations =
    session.clamps.size === 0
      ? message.mutations
      : message.mutations.map(mutation => clampBase(session, mutation))
  return [{ type: 'accept', mutations, acked: message.acked, reply: 'results' }]
}

function clampBase(session: Session, mutation: Mutation): Mutation {
  if (mutation.base === null) return mutation
  let seq = mutation.base.seq
  for (const write of mutation.writes) seq = Math.min(seq, session.clamps.get(write.entity) ?? seq)
  return { ...mutation, base: { epoch: mutation.base.epoch, seq } }
}
