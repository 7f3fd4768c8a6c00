// What is known of each client: its last mutation, its lead, results not yet acknowledged, temporary ids. All of it
// inside the transaction of the write it belongs to (rules Q3, Q6, Q7).
import { createHash } from 'node:crypto'
import { SyncError, temporaryPrefix } from '../../core/index.ts'
import type { Mutation, MutationResult } from '../../core/index.ts'
import type { Identified, Sender } from '../store.ts'
import { integer, text } from './driver.ts'
import type { Connection } from './driver.ts'

/** Clients are remembered at least this long after their last mutation. Milliseconds. */
export const clientRetention = 180 * 24 * 60 * 60_000

export interface ClientKey {
  readonly user: string
  readonly client: string
}

export function clientKey({ user, client }: Sender): ClientKey {
  return { user, client: client ?? '' }
}

/**
 * What the newest record of a client says. `+?`: where the order names equal columns' neighbours, SQLite plans for the
 * values and prepares the statement anew at every binding, as with `boundLimit`.
 */
export function readClient(db: Connection, { user, client }: ClientKey): Identified {
  const row = db.get(
    'SELECT last,lead FROM _syncline_commits WHERE user=+? AND client=+? ORDER BY last DESC LIMIT 1',
    user,
    client,
  )
  return row === undefined ? { last: 0, lead: 0 } : { last: integer(row[0]), lead: integer(row[1]) }
}

/** A client that was heard of, but whose last mutation is as it was. Results up to `acked` are forgotten. */
export function touchClient(
  db: Connection,
  { user, client }: ClientKey,
  { last, lead }: Identified,
  acked: number,
  nowMs: number,
): void {
  db.run(
    "INSERT INTO _syncline_commits(user,client,last,lead,first,results,at) VALUES(?,?,?,?,?,'[]',?)" +
      ' ON CONFLICT(user,client,last) DO UPDATE SET lead=excluded.lead,at=excluded.at,results=iif(last<=?,excluded.results,results)',
    user,
    client,
    last,
    lead,
    last,
    nowMs,
    acked,
  )
}

/** As many are remembered; then it begins anew. */
const maxOwners = 10_000

/**
 * Whose client is whose. Only its user finds a client by key: to look for another one's reads all of `_syncline_commits`,
 * 2 ms for 10,000 clients, inside the transaction of a write. An index would cost every commit a page, for the sake of the
 * few in which something is lost. But a client stays its user's, so that it is looked for once.
 */
export class Owners {
  readonly #known = new Map<string, string>()

  /** The asked user, where it is theirs as well; null: nobody's that is remembered. */
  of(db: Connection, client: string, asked: string): string | null {
    const own = db.value('SELECT 1 FROM _syncline_commits WHERE user=? AND client=? LIMIT 1', asked, client)
    return own === undefined ? this.#find(db, client) : asked
  }

  #find(db: Connection, client: string): string | null {
    const known = this.#known.get(client)
    if (known !== undefined) return known
    const found = db.value('SELECT user FROM _syncline_commits WHERE client=? LIMIT 1', client)
    if (found === undefined) return null
    if (this.#known.size >= maxOwners) this.#known.clear()
    this.#known.set(client, text(found))
    return text(found)
  }
}

export function countClients(db: Connection): number {
  return integer(db.value('SELECT count(*) FROM (SELECT DISTINCT user,client FROM _syncline_commits)'))
}

export function checkLead(sender: Sender, known: Identified): void {
  if (sender.lead !== null && sender.lead < known.lead) {
    throw new SyncError('FENCED', 'another tab of this client took the lead; nothing was stored')
  }
}

/** The stored result of mutation `n`, while it is remembered. */
export function resultOf(db: Connection, { user, client }: ClientKey, n: number): MutationResult | undefined {
  const row = db.get(
    'SELECT results FROM _syncline_commits WHERE user=+? AND client=+? AND last>=? ORDER BY last LIMIT 1',
    user,
    client,
    n,
  )
  if (row === undefined) return undefined
  const results: unknown = JSON.parse(text(row[0]))
  // reason: saveResults wrote it, into a table that is ours alone
  return (results as MutationResult[]).find(result => result.n === n)
}

/**
 * One record for a transaction: the client's newest says what is known of the client, and so the transaction changes one
 * page for both. Results are read one by one only after a lost answer.
 */
export function saveResults(
  db: Connection,
  { user, client }: ClientKey,
  { last, lead }: Identified,
  results: readonly MutationResult[],
  nowMs: number,
): void {
  db.run(
    'INSERT OR REPLACE INTO _syncline_commits(user,client,last,lead,first,results,at) VALUES(?,?,?,?,?,?,?)',
    user,
    client,
    last,
    lead,
    results[0]?.n ?? last,
    JSON.stringify(results),
    nowMs,
  )
}

/** `acked` is below the newest record's last. */
export function forgetResults(db: Connection, { user, client }: ClientKey, acked: number): void {
  db.run('DELETE FROM _syncline_commits WHERE user=? AND client=? AND last<=?', user, client, acked)
}

/**
 * Senders without a name share their names for mutations: one of them says '1', and so does another who means something
 * else. The same name for the same writes is a repetition.
 */
export function nameOfMutation({ mutationId, writes }: Mutation): string | undefined {
  if (mutationId === undefined) return undefined
  return `${mutationId} ${createHash('sha256').update(JSON.stringify(writes)).digest('base64')}`
}

export function namedResult(
  db: Connection,
  { user, client }: ClientKey,
  mutation: string,
): MutationResult | undefined {
  const row = db.get(
    'SELECT result FROM _syncline_named WHERE user=? AND client=? AND mutation=?',
    user,
    client,
    mutation,
  )
  if (row === undefined) return undefined
  const result: unknown = JSON.parse(text(row[0]))
  return result as MutationResult // reason: saveNamed wrote it
}

export function saveNamed(
  db: Connection,
  { user, client }: ClientKey,
  mutation: string,
  result: MutationResult,
  nowMs: number,
): void {
  db.run(
    'INSERT OR REPLACE INTO _syncline_named(user,client,mutation,result,at) VALUES(?,?,?,?,?)',
    user,
    client,
    mutation,
    JSON.stringify(result),
    nowMs,
  )
}

export function realId(
  db: Connection,
  { user, client }: ClientKey,
  ent: number,
  temporary: string,
): string | undefined {
  if (temporary === temporaryPrefix) return undefined
  const id = db.value(
    'SELECT id FROM _syncline_ids WHERE user=? AND client=? AND tmp=? AND ent=?',
    user,
    client,
    temporary,
    ent,
  )
  return id === undefined ? undefined : text(id)
}

/** The bare prefix means 'a row without an id', and is another one every time. */
export function saveRealId(
  db: Connection,
  { user, client }: ClientKey,
  ent: number,
  temporary: string,
  id: string,
  nowMs: number,
): void {
  if (temporary === temporaryPrefix) return
  db.run(
    'INSERT OR REPLACE INTO _syncline_ids(user,client,ent,tmp,id,at) VALUES(?,?,?,?,?,?)',
    user,
    client,
    ent,
    temporary,
    id,
    nowMs,
  )
}
