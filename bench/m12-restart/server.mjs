// A server over a file that is there again after it. Each start writes a row before anybody can ask, so that nobody is
// up to date who did not come back.
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import Database from 'better-sqlite3'
import { createSyncEngine } from 'syncline'
import { answerCalls } from '../process.mjs'
import { digest, insertRows, schema } from '../rows.mjs'

let db
let engine

async function open({ folder, port }) {
  const file = path.join(folder, 'app.db')
  const fresh = !existsSync(file)
  db = new Database(file)
  db.pragma('journal_mode = WAL')
  if (fresh) db.exec(schema)
  if (fresh) insertRows(db, 1000)
  engine = await createSyncEngine({ db, entities: ['items'], access: 'public' })
  if (!fresh) db.exec("UPDATE items SET title = 'again' WHERE id <= 100")
  const server = createServer(engine.routes())
  engine.attach(server)
  await new Promise(resolve => void server.listen(port, '127.0.0.1', resolve))
  return server.address().port
}

answerCalls({
  open,
  stats: () => engine.stats(),
  digest: () => digest(db.prepare('SELECT * FROM items').raw().all()),
  close: () => engine.close(),
})
