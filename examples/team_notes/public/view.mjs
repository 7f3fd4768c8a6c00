// One template for both ends: the server renders what it may show, the page its own copy while something waits in it.
import { escape, icon } from '../../todo_sync/public/view.mjs'
import { people } from './people.mjs'

export { escape, icon }

/** Open ones first, then the newest; what the server has not seen has a temporary id and is the newest. */
export function rowsHtml(rows, user, waiting = new Set()) {
  const place = ({ id }) => (String(id).startsWith('tmp_') ? Infinity : Number(id))
  const sorted = rows.toSorted(
    (a, b) => Number(a.done ?? 0) - Number(b.done ?? 0) || Number(place(b) > place(a)) || -1,
  )
  return sorted.map(row => rowHtml(row, user, waiting.has(String(row.id)))).join('\n')
}

function rowHtml(row, user, waits) {
  const id = escape(row.id)
  const text = escape(row.text)
  const done = Number(row.done) === 1
  const tags = [
    waits
      ? `<span class="tag waiting" title="On this device; not sent yet">${icon('clock')}waiting</span>`
      : '',
    `<span class="tag ${row.team === 'Bar' ? 'work' : 'home'}">${escape(row.team)}</span>`,
  ]
  return `<li class="todo note${done ? ' done' : ''}" id="note-${id}" data-id="${id}">
  <input type="checkbox" id="done-${id}" data-act="done" ${done ? 'checked' : ''}>
  <label for="done-${id}"><span class="title" dir="auto">${text}</span></label>
  <span class="tags">${tags.join('')}<select class="tag owner" id="owner-${id}" data-act="owner" aria-label="Whose is “${text}”?">${options(row.owner)}</select></span>
  <button type="button" class="quiet" id="delete-${id}" data-act="delete" aria-label="Delete “${text}”">${icon('trash')}</button>
  ${user.manager ? remarkHtml(row, id, text) : ''}
</li>`
}

/** Another owner is how a note is handed over. */
function options(owner) {
  return people
    .map(({ id, name }) => `<option value="${id}" ${id === owner ? 'selected' : ''}>${name}</option>`)
    .join('')
}

function remarkHtml({ remark }, id, text) {
  return `<label class="remark"><span>Managers</span><input id="remark-${id}" data-act="remark" dir="auto" value="${escape(remark)}" maxlength="200" placeholder="A remark for managers only" aria-label="Remark on “${text}”"></label>`
}
