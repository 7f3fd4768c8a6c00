// Whose database is whose in this browser, remembered where the page can see it before any database is open. Without such
// a place every load begins with the anonymous database, and changes at its welcome.
import type { Notes } from './env.ts'

interface Users {
  readonly last: string
  /** The user of each database. One that was emptied may be another one's now. */
  readonly owners: { readonly [key: string]: string }
}

/** What the database is called that is there before anybody is known. */
export const anonymous = 'anon'

/**
 * The key of the database of `user`; of the last one where it is null; `anon` before anybody was known. It is never one
 * that is somebody else's already, whatever users are called.
 */
export function databaseKey(notes: Notes, name: string, user: string | null): string {
  const { last, owners } = readUsers(notes, name)
  let key = user ?? last
  if (key === '') return anonymous
  const own = Object.entries(owners).find(([, owner]) => owner === key)
  if (own !== undefined) return own[0]
  while (key === anonymous || key in owners) key += '_'
  return key
}

export function rememberUser(notes: Notes, name: string, user: string, key: string): void {
  const { owners } = readUsers(notes, name)
  notes.set(name, JSON.stringify({ last: user, owners: { ...owners, [key]: user } }))
}

function readUsers(notes: Notes, name: string): Users {
  const none: Users = { last: '', owners: {} }
  try {
    return { ...none, ...(JSON.parse(notes.get(name) ?? '{}') as Partial<Users>) } // reason: only we write it
  } catch {
    return none
  }
}
