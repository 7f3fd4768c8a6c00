// What the page does. It knows no rules: it shows what reached this browser, and writes what it is asked to; what may
// not be, the server refuses.
import { escape, rowsHtml } from './view.mjs'
import { person } from './people.mjs'

const sync = window.rhtmxSync
const find = selector => document.querySelector(selector)
const rows = find('#rows')
const user = person(document.body.dataset.user)

// ----- rows: the server's, or this device's own while something waits here (docs/guides/htmx.md, "Lists offline")

const ownView = () => !sync.isOnline || sync.pending().length > 0

function paint() {
  const waiting = new Set(sync.pending().flatMap(({ writes }) => writes.map(({ id }) => id)))
  const focused = document.activeElement?.id
  rows.innerHTML = rowsHtml(sync.getAll('notes'), user, waiting)
  if (focused) document.getElementById(focused)?.focus()
}

rows.addEventListener('htmx:beforeRequest', event => {
  if (!ownView()) return
  event.preventDefault()
  paint()
})
rows.addEventListener('htmx:beforeSwap', event => {
  if (ownView()) event.detail.shouldSwap = false
})
sync.client.subscribe('notes', () => ownView() && paint())

// ----- edits

/** A refusal shows among those that could not be saved; there is nothing else to do about it here. */
const push = (id, action, data) => void sync.pushChange('notes', id, action, data).catch(() => {})

rows.addEventListener('change', ({ target }) => {
  const { id } = target.closest('.note').dataset
  const value = target.type === 'checkbox' ? Number(target.checked) : target.value
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
  letters.querySelector('ul').innerHTML = all.map(letterHtml).join('')
}

function letterHtml({ n, writes: [{ id, action, data = {} }], error }) {
  const text = data.text ?? sync.get('notes', id)?.text
  const verb = { create: 'Add', update: 'Change', delete: 'Delete' }[action]
  return `<li data-n="${Number(n)}">
  <p><strong>${verb} ${text === undefined ? 'a note' : `“${escape(text)}”`}</strong><span>${escape(error.message)}</span><code>${escape(error.code)}</code></p>
  <p class="buttons"><button type="button" class="plain" data-act="retry">Retry</button><button type="button" class="plain" data-act="discard">Discard</button></p>
</li>`
}

letters.addEventListener('click', ({ target }) => {
  const n = Number(target.closest('[data-n]')?.dataset.n)
  if (target.dataset.act === 'retry') sync.retry(n)
  if (target.dataset.act === 'discard') sync.discard(n)
  showLetters()
})

// ----- what is on this device

function text(selector, value) {
  const element = find(selector)
  if (element.textContent !== value) element.textContent = value
}

function show() {
  const { state } = sync.status()
  const copy = sync.getAll('notes')
  find('#pill').dataset.state = state
  text('#pill span', state)
  text('#count', String(copy.length))
  text('#columns', Object.keys(copy[0] ?? {}).join(', ') || '–')
  find('#empty').hidden = copy.length > 0
  showLetters()
}

for (const type of ['connection:state', 'sync:ready', 'notes:changed', 'mutation:rejected'])
  document.body.addEventListener(`rhtmx:${type}`, show)
sync.client.subscribe('notes', show)
sync.client.on('changed', () => queueMicrotask(show))
show()

// signed out in another window, or by the server: the page that asks who is there
document.body.addEventListener('rhtmx:auth:required', () => location.reload())
