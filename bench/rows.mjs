// The row of all questions: `{id, title (~40 chars), body (~120), done 0/1, owner, updated_at}`, about 250 bytes of JSON.
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export const columns = ['id', 'title', 'body', 'done', 'owner', 'updated_at']

export const schema = `CREATE TABLE items (
  id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, done INTEGER NOT NULL, owner TEXT NOT NULL,
  updated_at INTEGER NOT NULL)`

/** The same of 50 fields, of 60 characters each. */
export const wideSchema = `CREATE TABLE items (id INTEGER PRIMARY KEY, ${wideColumns().join(' TEXT, ')} TEXT)`

function wideColumns() {
  return Array.from({ length: 49 }, (_, i) => `c${i}`)
}

/** Made-up words, so that compression finds in a row what it finds in prose, and not more. */
const words = Array.from({ length: 800 }, (_, i) => {
  let word = ''
  for (let n = (i + 1) * 2_654_435_761, k = 0; k < 2 + (i % 6); k++, n = (n * 31 + 7) % 4_294_967_291)
    word += String.fromCharCode(97 + (n % 26))
  return word
})

function prose(seed, length) {
  let text = ''
  for (let state = seed * 2 + 1; text.length < length;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += `${words[(state >>> 8) % words.length]} `
  }
  return text.slice(0, length)
}

/** `body` begins with the only `~` of a row, so that rows can be counted in bytes of any format. */
export function makeRow(id, version = 0) {
  return {
    id,
    title: `Item ${id}.${version} ${prose(id, 40)}`.slice(0, 40),
    body: `~${version} ${prose(id + version * 1000, 120)}`.slice(0, 120),
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

export function insertWideRows(db, count) {
  const insert = db.prepare(`INSERT INTO items VALUES (?${',?'.repeat(49)})`)
  for (let id = 1; id <= count; id++) insert.run(id, ...wideColumns().map((_, i) => prose(id * 50 + i, 60)))
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
