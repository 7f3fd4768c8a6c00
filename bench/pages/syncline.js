// The script as any page loads it, watched from beside it.
const face = window.rhtmxSync ?? window.rhtmxFieldSync
async function run() {
  const { client } = face
  const readable = new Promise(resolve => {
    const look = () => {
      if (client.getAll('items').length !== expected) return
      marks.readable ??= performance.now()
      // what is measured later is not to pay for this
      unsubscribe()
      resolve()
    }
    const unsubscribe = client.subscribe('items', look)
    look()
  })
  // the database is there then; opened before the client has made it, it would be another one
  await client.ready
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
window.replica = () => digest([...face.getAll('items')])
