// Syncline as a user would start it, with its defaults.
import { createServer } from 'node:http'
import { createSyncEngine } from 'syncline'
import { answerCalls } from '../process.mjs'
import { digest } from '../rows.mjs'
import { openDatabase, resources } from './database.mjs'
import { answerFile } from './pages.mjs'

const pageOf = ({ webSocket = true, script = 'client' }) => `<!doctype html><body>
  <script src="/api/sync/${script}.js" data-sync-entities="items" data-use-websocket="${webSocket}"></script>
  <script src="/page/table.js"></script><script src="/page/syncline.js"></script>
  <script src="/page/edits.js"></script></body>`

let db
let engine

async function open(options) {
  db = openDatabase(options)
  const { fieldSync } = options
  engine = await createSyncEngine({
    db,
    entities: ['items'],
    access: 'public',
    ...(fieldSync && { fieldSync }),
  })
  const routes = engine.routes()
  const html = pageOf(options)
  const server = createServer((request, response) => {
    if (!answerFile(html, request, response)) routes(request, response)
  })
  engine.attach(server)
  await new Promise(resolve => void server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}

answerCalls({
  open,
  resources,
  exec: sql => void db.exec(sql),
  digest: () => digest(db.prepare('SELECT * FROM items').raw().all()),
  stats: () => engine.stats(),
  /** What was written a while ago is folded, as it is for a client that was away. */
  async settled() {
    for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
      const { folded, head } = await engine.stats()
      if (folded === head) return
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  },
  close: () => engine.close(),
})
