// What the page does. It knows no rules: it shows what reached this browser, and writes what it is asked to; what may
// not be, the server refuses.
import { goOn, holdFocus } from '../../todo_sync/public/focus.js'
import { summary, text } from '../../todo_sync/public/panel.js'
import { person } from './people.mjs'
import { escape, rowsHtml } from './view.mjs'

const sync = window.rhtmxSync
const find = selector => document.querySelector(selector)
const rows = find('#rows')
const user = person(document.body.dataset.user)

// ----- rows: the server's, or this device's own while something waits here (docs/guides/htmx.md, "Lists offline")

const ownView = () => !sync.isOnline || sync.pending().length > 0

function paint() {
  if (isBusy()) return
  const waiting = new Set(sync.pending().flatMap(({ writes }) => writes.map(({ id }) => id)))
  const restoreFocus = holdFocus(rows)
  rows.innerHTML = rowsHtml(sync.getAll('notes'), user, waiting)
  restoreFocus()
}

rows.addEventListener('htmx:beforeRequest', event => {
  if (!ownView()) return
  event.preventDefault()
  paint()
})
let restore = () => {}
rows.addEventListener('htmx:beforeSwap', event => {
  if (ownView() || isBusy()) event.detail.shouldSwap = false
  else restore = holdFocus(rows)
})
rows.addEventListener('htmx:afterSwap', () => restore())

// ----- new rows would take away a remark that is being typed, and a click that is under way: they wait for both

let pressed = false
let missed = false

function isBusy() {
  const { dataset, value, defaultValue } = document.activeElement
  const busy = pressed || (dataset.act === 'remark' && value !== defaultValue)
  missed ||= busy
  return busy
}

function catchUp() {
  if (!missed || isBusy()) return
  missed = false
  window.htmx.trigger(rows, 'refresh')
}

// (a list that opens may keep the end of its press to itself)
rows.addEventListener('pointerdown', ({ target }) => (pressed = target.dataset.act !== 'owner'))
for (const type of ['pointerup', 'pointercancel'])
  window.addEventListener(type, () => {
    pressed = false
    // the click comes first
    setTimeout(catchUp)
  })
rows.addEventListener('focusout', () => setTimeout(catchUp))

// ----- edits

/** A refusal shows among those that could not be saved; there is nothing else to do about it here. */
const push = (id, action, data) => void sync.pushChange('notes', id, action, data).catch(() => {})

rows.addEventListener('change', ({ target }) => {
  const { id } = target.closest('.note').dataset
  const value = target.type === 'checkbox' ? Number(target.checked) : target.value
  // what is written is not being typed any more
  if (target.dataset.act === 'remark') target.defaultValue = value
  push(id, 'update', { [target.dataset.act]: value })
})
rows.addEventListener('click', ({ target }) => {
  if (target.closest('[data-act=delete]')) push(target.closest('.note').dataset.id, 'delete')
})

// ----- what the server refused

const letters = find('#letters')

function showLetters() {
  const all = sync.deadLetters()
  letters.hidden = all.length === 0
  const list = letters.querySelector('ul')
  const html = all.map(letterHtml).join('')
  // only what differs is written: an alert speaks on every change
  if (list.dataset.shown === html) return
  list.dataset.shown = html
  list.innerHTML = html
}

function letterHtml({ n, writes: [{ id, action, data = {} }], error }) {
  const note = data.text ?? sync.get('notes', id)?.text
  const verb = { create: 'Add', update: 'Change', delete: 'Delete' }[action]
  return `<li data-n="${Number(n)}">
  <p><strong>${verb} ${note === undefined ? 'a note' : `“<bdi>${escape(note)}</bdi>”`}</strong><span>${escape(error.message)}</span><code>${escape(error.code)}</code></p>
  <p class="buttons"><button type="button" class="plain" data-act="retry">Retry</button><button type="button" class="plain" data-act="discard">Discard</button></p>
</li>`
}

letters.addEventListener('click', ({ target }) => {
  const { act } = target.dataset
  if (act === undefined) return
  const n = Number(target.closest('[data-n]').dataset.n)
  if (act === 'retry') sync.retry(n)
  if (act === 'discard') sync.discard(n)
  showLetters()
  goOn(letters)
})

// ----- what is on this device

/** Who is signed in; while there is no connection, that comes first. */
const who = find('#summary').textContent

function show() {
  const { state, online, pending } = sync.status()
  const copy = sync.getAll('notes')
  find('#pill').dataset.state = state
  find('#summary').dataset.mood = online ? 'good' : 'away'
  text('#word', state)
  text('#summary', online ? who : summary({ online, state, pending, failed: 0 }))
  text('#count', String(copy.length))
  text('#columns', Object.keys(copy[0] ?? {}).join(', ') || '–')
  find('#empty').hidden = copy.length > 0
  showLetters()
}

for (const type of ['connection:state', 'sync:ready', 'notes:changed', 'mutation:rejected'])
  document.body.addEventListener(`rhtmx:${type}`, show)
sync.client.subscribe('notes', () => {
  show()
  if (ownView()) paint()
})
sync.client.on('changed', () => queueMicrotask(show))
show()

// signed out in another window, or by the server: the page that asks who is there
document.body.addEventListener('rhtmx:auth:required', () => location.reload())
