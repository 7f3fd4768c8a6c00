// Whose database is whose in this browser, remembered where the page can see it before any database is open. Without such
// a place every load begins with the anonymous database, and changes at its welcome.
import type { Notes } from './env.ts'

interface Users {
  readonly last: string
  /** The database of each user. */
  readonly keys: { readonly [user: string]: string }
}

/**
 * The key of the database of `user`; of the last one where it is null; `anon` before anybody was known. It is never one
 * that is somebody else's already, whatever users are called.
 */
export function databaseKey(notes: Notes, name: string, user: string | null): string {
  const { last, keys } = readUsers(notes, name)
  let key = user ?? last
  if (key === '') return 'anon'
  if (Object.hasOwn(keys, key)) return keys[key] ?? key
  const taken = ['anon', ...Object.values(keys)]
  while (taken.includes(key)) key += '_'
  return key
}

export function rememberUser(notes: Notes, name: string, user: string, key: string): void {
  const { keys } = readUsers(notes, name)
  notes.set(name, JSON.stringify({ last: user, keys: { ...keys, [user]: key } }))
}

function readUsers(notes: Notes, name: string): Users {
  const none: Users = { last: '', keys: {} }
  try {
    return { ...none, ...(JSON.parse(notes.get(name) ?? '{}') as Partial<Users>) } // reason: only we write it
  } catch {
    return none
  }
}
