// Keeps the page and what it loads, so that it opens without a network. Rows and edits are the sync client's affair.
const name = 'app-1'
/** A network that says nothing for so long counts as none. */
const patienceMs = 3000
/** Until then nobody has to find that out again. */
let away = 0

/** Of other sites, and the sync routes but for their scripts: left alone. */
const isOurs = url =>
  url.origin === location.origin && (!url.pathname.includes('/api/sync/') || url.pathname.endsWith('.js'))
const hash = /\.[\da-f]{8,}(?=\.\w+$)/

addEventListener('install', () => skipWaiting())
addEventListener('activate', event => event.waitUntil(clients.claim()))

addEventListener('fetch', event => {
  const { request } = event
  const url = new URL(request.url)
  // what a script fetches has no destination: data, which only the server knows
  if (request.method !== 'GET' || request.destination === '' || !isOurs(url)) return
  event.respondWith(hash.test(url.pathname) ? cacheFirst(request) : networkFirst(event))
})

/** A name that changes with its content: once here, never asked for again. */
async function cacheFirst(request) {
  const kept = await caches.match(request, { ignoreVary: true })
  if (kept !== undefined) return kept
  const response = await fetch(request)
  if (response.ok) await keep(request, response.clone())
  return response
}

async function networkFirst(event) {
  const { request } = event
  const kept = await caches.match(request, { ignoreVary: true })
  const fetched = fetch(request).then(async response => {
    if (response.ok) await keep(request, response.clone())
    return response
  })
  event.waitUntil(fetched.catch(() => {}))
  if (kept === undefined) return fetched
  if (Date.now() < away) return kept
  const late = new Promise(resolve => setTimeout(resolve, patienceMs))
  const response = await Promise.race([fetched, late]).catch(() => {})
  if (response !== undefined && response.status < 500) return response
  away = Date.now() + 10_000
  return kept
}

async function keep(request, response) {
  const cache = await caches.open(name)
  await cache.put(request, response)
  // of a hashed file, the versions before
  const plain = url => url.replace(hash, '')
  for (const old of await cache.keys())
    if (old.url !== response.url && plain(old.url) === plain(response.url)) await cache.delete(old)
}

/** What the page had loaded before this worker was there. */
addEventListener('message', event => event.waitUntil(keepAll(event.data.keep ?? [])))

async function keepAll(addresses) {
  for (const address of addresses) {
    if (!isOurs(new URL(address)) || (await caches.match(address, { ignoreVary: true }))) continue
    const response = await fetch(address).catch(() => null)
    if (response?.ok) await keep(new Request(address), response)
  }
}
