// What is done on the page once its rows are there.
/** The pace of a person. */
const rest = () => new Promise(resolve => setTimeout(resolve, 80))

/** One edit after the other, at the pace of a person: until an event tells of it, and until it is durable. */
window.push = async count => {
  const opening = indexedDB.open('bare', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('records', { keyPath: 'n' })
  const db = await asked(opening)
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
    await rest()
    start = performance.now()
    await window.rhtmxSync.client.update('items', id, { title: `${title}!` }).persisted
    samples.durable.push(performance.now() - start)
    await rest()
    start = performance.now()
    const transaction = db.transaction('records', 'readwrite', { durability: 'strict' })
    const writes = [{ entity: 'items', id: String(id), action: 'update', data: { title } }]
    transaction
      .objectStore('records')
      .put({ n, timestamp: n, mutation: { n, base: null, stamp: title, writes } })
    transaction.commit()
    await completed(transaction)
    samples.bare.push(performance.now() - start)
    await rest()
  }
  return samples
}

/** One edit after the other, each until the server has stored it. */
window.editInTurn = async count => {
  for (let n = 1; n <= count; n++) {
    const edit = window.rhtmxSync.client.update('items', ((n * 7) % expected) + 1, { title: `edit ${n}` })
    const { status } = await edit.confirmed
    if (status !== 'applied') throw new Error(`an edit was ${status}`)
  }
}

/** Resolves when all of them are durable: `count` edits, one row after the other, of `of` rows. */
window.editMany = (count, of) => {
  const { client } = window.rhtmxSync
  const edit = (_, i) => client.update('items', (i % of) + 1, { title: `edit ${i}` }).persisted
  return Promise.all(Array.from({ length: count }, edit))
}

/** When the disk held nothing any more that waits for the server. */
window.drained = async () => {
  const db = await asked(indexedDB.open('syncline-anon'))
  while ((await asked(db.transaction('_pending').objectStore('_pending').count())) > 0)
    await new Promise(resolve => setTimeout(resolve, 2))
  const at = performance.now()
  db.close()
  if (window.rhtmxSync.pending().length > 0) throw new Error('the page waits for what the disk does not')
  await window.rhtmxSync.ready
  return at
}

/** When each title of the first row was told of, on a clock that tabs have in common. */
const times = new Map()
document.body.addEventListener('rhtmx:items:changed', () => {
  const { title } = window.rhtmxSync.get('items', 1)
  if (!times.has(title)) times.set(title, performance.timeOrigin + performance.now())
  wake()
})
let wake = () => {}
window.shown = async title => {
  while (!times.has(title)) await new Promise(resolve => (wake = resolve))
  return times.get(title)
}
window.edit = title => void window.rhtmxSync.pushChange('items', 1, 'update', { title })
window.rest = rest
