// The application: one page, one form over `node:http`, and the sync routes beside it.
import { SyncEngine } from 'syncline'
import { application, files, html, readForm, redirect, send } from '../todo_sync/web.mjs'
import { openDatabase } from './database.mjs'
import { page } from './page.mjs'
import { fields, isPerson, plan } from './public/fields.mjs'

const served = files({
  'shared-form': ['fields.mjs', 'form.css', 'form.js', 'show.js'],
  todo_sync: ['icon.svg', 'install.js', 'offline.js', 'panel.js', 'style.css', 'sw.js', 'view.mjs'],
})
// a worker keeps what is below its own place
served.set('/sw.js', served.get('/files/todo_sync/public/sw.js'))

/** Who asks. A name in a cookie is no sign-in: docs/guides/authentication.md shows real ones. */
function personIn(cookies) {
  const person = /(?:^|; )person=(\w+)/.exec(cookies ?? '')?.[1]
  return isPerson(person) ? { id: person } : null
}

/** @param {{ base?: string, dataDir: string }} options `base`: the path under which all of it lives */
export async function openApp({ base = '', dataDir }) {
  const { db, file } = openDatabase(dataDir)

  // ----- this is all there is to say about sync
  const engine = await SyncEngine.create({
    db,
    entities: ['plans'],
    fieldSync: 'keep-both',
    path: `${base}/api/sync`,
    authenticate: request => personIn(request.headers.get('cookie')),
  })
  const sync = engine.routes()
  const script = await sync.script('field-client')
  // -----

  const read = db.prepare('SELECT * FROM plans WHERE id = ?')
  const write = db.prepare(
    `UPDATE plans SET ${fields.map(({ name }) => `${name} = ?`).join(', ')} WHERE id = ?`,
  )

  /** Where there is no script. Otherwise each field goes its own way, see public/form.js. */
  async function save(request, response) {
    const form = await readForm(request)
    write.run(...fields.map(({ name }) => form.get(name) ?? ''), plan)
    redirect(response, `${base}/`, 303)
  }

  const be = (response, person) =>
    redirect(response, `${base}/`, 303, {
      'set-cookie': `person=${person}; Path=${base}/; HttpOnly; SameSite=Strict; Max-Age=31536000`,
    })

  function answer(request, response) {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (base !== '' && pathname === base) return redirect(response, `${base}/`)
    if (!pathname.startsWith(`${base}/`)) return false
    const user = personIn(request.headers.cookie)
    const { host = '' } = request.headers
    switch (`${request.method === 'HEAD' ? 'GET' : request.method} ${pathname.slice(base.length)}`) {
      case 'GET /': {
        const asked = searchParams.get('as')
        if (isPerson(asked)) return be(response, asked)
        // two names of one machine are two browsers: the first is Ada's
        if (user === null) return be(response, host.startsWith('127.') ? 'ben' : 'ada')
        return html(response, page({ row: read.get(plan), user, file, script, base, host }))
      }
      case 'POST /save':
        save(request, response).catch(() => html(response, 'That cannot be saved.', 422))
        return true
    }
    return send(response, served.get(pathname.slice(base.length)))
  }

  return application({ engine, db, file, answer })
}
