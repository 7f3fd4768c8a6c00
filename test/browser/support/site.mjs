// A small site of a user of ours, as a process of its own: `node site.mjs <database> [port]`. Prints its port.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SyncEngine } from 'syncline'

const [file, port = '0'] = process.argv.slice(2)
const db = new DatabaseSync(file)
db.exec(`
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''), email TEXT);
  CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY, title TEXT);
`)
const engine = await SyncEngine.create({ db, entities: ['users', 'posts'], access: 'public' })
const routes = engine.routes()
const users = db.prepare('SELECT * FROM users ORDER BY id')
let fetched = 0

/** The page of the documents' quick start, with another htmx and other attributes where a test wants them. */
function quickStart(query) {
  const attributes = query.get('attributes') ?? 'data-sync-entities="users"\n            data-debug="true"'
  return `<!DOCTYPE html>
<html>
<head>
    <script src="/htmx.js?package=${query.get('htmx') ?? 'htmx2'}"></script>
    <!-- Add rhtmx-sync script -->
    <script src="/api/sync/client.js"
            ${attributes}>
    </script>
</head>
<body>
    <!-- Your normal HTMX code -->
    <div id="users"
         hx-get="/api/users"
         hx-trigger="load, rhtmx:users:changed from:body">
        <!-- User list -->
    </div>
</body>
</html>`
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost')
  const send = (type, body) =>
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
  switch (url.pathname) {
    case '/':
      return send('text/html; charset=utf-8', quickStart(url.searchParams))
    case '/favicon.ico':
      return send('image/x-icon', '')
    case '/htmx.js': {
      const name = url.searchParams.get('package')
      if (!/^htmx\d$/.test(name)) return response.writeHead(404).end()
      const script = path.join(import.meta.dirname, '../../../node_modules', name, 'dist/htmx.min.js')
      return send('text/javascript', readFileSync(script))
    }
    case '/api/users':
      fetched += 1
      return send(
        'text/html',
        users
          .all()
          .map(({ id, name }) => `<p data-id="${String(id)}">${String(name)}</p>`)
          .join(''),
      )
    case '/fetched':
      return send('application/json', String(fetched))
    default:
      return routes(request, response, () => response.writeHead(404).end())
  }
})
engine.attach(server)
server.listen(Number(port), '127.0.0.1', () => console.log(`port ${server.address().port}`))
process.on('SIGTERM', () => {
  server.close()
  void engine.close().then(() => process.exit(0))
})
