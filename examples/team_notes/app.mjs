// The application: pages and rows over `node:http`, each for whoever is signed in, and the sync routes beside them.
import { readdirSync, readFileSync } from 'node:fs'
import { SyncEngine } from 'syncline'
import { application, asset, files, html, readForm, redirect, send } from '../todo_sync/web.mjs'
import { openDatabase } from './database.mjs'
import { notesPage, signInPage } from './page.mjs'
import { person } from './public/people.mjs'
import { rowsHtml } from './public/view.mjs'
import { columnsOf, notes } from './rules.mjs'
import { openSessions } from './sessions.mjs'

const served = files({
  team_notes: readdirSync(new URL('public/', import.meta.url)),
  todo_sync: ['focus.js', 'icon.svg', 'panel.js', 'style.css', 'view.mjs'],
})
served.set('/files/htmx.js', asset(new URL(import.meta.resolve('htmx.org/dist/htmx.min.js'))))
/** What the pages show of the rules: the rules. */
export const [rules] = /export const notes[^]*/.exec(
  readFileSync(new URL('rules.mjs', import.meta.url), 'utf8'),
)

/** @param {{ base?: string, dataDir: string }} options `base`: the path under which all of it lives */
export async function openApp({ base = '', dataDir }) {
  const { db, file } = openDatabase(dataDir)
  const sessions = openSessions(db)

  // ----- this is all there is to say about sync
  const engine = await SyncEngine.create({
    db,
    entities: [notes],
    path: `${base}/api/sync`,
    authenticate: request => sessions.find(request.headers.get('cookie')),
  })
  const sync = engine.routes()
  const script = await sync.script()
  // -----

  /** The page's own SQL shows what the rules show: the same columns, the same rows. */
  function rowsFor(user) {
    const columns = columnsOf(user).join(', ')
    return db
      .prepare(`SELECT id, ${columns} FROM notes WHERE ? OR team = ?`)
      .all(Number(user.manager), user.team)
  }

  async function signIn(request, response) {
    const known = person((await readForm(request)).get('person'))
    if (known === undefined) return html(response, signInPage(), 422)
    redirect(response, `${base}/`, 303, { 'set-cookie': sessions.begin(known.id, `${base}/`) })
  }

  function signOut(response, user) {
    if (user !== null) {
      sessions.end(user.session)
      // the other windows of this sign-in stop at once, not with the next check
      engine.signOut({ session: user.session })
    }
    return redirect(response, `${base}/`, 303)
  }

  function answer(request, response) {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (base !== '' && pathname === base) return redirect(response, `${base}/`)
    if (!pathname.startsWith(`${base}/`)) return false
    const user = sessions.find(request.headers.cookie)
    switch (`${request.method === 'HEAD' ? 'GET' : request.method} ${pathname.slice(base.length)}`) {
      case 'GET /': {
        if (user === null) return html(response, signInPage())
        return html(
          response,
          notesPage({ user, file, script, rules, base, host: request.headers.host ?? '' }),
        )
      }
      case 'GET /rows':
        return user === null ? html(response, '', 401) : html(response, rowsHtml(rowsFor(user), user))
      case 'POST /sign-in':
        signIn(request, response).catch(() => response.writeHead(400).end())
        return true
      case 'POST /sign-out':
        return signOut(response, user)
    }
    return send(response, served.get(pathname.slice(base.length)))
  }

  return application({ engine, db, file, answer })
}
