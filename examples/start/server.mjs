// `npm start`: the examples under one address, the first of them twice, side by side.
// PORT (default 3000), HOST (127.0.0.1), DATA_DIR (.data beside each example).
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { openApp as openNotes, rules } from '../team_notes/app.mjs'
import { openApp as openForm } from '../shared-form/app.mjs'
import { openApp as openTodos } from '../todo_sync/app.mjs'
import { listen } from '../todo_sync/listen.mjs'
import { startPage } from './page.mjs'

const dataDir = name => process.env.DATA_DIR ?? path.resolve(import.meta.dirname, '..', name, '.data')
const todos = await openTodos({ base: '/todo_sync', dataDir: dataDir('todo_sync') })
const notes = await openNotes({ base: '/team_notes', dataDir: dataDir('team_notes') })
const form = await openForm({ base: '/shared-form', dataDir: dataDir('shared-form') })
const style = readFileSync(new URL('style.css', import.meta.url))

const start = {
  handle(request, response) {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/style.css') {
      response.writeHead(200, { 'content-type': 'text/css; charset=utf-8' }).end(style)
    } else if (pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      response.end(startPage(request.headers.host ?? 'localhost', todos.file, rules))
    } else {
      return false
    }
    return true
  },
  attach() {},
  async close() {},
}

await listen({ name: 'Syncline examples', apps: [todos, notes, form, start] })
