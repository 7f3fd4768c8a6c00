// Mutants of what is on record of values that did not survive.
import { inServer } from './kit.mjs'

const losses = ['src/server/losses.test.ts']

export const inboxMutants = [
  inServer('I1 nothing is recorded', 'sqlite/writer.ts', 'this.#losses.push(...losses)', ''),
  inServer(
    'I1 nothing is recorded of what was refused',
    'sqlite/writer.ts',
    "if (error.status === 'conflict')",
    "if (error.message === '')",
  ),
  inServer(
    'I1 what was written over unseen is not recorded',
    'losses.ts',
    'return sameJson(after, mine) ? replaced(judged, column, after, outcome) : []',
    'return []',
    losses,
  ),
  inServer(
    'I1 an older value takes the place of a newer one',
    'losses.ts',
    "if (stored && Number(known['place']) >= Number(row['place'])) return null",
    '',
    losses,
  ),
  inServer(
    'I1 a row that was deleted under others is not recorded',
    'losses.ts',
    "if (decision.kind === 'delete') return deleted(judged, decision.met ?? [])",
    '',
    losses,
  ),
]
