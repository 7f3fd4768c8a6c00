// Mutants of the field spelling.
import { core, inServer, sqlite, views } from './kit.mjs'

const spelling = ['src/core/dialects/rhtmx-field.test.ts']
const inSpelling = (name, find, replace) => core(name, find, replace, 'dialects/rhtmx-field.ts', spelling)

export const fieldMutants = [
  inServer(
    'E1 a later page names only what it was written in itself',
    'sqlite/read.ts',
    'const since = query.since ?? query.after',
    'const since = query.after',
    [...sqlite, ...views],
  ),
  inServer(
    'E1 V3 a row that came into view in an earlier page is told in part',
    'viewed.ts',
    'later && view !== null && mayHaveEntered(view, seen)',
    'later && view !== null && seen.created',
    views,
  ),
  inServer(
    'E5 every field has the id of its version',
    'bare.ts',
    'cells ? next === undefined : next?.version !== version',
    'true',
    ['src/server/bare.test.ts'],
  ),
  inServer(
    'E5 what was read without cells is told as if all of it were new',
    'feed.ts',
    '(!cells || seq >= this.#plainTo)',
    'seq >= 0',
    ['src/server/feed.test.ts'],
    'memory',
  ),
  inSpelling(
    'E3 fields of different times are one write',
    'JSON.stringify([origin, write])',
    'JSON.stringify([write])',
  ),
  inSpelling(
    'E4 the time of a hidden column is told',
    ' || (field !== null && !Object.hasOwn(row, field))',
    '',
  ),
]
