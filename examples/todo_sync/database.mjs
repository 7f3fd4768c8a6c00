// An ordinary SQLite table of an ordinary application. Nothing in it is there for the sync.
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const schema = `
  CREATE TABLE IF NOT EXISTS todos (
    id         INTEGER PRIMARY KEY,
    title      TEXT NOT NULL CHECK (length(trim(title)) BETWEEN 1 AND 120),
    notes      TEXT NOT NULL DEFAULT '',
    list       TEXT NOT NULL DEFAULT 'Home' CHECK (list IN ('Home', 'Work', 'Groceries')),
    done       INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    -- one todo of a name per list: what two people add offline under the same name meets this rule on the server
    UNIQUE (list, title)
  )`

const samples = [
  ['Groceries', 'Coffee beans', 'The dark ones', 0],
  ['Home', 'Water the tomatoes', '', 1],
  ['Work', 'Send the slides to Ada', 'Before her train at four', 0],
  ['Groceries', 'Lemons, six of them', '', 0],
  ['Home', 'Fix the bicycle light', 'The battery is in the drawer', 0],
]

/** Opens `<dataDir>/todo.db`; a new one gets a table and a few rows. */
export function openDatabase(dataDir) {
  mkdirSync(dataDir, { recursive: true })
  const file = path.resolve(dataDir, 'todo.db')
  const db = new DatabaseSync(file)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec(schema)
  if (db.prepare('SELECT count(*) AS n FROM todos').get().n === 0) {
    const insert = db.prepare(
      `INSERT INTO todos (list, title, notes, done, created_at)
       VALUES (?, ?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?))`,
    )
    for (const [i, row] of samples.entries()) insert.run(...row, `-${samples.length - i} minutes`)
  }
  return { db, file }
}
