// What the page does. Edits go to `rhtmxSync.pushChange`: shown at once, kept on this device, sent when there is a way.
// Rows come from the server, by htmx; while something waits here, from the copy in this browser, by the same template.
import { goOn, holdFocus } from './focus.js'
import './notices.js'
import { showLetters, showPanel } from './panel.js'
import { rowsHtml } from './view.mjs'

const sync = window.rhtmxSync
const find = selector => document.querySelector(selector)
const rows = find('#rows')
const dialog = find('#edit')
const form = dialog.querySelector('form')

// ----- rows

/** The server's rows would hide what it has not got yet. */
const ownView = () => !sync.isOnline || sync.pending().length > 0

function paint() {
  const waiting = new Set(sync.pending().flatMap(({ writes }) => writes.map(({ id }) => id)))
  const restoreFocus = holdFocus(rows)
  rows.innerHTML = rowsHtml(sync.getAll('todos'), waiting)
  arrange()
  restoreFocus()
}

/** The filter, the counts and the empty state, after rows came from wherever. */
function arrange() {
  const filter = find('input[name=filter]:checked').value
  const counts = new Map()
  for (const row of rows.children) {
    const { list } = row.dataset
    row.hidden = filter !== '' && list !== filter
    if (row.classList.contains('done')) continue
    counts.set(list, (counts.get(list) ?? 0) + 1)
    counts.set('', (counts.get('') ?? 0) + 1)
  }
  for (const count of document.querySelectorAll('[data-count]')) {
    count.textContent = counts.get(count.dataset.count) ?? ''
  }
  find('#empty').hidden = [...rows.children].some(row => !row.hidden)
  find('#clear').hidden = rows.querySelector('.done') === null || !sync.isOnline
}

rows.addEventListener('htmx:beforeRequest', event => {
  if (!ownView()) return
  event.preventDefault()
  paint()
})
let restore = () => {}
rows.addEventListener('htmx:beforeSwap', event => {
  if (ownView()) event.detail.shouldSwap = false
  else restore = holdFocus(rows)
})
rows.addEventListener('htmx:afterSwap', () => {
  arrange()
  restore()
})
// also when the copy on this device has been opened, before there is any event
sync.client.subscribe('todos', () => ownView() && paint())
document.body.addEventListener('rhtmx:connection:state', () => (ownView() ? paint() : arrange()))
for (const chip of document.querySelectorAll('input[name=filter]')) chip.addEventListener('change', arrange)

/** A soft light on what came in, but not on what was here from the start. */
let glowing = new Set()
let ready = false
void sync.ready.then(() => (ready = true))
document.body.addEventListener('rhtmx:todos:changed', ({ detail }) => {
  if (detail.source === 'server' && ready) glowing = new Set(detail.ids)
})
rows.addEventListener('htmx:afterSettle', () => {
  for (const id of glowing) document.getElementById(`todo-${id}`)?.classList.add('glows')
  glowing.clear()
})

// ----- edits

/** A refusal shows among those that could not be saved; there is nothing else to do about it here. */
function push(id, action, data) {
  sync.pushChange('todos', id, action, data).catch(() => {})
}

// The form says itself what becomes of it (page.mjs): a queued write. The list stays chosen for the next one.
const adding = find('#add').elements
find('#add').addEventListener('formdata', ({ formData }) =>
  formData.set('created_at', new Date().toISOString()),
)
document.body.addEventListener('rhtmx:form:queued', event => {
  event.preventDefault()
  adding.title.value = ''
  adding.title.focus()
})

rows.addEventListener('change', event => {
  const row = event.target.closest('.todo')
  if (event.target.dataset.act === 'toggle')
    push(row.dataset.id, 'update', { done: event.target.checked ? 1 : 0 })
})

rows.addEventListener('click', event => {
  const act = event.target.closest('[data-act]')?.dataset.act
  const id = event.target.closest('.todo')?.dataset.id
  if (act === 'delete') push(id, 'delete')
  if (act === 'edit') openEdit(sync.get('todos', id), values => push(id, 'update', values))
})

/** Only what was changed in the form is written: somebody else may have changed the rest meanwhile. */
function openEdit(todo, save) {
  if (todo === undefined) return
  for (const name of ['title', 'list', 'notes']) form.elements[name].value = todo[name] ?? ''
  dialog.returnValue = ''
  dialog.onclose = () => {
    if (dialog.returnValue !== 'save') return
    const values = Object.fromEntries(new FormData(form))
    const changed = Object.entries(values).filter(([name, value]) => value.trim() !== (todo[name] ?? ''))
    save(Object.fromEntries(changed.map(([name, value]) => [name, value.trim()])))
  }
  dialog.showModal()
}
dialog.querySelector('[data-act=cancel]').addEventListener('click', () => dialog.close())

// ----- edits that the server refused

find('#letters').addEventListener('click', event => {
  const act = event.target.closest('[data-act]')?.dataset.act
  const n = Number(event.target.closest('[data-n]')?.dataset.n)
  const letter = sync.deadLetters().find(letter => letter.n === n)
  if (act === undefined || letter === undefined) return
  if (act === 'retry') sync.retry(n)
  if (act === 'discard') sync.discard(n)
  if (act === 'change') return change(letter)
  show()
  goOn(find('#letters'))
})

/** What was refused, once more, with other words. */
function change({ n, writes: [{ id, action, data }] }) {
  const known = action === 'create' ? {} : sync.get('todos', id)
  if (known === undefined) return
  openEdit({ ...known, ...data }, values => {
    sync.discard(n)
    push(action === 'create' ? null : id, action, { ...data, ...values })
    show()
    goOn(find('#letters'))
  })
}

// ----- the connection

const offline = find('#offline')
offline.checked = window.offlineSwitch.on
offline.addEventListener('change', () => (window.offlineSwitch.on = offline.checked))

// where the page is wide, the panel is always there, and the pill only tells
const pill = find('#pill')
const wide = window.matchMedia('(width >= 56rem)')
wide.addEventListener('change', () => (pill.disabled = wide.matches))
pill.disabled = wide.matches
pill.addEventListener('click', () => {
  const open = find('#panel').classList.toggle('open')
  pill.setAttribute('aria-expanded', String(open))
})

let last = null
const show = event => {
  if (event !== undefined) last = event
  showPanel(sync, last)
  showLetters(sync)
}
for (const type of ['connection:state', 'sync:ready', 'todos:changed', 'mutation:rejected']) {
  document.body.addEventListener(`rhtmx:${type}`, show)
}
for (const event of ['state', 'changed', 'storage']) sync.client.on(event, () => queueMicrotask(() => show()))
setInterval(() => document.visibilityState === 'visible' && showPanel(sync, last), 1000)
show()
