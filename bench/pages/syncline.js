// The script as any page loads it, watched from beside it.
async function run() {
  const { client } = window.rhtmxSync
  const readable = new Promise(resolve => {
    const look = () => {
      if (client.getAll('items').length !== expected) return
      marks.readable ??= performance.now()
      resolve()
    }
    client.subscribe('items', look)
    look()
  })
  // the database is there when the client begins to connect; opened later, it would be waited for
  await new Promise(resolve => client.on('state', resolve))
  const db = await asked(indexedDB.open('syncline-anon'))
  await readable
  for (;;) {
    // the cursor is stored together with the rows
    const meta = await asked(db.transaction('_meta').objectStore('_meta').get('entity:items'))
    if (meta?.value.cursor) break
  }
  marks.stored = performance.now()
  db.close()
}
window.loaded = run()
window.replica = () => digest([...window.rhtmxSync.getAll('items')])

/** One edit after the other, at the pace of a person: until an event tells of it, and until it is durable. */
window.push = async count => {
  const opening = indexedDB.open('bare', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('records', { keyPath: 'n' })
  const db = await asked(opening)
  const rest = ms => new Promise(resolve => setTimeout(resolve, ms))
  const samples = { visible: [], durable: [], bare: [] }
  for (let n = 1; n <= count; n++) {
    const id = ((n * 7919) % expected) + 1
    const title = `pushed ${n}`
    let start = performance.now()
    const seen = new Promise(resolve =>
      document.body.addEventListener('rhtmx:items:changed', resolve, { once: true }),
    )
    const pushed = window.rhtmxSync.pushChange('items', id, 'update', { title })
    await seen
    if (window.rhtmxSync.get('items', id).title !== title) throw new Error('it does not show')
    samples.visible.push(performance.now() - start)
    await pushed
    await rest(80)
    start = performance.now()
    await window.rhtmxSync.client.update('items', id, { title: `${title}!` }).persisted
    samples.durable.push(performance.now() - start)
    await rest(80)
    start = performance.now()
    const transaction = db.transaction('records', 'readwrite', { durability: 'strict' })
    const writes = [{ entity: 'items', id: String(id), action: 'update', data: { title } }]
    transaction
      .objectStore('records')
      .put({ n, timestamp: n, mutation: { n, base: null, stamp: title, writes } })
    transaction.commit()
    await completed(transaction)
    samples.bare.push(performance.now() - start)
    await rest(80)
  }
  return samples
}
