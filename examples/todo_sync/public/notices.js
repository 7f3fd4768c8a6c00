// Tells when an edit made here did not stand: somebody else's was kept. (What the server refused is in the list of those
// that could not be saved.)
import { goOn } from './focus.js'
import { escape } from './view.mjs'

const list = document.querySelector('#notices')
/** Rows of refused edits: their going back is told by the refusal. */
const refused = new Set()

document.body.addEventListener('rhtmx:mutation:rejected', ({ detail }) => refused.add(detail.id))
document.body.addEventListener('rhtmx:todos:changed', ({ detail }) => {
  for (const { id, source, data } of detail.changes) {
    if (source === 'rollback' && !refused.delete(id)) notice(data)
  }
})
list.addEventListener('click', ({ target }) => {
  const notice = target.closest('button')?.parentElement
  if (notice === undefined) return
  notice.remove()
  goOn(list)
})

function notice(row) {
  const words =
    row === null
      ? 'Somebody deleted a todo that you had changed. It is gone.'
      : `Somebody else changed <b>“<bdi>${escape(row.title)}</bdi>”</b> meanwhile. Their version was kept.`
  const item = document.createElement('p')
  item.innerHTML = `<span>${words}</span><button type="button" class="plain">OK</button>`
  list.append(item)
}
