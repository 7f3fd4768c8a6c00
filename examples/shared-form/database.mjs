// An ordinary table of an ordinary application, with one row: the plan of a party.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const schema = `
  CREATE TABLE IF NOT EXISTS plans (
    id     INTEGER PRIMARY KEY,
    title  TEXT NOT NULL CHECK (length(trim(title)) BETWEEN 1 AND 80),
    day    TEXT NOT NULL DEFAULT '',
    place  TEXT NOT NULL DEFAULT '',
    guests INTEGER NOT NULL DEFAULT 1 CHECK (guests BETWEEN 1 AND 60),
    food   TEXT NOT NULL DEFAULT '',
    notes  TEXT NOT NULL DEFAULT ''
  )`

const sample = [
  'Summer party',
  'Saturday, 19 June, from four',
  'The old boathouse',
  24,
  'Everybody brings something',
  'Ask the neighbours about the noise.',
]

/** Opens `<dataDir>/plans.db`; a new one gets the table and its row. */
export function openDatabase(dataDir) {
  mkdirSync(dataDir, { recursive: true })
  const file = path.resolve(dataDir, 'plans.db')
  const db = new DatabaseSync(file)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec(schema)
  db.prepare(
    'INSERT OR IGNORE INTO plans (id, title, day, place, guests, food, notes) VALUES (1, ?, ?, ?, ?, ?, ?)',
  ).run(...sample)
  return { db, file }
}
