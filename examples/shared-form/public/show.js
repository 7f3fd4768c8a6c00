// What is said beside a field, and about the connection.
import { count, storages, summary, text } from '../../todo_sync/public/panel.js'
import { escape } from '../../todo_sync/public/view.mjs'
import { fields, nameOf } from './fields.mjs'

const me = document.body.dataset.user

/** @param {{ value: unknown, waits: boolean, conflicts: object[], meanwhile: boolean }} field `value`: what stands */
export function showField(element, { value, waits, conflicts, meanwhile }) {
  element.querySelector('.waiting').hidden = !waits
  element.classList.toggle('asks', conflicts.length > 0)
  const html = [
    meanwhile ? meanwhileHtml(value) : '',
    ...conflicts.map(conflict =>
      conflict.outcome === 'rejected' ? refusedHtml(conflict) : conflictHtml(conflict, value),
    ),
  ].join('')
  // only what differs is written: a live region speaks on every change
  const more = element.querySelector('.more')
  if (more.dataset.shown === html) return
  more.dataset.shown = html
  more.innerHTML = html
}

const labelOf = name => fields.find(one => one.name === name).label
const quoted = value => (value === '' || value === null ? '<i>nothing</i>' : escape(value))
const button = (act, label, style = 'plain') =>
  `<button type="button" class="${style}" data-act="${act}">${label}</button>`

function meanwhileHtml(value) {
  return `<p class="note">Just now this became <q dir="auto">${quoted(value)}</q>${button('take', 'Take it')}</p>`
}

/** Both values, who wrote them and when. */
function conflictHtml({ id, field, mine, mineAt, theirs, theirsAt, writer, other }, value) {
  // somebody may have written over it since, who is not known
  const isTheirs = value === theirs
  return `<section class="conflict" data-conflict="${escape(id)}" aria-label="Two values: ${labelOf(field)}">
  <p class="why">${name(other, true)} and ${name(writer)} wrote here without knowing of each other.</p>
  ${choice({ person: isTheirs ? other : null, at: isTheirs ? theirsAt : null, value, act: 'theirs', label: 'Keep this' })}
  ${choice({ person: writer, at: mineAt, value: mine, act: 'mine', label: 'Use this' })}
</section>`
}

function choice({ person, at, value, act, label }) {
  return `<div class="choice ${act}">
    <span class="avatar ${escape(person ?? 'nobody')}" aria-hidden="true">${nameOf(person)[0]}</span>
    <p><b>${name(person, true)}</b> ${at === null ? '' : `<time datetime="${new Date(at).toISOString()}">${clock(at)}</time>`}${act === 'theirs' ? '<span class="stands">stands now</span>' : ''}<q dir="auto">${quoted(value)}</q></p>
    ${button(act, label, act === 'mine' ? 'primary' : 'plain')}
  </div>`
}

function refusedHtml({ id, field, mine, error }) {
  const { rule } = fields.find(one => one.name === field)
  const what = mine === '' || mine === null ? 'An empty field' : `<q dir="auto">${escape(mine)}</q>`
  return `<section class="conflict refused" data-conflict="${escape(id)}" aria-label="Could not be saved: ${labelOf(field)}">
  <p class="why">${what} could not be saved. ${escape(rule ?? error.message)}</p>
  <p class="buttons">${button('theirs', 'Forget it')}${button('mine', 'Try again')}</p>
</section>`
}

function name(person, first = false) {
  if (person === me) return first ? 'You' : 'you'
  return person === null && !first ? 'somebody' : nameOf(person)
}

const clock = at => new Date(at).toLocaleTimeString('en-GB', { timeStyle: 'short' })

export function showPanel(sync) {
  const { state, online, pending, storage } = sync.status()
  const open = sync.conflicts.list()
  const failed = open.filter(({ outcome }) => outcome === 'rejected').length
  const settle = open.length - failed
  document.querySelector('#pill').dataset.state = state
  text('#word', state)
  text('#pending', pending === 0 ? 'nothing' : count(pending, 'edit'))
  text('#open', open.length === 0 ? 'nothing' : count(open.length, 'question'))
  text('#storage', storages[storage])
  text(
    '#summary',
    online && settle > 0 && pending === 0 && failed === 0
      ? `${count(settle, 'question')} about what you both wrote.`
      : summary({ online, state, pending, failed }),
  )
  document.querySelector('#summary').dataset.mood =
    failed > 0 ? 'bad' : online && settle === 0 ? 'good' : 'away'
}
