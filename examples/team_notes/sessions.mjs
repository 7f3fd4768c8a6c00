// Sign-in by a session cookie, as small as it can honestly be. There are no passwords: whoever reaches this server may
// say who they are. Put your own sign-in here, or Better Auth (docs/guides/authentication.md).
import { createHash, randomBytes } from 'node:crypto'
import { person } from './public/people.mjs'

const cookie = 'team_notes'
const lifetimeMs = 30 * 86_400_000
const hash = token => createHash('sha256').update(token).digest('hex')

export function openSessions(db) {
  const insert = db.prepare('INSERT INTO sessions (token_hash, person, expires_at) VALUES (?, ?, ?)')
  const select = db.prepare(
    'SELECT id, person, expires_at FROM sessions WHERE token_hash = ? AND expires_at > ?',
  )
  const remove = db.prepare('DELETE FROM sessions WHERE id = ?')

  return {
    /** The user as the rules get to see them, or null. `cookies`: the header. */
    find(cookies) {
      const token = new RegExp(`(?:^|; )${cookie}=([\\w-]+)`).exec(cookies ?? '')?.[1]
      const found = token === undefined ? undefined : select.get(hash(token), Date.now())
      const known = found && person(found.person)
      return known ? { ...known, session: String(found.id), expiresAt: found.expires_at } : null
    },
    /** The value of `set-cookie`. Behind TLS, add `Secure`. */
    begin(id, path) {
      const token = randomBytes(32).toString('base64url')
      insert.run(hash(token), id, Date.now() + lifetimeMs)
      return `${cookie}=${token}; Path=${path}; Max-Age=${lifetimeMs / 1000}; HttpOnly; SameSite=Lax`
    },
    end: session => void remove.run(session),
  }
}
