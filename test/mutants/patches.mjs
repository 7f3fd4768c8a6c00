// Mutants of what changed of a row, sent in the place of the row.
import { inClient, inServer, patches, tabs } from './kit.mjs'

export const patchMutants = [
  inServer(
    'S13 what changed before the last change is left out',
    'patches.ts',
    'return { ...earlier.cells, ...later.cells }',
    'return later.cells',
    patches,
  ),
  inServer(
    'S13 a change of the whole row is forgotten by the next',
    'patches.ts',
    'if (earlier.cells === undefined || later.cells === undefined) return undefined',
    '',
    patches,
  ),
  inServer(
    'S13 a row that came into view is a patch',
    'patches.ts',
    'if (json === null || created || ',
    'if (json === null || ',
    patches,
  ),
  inServer(
    'S13 each page knows of its own changes only',
    'reader.ts',
    '...(cells && { cells, since })',
    '...(cells && { cells })',
    patches,
  ),
  inServer(
    'S13 what follows a heal builds on what was there before',
    'session.ts',
    'session.mended.add(entity)',
    '',
    ['src/server/session.test.ts'],
  ),
  inClient(
    'R13 a patch of a row that is not here is passed over',
    'apply.ts',
    'if (lacksRow(kept, read, from?.seq ?? 0)) return ask(state, kept, true)',
    '',
    ['src/client/patches.test.ts'],
  ),
  inClient(
    'R13 a patch is put over a row that a heal left',
    'apply.ts',
    '(kept.rows.get(id)?.seq ?? Infinity) > from && !comes(id)',
    '!kept.rows.has(id) && !comes(id)',
    ['src/client/patches.test.ts'],
  ),
  inClient(
    'R4 a tab that joined between two parts takes the rest for the whole',
    'crew.ts',
    'isLive(replica.state, message) && !parted && !crew.saying',
    'isLive(replica.state, message) && !crew.saying',
    tabs,
  ),
]
