// What the page does: each field is written when it is left, by itself. The fields follow the copy on this device
// (`data-rhtmx-bind`), and what is typed is never written over; what two people wrote without knowing of each other is
// asked about, beside the field.
import { fields, plan } from './fields.mjs'
import { showField, showPanel } from './show.js'

const sync = window.RHTMXFieldSync
const form = document.querySelector('#plan')
const place = name => form.querySelector(`[data-field="${name}"]`)

/** What stands in a field to be settled, newest first. */
const openAt = name =>
  sync.conflicts
    .list()
    .filter(({ entity, rowId, field }) => entity === 'plans' && rowId === String(plan) && field === name)

function valueOf({ type, value }) {
  if (type !== 'number') return value.trim()
  return value === '' ? null : Number(value)
}

// ----- writing

form.addEventListener('change', ({ target }) => {
  const { name } = target
  const value = valueOf(target)
  const [newest, ...older] = openAt(name)
  // as it is written: what stands in a field that differs counts as typed, and is left alone
  target.value = value ?? ''
  // who goes on typing knows of it
  typing = { name, held: value }
  if (newest === undefined) return void sync.recordFieldChange('plans', plan, name, value).catch(later)
  // somebody who writes something else has decided
  for (const conflict of older) conflict.keepTheirs()
  newest.resolve(value).confirmed.catch(later)
})
form.addEventListener('submit', event => event.preventDefault())

/** What the server refuses is among what is to be settled. */
const later = () => {}

// ----- deciding

const choices = {
  mine: conflict => conflict.keepMine(),
  theirs: conflict => conflict.keepTheirs(),
}

// who was typing goes on typing, and has written nothing yet
form.addEventListener(
  'mousedown',
  event => event.target.closest('button[data-act]') && event.preventDefault(),
)
form.addEventListener('click', ({ target, detail }) => {
  const button = target.closest('button[data-act]')
  if (button === null) return
  const { field: name } = button.closest('[data-field]').dataset
  const id = button.closest('[data-conflict]')?.dataset.conflict
  const conflict = openAt(name).find(one => one.id === id)
  if (conflict !== undefined) choices[button.dataset.act](conflict).confirmed.catch(later)
  if (button.dataset.act === 'take') {
    const value = sync.getField('plans', plan, name)
    form.elements[name].value = value ?? ''
    typing = { name, held: value }
  }
  show()
  // by keyboard: the button is gone
  if (detail === 0) form.elements[name].focus()
})

// ----- what somebody else writes into the field that is being typed in

/** The field, and what it held when this person came to it. */
let typing = null
form.addEventListener('focusin', ({ target }) => {
  if (target.name) typing = { name: target.name, held: sync.getField('plans', plan, target.name) }
})
form.addEventListener('focusout', () => {
  typing = null
  show()
})

// ----- showing

function show() {
  const waiting = new Set(
    sync.pending().flatMap(({ writes }) => writes.flatMap(({ data }) => Object.keys(data ?? {}))),
  )
  for (const { name } of fields) {
    const value = sync.getField('plans', plan, name)
    const meanwhile = typing?.name === name && typing.held !== undefined && typing.held !== value
    showField(place(name), { value, waits: waiting.has(name), conflicts: openAt(name), meanwhile })
  }
  showPanel(sync)
}

/** A soft light on what comes in, and on what is asked. */
function glow(name) {
  const element = place(name)
  element?.classList.remove('glows')
  requestAnimationFrame(() => element?.classList.add('glows'))
}

let held
window.addEventListener('rhtmx:sync:ready', () => (held = sync.get('plans', plan)))
window.addEventListener('rhtmx:plans:changed', ({ detail }) => {
  const row = sync.get('plans', plan)
  if (held !== undefined && detail.source !== 'local')
    for (const { name } of fields)
      if (row?.[name] !== held[name] && document.activeElement?.name !== name) glow(name)
  held = row
})
window.addEventListener('rhtmx:field:conflict', ({ detail }) => glow(detail.field))

for (const event of ['state', 'changed', 'storage']) sync.client.on(event, () => queueMicrotask(show))
sync.conflicts.subscribe(() => queueMicrotask(show))
// that what waited has been sent changes nothing that is seen
setInterval(() => document.visibilityState === 'visible' && show(), 1000)
void sync.ready.then(show)
show()

const offline = document.querySelector('#offline')
offline.checked = window.offlineSwitch.on
offline.addEventListener('change', () => (window.offlineSwitch.on = offline.checked))
