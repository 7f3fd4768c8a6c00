// The words about the connection, and the list of edits that the server refused.
import { escape } from './view.mjs'

const find = selector => document.querySelector(selector)

/** Only what differs is written: a live region speaks on every change. */
export function text(selector, value) {
  const element = find(selector)
  if (element.textContent !== value) element.textContent = value
}

const transports = { websocket: 'WebSocket', sse: 'SSE and POST' }
export const storages = { indexeddb: 'IndexedDB', memory: 'memory, this visit only' }

export function showPanel(sync, last) {
  const status = sync.status()
  const failed = sync.deadLetters().length
  const { state, online, pending } = status
  find('#pill').dataset.state = state
  text('#word', state)
  text('#state', state)
  text('#transport', online && state !== 'connecting' ? transports[status.transport] : '–')
  text('#pending', pending === 0 ? 'nothing' : count(pending, 'edit'))
  text('#oldest', status.oldestUnsentAt === null ? '–' : ago(status.oldestUnsentAt))
  text('#storage', storages[status.storage])
  text('#leader', status.leader ? 'this window' : 'another window')
  text('#cursor', String(status.cursors.todos?.seq ?? '–'))
  find('#again').hidden = status.nextRetryAt === null
  text('#retry', `in ${Math.max(0, Math.ceil(((status.nextRetryAt ?? 0) - Date.now()) / 1000))} s`)
  if (last) text('#event code', `${last.type} ${eventWords(last.detail)}`)
  text('#summary', summary({ online, state, pending, failed }))
  find('#summary').dataset.mood = failed > 0 ? 'bad' : online ? 'good' : 'away'
  document.body.classList.toggle('away', !online)
}

function eventWords({ state, oldState, source, action, ids, storage, error }) {
  if (state !== undefined) return `${oldState} → ${state}`
  if (error !== undefined) return error.code
  if (ids === undefined) return storage
  return `${source} · ${action} · ${ids.length > 3 ? `${ids.length} rows` : ids.map(id => (id.startsWith('tmp_') ? 'new' : `#${id}`)).join(' ')}`
}

export function summary({ online, state, pending, failed }) {
  if (failed > 0) return `${count(failed, 'edit')} could not be saved.`
  if (!online) {
    return pending === 0
      ? 'Offline. What you edit is kept here.'
      : `Offline. ${count(pending, 'edit')} ${pending === 1 ? 'waits' : 'wait'} on this device.`
  }
  if (pending > 0) return `Sending ${count(pending, 'edit')} …`
  return state === 'connecting' ? 'Connecting …' : 'Live. Everything is saved.'
}

export const count = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`

function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000))
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`
}

// ----- dead letters

const whys = {
  CONSTRAINT_FAILED: 'The list already has a todo of this name.',
  ROW_DELETED: 'Somebody deleted it meanwhile.',
  DEPENDENCY_FAILED: 'It builds on an edit that could not be saved.',
  NOT_FOUND: 'It is not there any more.',
}

export function showLetters(sync) {
  const letters = sync.deadLetters()
  find('#letters').hidden = letters.length === 0
  const html = letters.map(letter => letterHtml(letter, sync)).join('')
  const list = find('#letters ul')
  if (list.dataset.shown === html) return
  list.dataset.shown = html
  list.innerHTML = html
}

function letterHtml({ n, writes: [{ id, action, data = {} }], error }, sync) {
  const verb = { create: 'Add', update: 'Change', delete: 'Delete' }[action]
  const title = data.title ?? sync.get('todos', id)?.title
  const what = title === undefined ? 'a todo' : `“<bdi>${escape(title)}</bdi>”`
  const where = action === 'create' ? ` to ${escape(data.list)}` : ''
  const change =
    action === 'delete' ? '' : '<button type="button" class="plain" data-act="change">Change</button>'
  return `<li data-n="${Number(n)}">
  <p><strong>${verb} ${what}${where}</strong><span>${escape(whys[error.code] ?? error.message)}</span><code>${escape(error.code)}</code></p>
  <p class="buttons">${change}<button type="button" class="plain" data-act="retry">Retry</button><button type="button" class="plain" data-act="discard">Discard</button></p>
</li>`
}
