// The row of all questions: `{id, title (~40 chars), body (~120), done 0/1, owner, updated_at}`, about 250 bytes of JSON.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export const columns = ['id', 'title', 'body', 'done', 'owner', 'updated_at']

export const schema = `CREATE TABLE items (
  id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, done INTEGER NOT NULL, owner TEXT NOT NULL,
  updated_at INTEGER NOT NULL)`

const filler = 'the quick brown fox jumps over the lazy dog and runs into the forest where nobody will ever find it again'

/** `body` begins with the only `~` of a row, so that rows can be counted in bytes of any format. */
export function makeRow(id, version = 0) {
  return {
    id,
    title: `Item number ${id} in its version ${version}`.padEnd(40, '.'),
    body: `~${version} ${filler}`.padEnd(120, '.'),
    done: (id + version) % 2,
    owner: `user${id % 50}`,
    updated_at: 1_700_000_000_000 + version,
  }
}

export const valuesOf = row => columns.map(column => row[column])

export function insertRows(db, count) {
  const insert = db.prepare('INSERT INTO items VALUES (?,?,?,?,?,?)')
  db.exec('BEGIN')
  for (let id = 1; id <= count; id++) insert.run(...valuesOf(makeRow(id)))
  db.exec('COMMIT')
}

/** One digest for a table or a replica of it: rows as arrays of values, in any order. */
export function digest(rows) {
  const sorted = [...rows].sort((a, b) => a[0] - b[0])
  const hash = createHash('sha256')
  for (const row of sorted) hash.update(JSON.stringify(row))
  return `${sorted.length}:${hash.digest('hex').slice(0, 16)}`
}

/** A folder that goes when the process ends. */
export function temporaryFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'syncline-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
