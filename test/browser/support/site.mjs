// A small site of a user of ours, as a process of its own: `node site.mjs <database> [port]`. Prints its port.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { defineEntity, SyncEngine } from 'syncline'

const [file, port = '0'] = process.argv.slice(2)
const db = new DatabaseSync(file)
db.exec(`
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''), email TEXT);
  CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY, title TEXT);
  CREATE TABLE IF NOT EXISTS fixed (id INTEGER PRIMARY KEY, name TEXT);
  CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT, email TEXT, notes TEXT, motto TEXT);
  CREATE TABLE IF NOT EXISTS things (
    id INTEGER PRIMARY KEY, label TEXT NOT NULL CHECK (label <> ''), amount INTEGER, price REAL,
    done BOOLEAN NOT NULL DEFAULT 0, color TEXT, via TEXT
  );
`)
const fixed = defineEntity({ name: 'fixed', strategy: 'server-wins' })
const people = defineEntity({
  name: 'people',
  fields: { notes: { strategy: 'keep-both' }, motto: { strategy: 'server-wins' } },
})
const engine = await SyncEngine.create({
  db,
  entities: ['users', 'posts', fixed, 'things', people],
  fieldSync: { entities: ['people'] },
  access: 'public',
  ...(process.env.ORIGINS && { origins: process.env.ORIGINS === '*' ? '*' : process.env.ORIGINS.split(' ') }),
})
const routes = engine.routes()
const users = db.prepare('SELECT * FROM users ORDER BY id')
let fetched = 0
/** Requests to the application's own forms. */
const forms = []
/** WebSockets: how many there are, how many there were, and where. */
const sockets = { open: 0, opened: 0, paths: [] }
/** Requests to the sync routes, scripts aside. */
let synced = 0

/**
 * The page of the documents' quick start, with another htmx and other attributes where a test wants them, and with a
 * script before all others. A browser that asks for another script by a header gets it under the name of the first.
 */
function quickStart(query, asked) {
  const script = query.get('script') ?? asked ?? 'client'
  const attributes = query.get('attributes') ?? 'data-sync-entities="users"\n            data-debug="true"'
  return `<!DOCTYPE html>
<html>
<head>${query.has('before') ? `<script>${query.get('before')}</script>` : ''}
    <script src="/htmx.js?package=${query.get('htmx') ?? 'htmx2'}"></script>
    <!-- Add rhtmx-sync script -->
    <script src="/api/sync/${script}.js"
            ${attributes}>
    </script>
${script === asked ? '<script>window.rhtmxSync = window.RHTMXFieldSync</script>' : ''}
</head>
<body>
    ${query.get('body') ?? list}
</body>
</html>`
}

const list = `<!-- Your normal HTMX code -->
    <div id="users"
         hx-get="/api/users"
         hx-trigger="load, rhtmx:users:changed from:body">
        <!-- User list -->
    </div>`

/** `bind`: with the attribute that follows the page's own copy. */
const userHtml = ({ id, name }, bind) =>
  `<p data-id="${String(id)}"${bind ? ` data-rhtmx-bind="users:${String(id)}:name"` : ''}>${escape(name)}</p>`

const escape = text => String(text).replace(/[&<>"]/g, char => `&#${char.charCodeAt(0)};`)

async function form(request, send) {
  let body = ''
  for await (const chunk of request) body += chunk
  forms.push(`${request.method} ${new URLSearchParams(body).get('label') ?? ''}`)
  send('text/html', '<b>stored by the server</b>')
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost')
  const send = (type, body) =>
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
  switch (url.pathname) {
    case '/':
      return send('text/html; charset=utf-8', quickStart(url.searchParams, request.headers['x-script']))
    case '/favicon.ico':
      return send('image/x-icon', '')
    case '/htmx.js': {
      const name = url.searchParams.get('package')
      if (!/^htmx\d$/.test(name)) return response.writeHead(404).end()
      const script = path.join(import.meta.dirname, '../../../node_modules', name, 'dist/htmx.min.js')
      return send('text/javascript', readFileSync(script))
    }
    case '/api/users': {
      fetched += 1
      // an endpoint that writes to what it shows
      if (url.searchParams.has('write')) db.exec("UPDATE users SET email = 'seen ' || random()")
      const html = users.all().map(user => userHtml(user, url.searchParams.has('bind')))
      await setTimeout(Number(url.searchParams.get('delay') ?? 0))
      return send('text/html', html.join(''))
    }
    case '/fetched':
      return send('application/json', String(fetched))
    case '/form':
      return form(request, send)
    case '/forms':
      return send('application/json', JSON.stringify(forms))
    case '/sockets':
      return send('application/json', JSON.stringify({ ...sockets, requests: synced }))
    case '/blank':
      return send('text/html', '<!doctype html><title>blank</title>')
    default:
      if (!url.pathname.endsWith('.js')) synced += 1
      return routes(request, response, () => response.writeHead(404).end())
  }
}

// a file with a key and its certificate
const { TLS } = process.env
const pem = TLS === undefined ? null : readFileSync(TLS)
const listener = (request, response) => void answer(request, response)
const server = pem === null ? createServer(listener) : createSecureServer({ key: pem, cert: pem }, listener)
engine.attach(server)
server.on('upgrade', (request, socket) => {
  sockets.open += 1
  sockets.opened += 1
  sockets.paths.push(request.url)
  socket.on('close', () => (sockets.open -= 1))
})
server.listen(Number(port), '127.0.0.1', () => console.log(`port ${server.address().port}`))
process.on('SIGTERM', () => {
  server.close()
  void engine.close().then(() => process.exit(0))
})
