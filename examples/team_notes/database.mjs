// Ordinary tables of an ordinary application: notes, and who is signed in.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const schema = `
  CREATE TABLE IF NOT EXISTS notes (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    team   TEXT NOT NULL,
    owner  TEXT NOT NULL,
    text   TEXT NOT NULL CHECK (length(trim(text)) BETWEEN 1 AND 200),
    done   INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    -- for managers only
    remark TEXT NOT NULL DEFAULT ''
  );
  CREATE INDEX IF NOT EXISTS notes_team ON notes (team);
  CREATE TABLE IF NOT EXISTS sessions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash TEXT NOT NULL UNIQUE,
    person     TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  )`

const samples = [
  ['Kitchen', 'ben', 'Table nine liked the lemon tart. Keep it on the card?', 1, ''],
  ['Bar', 'cleo', 'Friday: forty people after the theatre', 0, 'They pay by invoice, 30 days'],
  ['Kitchen', 'ada', 'Oven two runs hot: ten degrees less', 0, 'Repair on Thursday, 240 with travel'],
  ['Bar', 'cleo', 'Tonic is nearly out', 0, ''],
  ['Kitchen', 'ben', 'The fish comes at six, not at seven', 0, ''],
]

/** Opens `<dataDir>/notes.db`; a new one gets tables and a few rows. */
export function openDatabase(dataDir) {
  mkdirSync(dataDir, { recursive: true })
  const file = path.resolve(dataDir, 'notes.db')
  const db = new DatabaseSync(file)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec(schema)
  if (db.prepare('SELECT count(*) AS n FROM notes').get().n === 0) {
    const insert = db.prepare('INSERT INTO notes (team, owner, text, done, remark) VALUES (?, ?, ?, ?, ?)')
    for (const row of samples) insert.run(...row)
  }
  return { db, file }
}
