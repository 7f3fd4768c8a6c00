// The application: a handful of routes over `node:http`, and the sync routes beside them.
import { readdirSync } from 'node:fs'
import { SyncEngine } from 'syncline'
import { openDatabase } from './database.mjs'
import { page } from './page.mjs'
import { rowsHtml } from './public/view.mjs'
import { application, asset, html, readForm, redirect, send } from './web.mjs'

const files = readdirSync(new URL('public/', import.meta.url))
const htmx = new URL(import.meta.resolve('htmx.org/dist/htmx.min.js'))

/** @param {{ base?: string, dataDir: string }} options `base`: the path under which all of it lives */
export async function openApp({ base = '', dataDir }) {
  const { db, file } = openDatabase(dataDir)

  // ----- this is all there is to say about sync
  const engine = await SyncEngine.create({
    db,
    entities: ['todos'],
    path: `${base}/api/sync`,
    access: 'public',
  })
  const sync = engine.routes()
  const script = await sync.script()
  // -----

  const all = db.prepare('SELECT * FROM todos')
  const add = db.prepare('INSERT INTO todos (title, list) VALUES (?, ?)')
  const clearDone = db.prepare('DELETE FROM todos WHERE done = 1')
  const served = new Map([
    ...files.map(name => [`/${name}`, asset(new URL(`public/${name}`, import.meta.url))]),
    ['/htmx.js', asset(htmx)],
  ])

  function answer(request, response) {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (base !== '' && pathname === base) return redirect(response, `${base}/`)
    if (!pathname.startsWith(`${base}/`)) return false
    const route = `${request.method === 'HEAD' ? 'GET' : request.method} ${pathname.slice(base.length)}`
    switch (route) {
      case 'GET /':
        return html(response, page({ file, script }))
      case 'GET /rows':
        return html(response, rowsHtml(all.all()))
      case 'POST /add':
        // Where there is no script, or it has not run yet. Otherwise the form is a queued write, see page.mjs.
        void readForm(request)
          .then(form => add.run(form.get('title'), form.get('list')))
          .then(
            () => response.writeHead(303, { location: `${base}/` }).end(),
            () => response.writeHead(422, { 'content-type': 'text/plain' }).end('That cannot be saved.\n'),
          )
        return true
      case 'POST /clear-done':
        // An ordinary form and ordinary SQL: every window follows, because the table is watched, not the route.
        clearDone.run()
        return html(response, '')
    }
    return send(response, served.get(pathname.slice(base.length)))
  }

  return application({ engine, db, file, answer })
}
