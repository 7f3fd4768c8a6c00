// One template for both ends: the server renders the table with it, the page its own copy while it is offline.

export const lists = ['Home', 'Work', 'Groceries']

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Whatever a row holds is text. */
export const escape = value => String(value ?? '').replace(/[&<>"']/g, char => entities[char])

export function icon(name) {
  return `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${paths[name]}</svg>`
}

const paths = {
  check: '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
  edit: '<path d="m4 20 4.5-1L19 8.5a2.1 2.1 0 0 0-3-3L5.5 16z"/>',
  trash: '<path d="M5 7h14M10 7V4.5h4V7m3 0-.8 12.5H7.8L7 7"/>',
  clock: '<circle cx="12" cy="12" r="8"/><path d="M12 7.5V12l3 2"/>',
}

/** Open ones first, then the newest. */
export function rowsHtml(todos, waiting = new Set()) {
  const sorted = todos.toSorted(
    (a, b) =>
      Number(a.done ?? 0) - Number(b.done ?? 0) ||
      // what the server has not seen has no date yet: it is the newest
      String(b.created_at ?? '9').localeCompare(String(a.created_at ?? '9')) ||
      String(b.id).localeCompare(String(a.id)),
  )
  return sorted.map(todo => rowHtml(todo, waiting.has(String(todo.id)))).join('\n')
}

function rowHtml(todo, waits) {
  const id = escape(todo.id)
  const title = escape(todo.title)
  const done = Number(todo.done) === 1
  return `<li class="todo${done ? ' done' : ''}${waits ? ' waits' : ''}" id="todo-${id}" data-id="${id}" data-list="${escape(todo.list)}">
  <input type="checkbox" id="done-${id}" data-act="toggle" ${done ? 'checked' : ''}>
  <label for="done-${id}"><span class="title" dir="auto">${title}</span>${todo.notes ? `<span class="notes" dir="auto">${escape(todo.notes)}</span>` : ''}</label>
  <span class="tags">${waits ? `<span class="tag waiting" title="On this device; not sent yet">${icon('clock')}waiting</span>` : ''}<span class="tag ${escape(String(todo.list).toLowerCase())}">${escape(todo.list)}</span></span>
  <button type="button" class="quiet" id="edit-${id}" data-act="edit" aria-label="Edit “${title}”">${icon('edit')}</button>
  <button type="button" class="quiet" id="delete-${id}" data-act="delete" aria-label="Delete “${title}”">${icon('trash')}</button>
</li>`
}
