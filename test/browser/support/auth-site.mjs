// A site with sign-in, by Better Auth over its own tables in the same file: `node auth-site.mjs <database> [port]`.
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { SyncEngine } from 'syncline'
import { betterAuth as fromBetterAuth, syncline } from 'syncline/better-auth'

const [file, port = '0'] = process.argv.slice(2)
const db = new DatabaseSync(file)
db.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS todos (id INTEGER PRIMARY KEY, title TEXT)')
const auth = betterAuth({
  database: db,
  secret: 'a secret of a test, which guards nothing: 7f3c9e1b5d2a8046',
  baseURL: { allowedHosts: ['localhost:*'] },
  logger: { disabled: true },
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  session: { cookieCache: { enabled: true, maxAge: 300 } },
  plugins: [syncline()],
})
await (await getMigrations(auth.options)).runMigrations()
const engine = await SyncEngine.create({ db, entities: ['todos'], ...fromBetterAuth(auth) })
const sync = engine.routes()
const signIn = toNodeHandler(auth)
/** Requests to the sync routes, scripts aside, and upgrades. */
const counts = { requests: 0, sockets: 0 }

/** `?rendered`: the page says whose it is, as a page that is rendered for a user does. */
async function page(request, url) {
  const { cookie = '', host } = request.headers
  const found = await auth.api.getSession({ headers: new Headers({ cookie, host }) })
  const user = url.searchParams.has('rendered') ? ` data-sync-user="${found?.user.id ?? ''}"` : ''
  return `<!doctype html><title>todos</title>
<script src="/api/sync/client.js" data-sync-entities="todos"${user}></script>
<body><ul id="todos"></ul><script>
  const show = () => {
    todos.textContent = rhtmxSync.getAll('todos').map(todo => todo.title).join()
  }
  addEventListener('rhtmx:todos:changed', show)
  addEventListener('rhtmx:sync:ready', show)
</script></body>`
}

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost')
  if (url.pathname.startsWith('/api/auth/')) return signIn(request, response)
  if (url.pathname === '/')
    return response.setHeader('content-type', 'text/html').end(await page(request, url))
  if (url.pathname === '/counts') return response.end(JSON.stringify(counts))
  if (url.pathname === '/blank')
    return response.setHeader('content-type', 'text/html').end('<title>blank</title>')
  if (/^\/api\/sync\/.*(?<!\.js)$/.test(url.pathname)) counts.requests += 1
  return sync(request, response, () => response.writeHead(404).end())
}

const server = createServer((request, response) => void answer(request, response))
engine.attach(server)
server.on('upgrade', () => void (counts.sockets += 1))
server.listen(Number(port), '127.0.0.1', () => console.log(`port ${server.address().port}`))
process.on('SIGTERM', () => {
  server.close()
  void engine.close().then(() => process.exit(0))
})
