// Mutants of who wins when writes meet.
import { core } from './kit.mjs'

export const decidingMutants = [
  // ---- who wins
  core(
    'D1 seen rule: a cell at base counts as unseen',
    'return cell.seq > attempt.base',
    'return cell.seq >= attempt.base',
  ),
  core('D1 seen rule: nothing is ever concurrent', 'return cell.seq > attempt.base', 'return false'),
  core(
    'D2 own-write rule: own cells count as unseen',
    'cell.by === attempt.client',
    'cell.by === `${attempt.client}!`',
  ),
  core(
    'D3 without a base everything is seen',
    'return attempt.stamp !== null && cell.stamp > attempt.stamp',
    'return false',
  ),
  core('D4 last-write-wins takes the smaller stamp', 'mine > cell.stamp', 'mine < cell.stamp'),
  core('D4 last-write-wins: above one cell is enough', 'met.every(cell => mine', 'met.some(cell => mine'),
  core(
    'D4 the writer of the last arrival wins',
    "return met.every(cell => mine > cell.stamp) ? 'keep' : 'lose'",
    "return mine.length > 0 ? 'keep' : 'lose'",
  ),
  core(
    'D5 client-wins loses',
    "case 'client-wins':\n      return 'keep'",
    "case 'client-wins':\n      return 'lose'",
  ),
  core(
    'D5 server-wins and keep-both keep',
    "case 'keep-both':\n      return 'lose'",
    "case 'keep-both':\n      return 'keep'",
  ),
  core('D6 a stale resolution is taken', '|| resolution.seq !== standing.seq', ''),
  core(
    'D7 field grain judges the whole row',
    'const met = concurrent([cellOf(standing, column)], attempt)',
    'const met = concurrent(everyCell(standing), attempt)',
  ),
  core(
    'D7 entity grain looks at the written columns only',
    "rules.grain === 'entity' ? everyCell(standing) : null",
    "rules.grain === 'entity' ? attempt.columns.map(column => cellOf(standing, column)) : null",
  ),
  core('D8 an update revives a deleted row', 'standing.gone !== null || mayBeForgotten', 'mayBeForgotten'),
  core('D8 a forgotten delete is no delete', 'attempt.base < around.horizon', 'false'),
  core(
    'D9 a delete wins under every strategy',
    'if (met.length > 0 && refused)',
    'if (met.length < 0 && refused)',
  ),
  core('D10 a create may update', 'return attempt.upsert\n', 'return standing.exists\n'),
  core(
    'D12 stamps are not clamped',
    'return readingOf(written) > limit ?',
    'return readingOf(written) > limit * 2 ?',
    'clock.ts',
    ['src/core/clock.test.ts'],
  ),
  core(
    'L3 a stored stamp may repeat',
    'if (stored === null || clamped > stored) return clamped',
    'return clamped',
    'clock.ts',
    ['src/core/clock.test.ts'],
  ),
]
