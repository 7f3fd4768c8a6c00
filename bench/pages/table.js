// What both pages share: the digest of a replica, as `rows.mjs` makes it of a table.
/* eslint-env browser */
const columns = ['id', 'title', 'body', 'done', 'owner', 'updated_at']
const expected = Number(new URLSearchParams(location.search).get('rows'))
const marks = {}

const asked = request =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
const completed = transaction =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error)
  })

async function digest(rows) {
  const sorted = rows.sort((a, b) => a.id - b.id)
  const text = sorted.map(row => JSON.stringify(columns.map(column => row[column]))).join('')
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  const hex = Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('')
  return `${rows.length}:${hex.slice(0, 16)}`
}
