// Mutants of the differential dialect, and of what its client asks of the core.
import { core, inClient, inServer, linkTests } from './kit.mjs'

const wire = ['src/core/dialects/differential.test.ts']
const follow = ['src/client/follow.test.ts']
const deltas = ['src/server/deltas.test.ts']
const session = ['src/server/session.test.ts']

export const differentialMutants = [
  core(
    'W2 a clock forgets its cursor',
    "...(clock['cursor'] == null ? {} :",
    "...(clock['cursor'] !== 0 ? {} :",
    'dialects/differential.ts',
    wire,
  ),
  inServer(
    'W3 a delta names what was written before',
    'deltas.ts',
    '(cells[name]?.seq ?? 0) > after',
    '(cells[name]?.seq ?? 0) > 0',
    deltas,
    'memory',
  ),
  inServer(
    'W6 a question is a subscription',
    'session.ts',
    'else if (scope.once) session.scopes.delete(entity)',
    'else if (scope.once === null) session.scopes.delete(entity)',
    session,
    'memory',
  ),
  inClient(
    'W6 what is not followed is taken all the same',
    'apply.ts',
    'if (batch.to && !kept.wanted && !kept.asked) kept.stage',
    'if (false as boolean) kept.stage',
    follow,
  ),
  inClient(
    'W6 nobody asks what became of a write to it',
    'settle.ts',
    'if (!kept.wanted) ask(state, kept)',
    '',
    follow,
  ),
  inClient(
    'W9 a ladder has no end',
    'link.ts',
    'return attempt > (policy.attempts ?? Infinity)',
    'return attempt > Infinity',
    linkTests,
  ),
]
