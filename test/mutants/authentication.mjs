// Named mutants of the rules about who is there. As in `mutants`.
const mutant = (name, file, find, replace, unit) => ({
  name,
  file: `src/${file}`,
  find,
  replace,
  unit,
  world: 'memory',
})

const connections = ['src/server/connections.test.ts']

export const authentication = [
  mutant(
    'A5 who is let in during a sign-out is missed by it',
    'server/doorkeeper.ts',
    'missed.some(who => concerns(who, user))',
    'missed.length < 0',
    connections,
  ),
  mutant(
    'A4 a connection goes on as somebody else',
    'server/connections.ts',
    'user.id !== before.id',
    "user.id === ''",
    connections,
  ),
  mutant(
    'A2 any name that points here is this server',
    'server/origin.ts',
    "hosts === 'local' ? isLocal(name)",
    "hosts === 'local' ? name !== ''",
    ['src/server/origin.test.ts'],
  ),
  mutant(
    'A7 whoever has to sign in is asked for whenever the page is seen',
    'client/link.ts',
    'link.until = now + authMs',
    'link.until = now',
    ['src/client/link.test.ts'],
  ),
  mutant(
    'A8 what was adopted stays where it was',
    'client/adopt.ts',
    'removes: pending.map(({ n }) => n)',
    'removes: []',
    ['src/client/adopt.test.ts'],
  ),
]
