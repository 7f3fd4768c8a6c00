// Which database this page works on, and whether it may. One tab of a profile has the lock of a database; the others
// work in memory.

export interface Lease {
  /** False: another tab has it. */
  readonly held: boolean
  release(): void
}

/**
 * `freed` is called when the tab that had the lock is gone. Null without Web Locks, as on pages over plain http: two
 * tabs with one client's name would overwrite each other's queue, and the server take one's edits for the other's.
 */
export async function takeLock(name: string, freed: () => void): Promise<Lease | null> {
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
  if (locks === undefined) return null
  const waiting = new AbortController()
  const held = await new Promise<(() => void) | null>(resolve => {
    locks
      .request(name, { ifAvailable: true }, lock => {
        if (lock === null) return resolve(null)
        return new Promise<void>(release => resolve(release))
      })
      .catch(() => resolve(() => {}))
  })
  if (held !== null) return { held: true, release: held }
  // not kept: the next tab that loads shall have it
  locks.request(name, { signal: waiting.signal }, freed).catch(() => {})
  return { held: false, release: () => waiting.abort() }
}

interface Users {
  readonly last: string
  /** The database of each user. */
  readonly keys: { readonly [user: string]: string }
}

/**
 * The key of the database of `user`; of the last one where it is null; `anon` before anybody was known. It is never one
 * that is somebody else's already, whatever users are called.
 */
export function databaseKey(name: string, user: string | null): string {
  const { last, keys } = readUsers(name)
  let key = user ?? last
  if (key === '') return 'anon'
  if (Object.hasOwn(keys, key)) return keys[key] ?? key
  const taken = ['anon', ...Object.values(keys)]
  while (taken.includes(key)) key += '_'
  return key
}

export function rememberUser(name: string, user: string, key: string): void {
  const { keys } = readUsers(name)
  try {
    localStorage.setItem(name, JSON.stringify({ last: user, keys: { ...keys, [user]: key } }))
  } catch {
    // no storage: every load begins with the anonymous database, and changes at its welcome
  }
}

function readUsers(name: string): Users {
  const none: Users = { last: '', keys: {} }
  try {
    return { ...none, ...(JSON.parse(localStorage.getItem(name) ?? '{}') as Partial<Users>) } // reason: only we write it
  } catch {
    return none
  }
}
