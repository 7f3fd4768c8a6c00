// The database of a measured server, and what it costs its process.
import path from 'node:path'
import Database from 'better-sqlite3'
import { insertRows, insertWideRows, schema, temporaryFolder, wideSchema } from '../rows.mjs'

export function openDatabase({ rows = 0, wide = false, synchronous = 'FULL' }) {
  const db = new Database(path.join(temporaryFolder(), 'app.db'))
  db.pragma('journal_mode = WAL')
  db.pragma(`synchronous = ${synchronous}`)
  if (wide) {
    db.exec(wideSchema)
    insertWideRows(db, rows)
    return db
  }
  db.exec(schema)
  db.exec('CREATE INDEX items_updated ON items(updated_at)')
  insertRows(db, rows)
  return db
}

/** CPU in microseconds since the start, and memory after a forced collection where the process may force one. */
export function resources() {
  globalThis.gc?.()
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  return {
    cpu: user + system,
    user,
    system,
    rss,
    heap: heapUsed + external,
    heapUsed,
    external,
    arrayBuffers,
  }
}
