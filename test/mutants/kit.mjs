// Named mutants: each breaks one rule by a textual change, and some test has to notice. `find` must occur exactly once
// in the file; a mutant whose text is gone is reported, not skipped.
//
// `unit`: vitest files (of the unit project) that may kill it, tried first. `world`: which store's worlds may.

export const decide = ['src/core/decide.test.ts']
export const sqlite = ['src/server/sqlite/contract.test.ts']
export const client = [
  'src/client/replica.test.ts',
  'src/client/heal.test.ts',
  'src/client/settle.test.ts',
  'src/client/client.test.ts',
  'src/client/oracle.test.ts',
]

export const views = ['src/server/views.test.ts']
export const scopes = ['src/client/scopes.test.ts', 'src/client/heal.test.ts']
export const windows = [
  'src/server/windows.test.ts',
  'src/server/gather.test.ts',
  'src/server/viewed.test.ts',
]
export const patches = ['src/server/hub-patches.test.ts', 'src/server/patches.test.ts']
export const rights = ['src/server/rights.test.ts']
export const stores = ['src/client/stores.test.ts']
export const visits = ['', '-guest', '-review'].map(of => `src/client/visiting${of}.test.ts`)
export const tabs = [
  'src/client/lead.test.ts',
  'src/client/crew.test.ts',
  'src/client/crew-names.test.ts',
  'src/client/eviction.test.ts',
]
export const linkTests = ['src/client/link.test.ts', 'src/client/rivals.test.ts', 'src/faces/racing.test.ts']

export const core = (name, find, replace, file = 'decide.ts', unit = decide) => ({
  name,
  file: `src/core/${file}`,
  find,
  replace,
  unit,
  world: 'memory',
})
export const inClient = (name, file, find, replace, unit = client) => ({
  name,
  file: `src/client/${file}`,
  find,
  replace,
  unit,
  world: 'memory',
})
export const inServer = (name, file, find, replace, unit = [], world = 'sqlite') => ({
  name,
  file: `src/server/${file}`,
  find,
  replace,
  unit,
  world,
})
