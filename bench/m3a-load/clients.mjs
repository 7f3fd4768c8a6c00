// Loads the whole table into this process, and comes back after having been away.
import { createClient } from 'syncline/client'
import { answerCalls } from '../process.mjs'
import { columns, digest, valuesOf } from '../rows.mjs'

/** Columnar pages over HTTP, one request after the other, into a map of objects. */
async function loadFloor(port) {
  const rows = new Map()
  for (let after = 0; after !== null;) {
    const page = await (await fetch(`http://127.0.0.1:${port}/?after=${after}`)).json()
    takeColumns(rows, page.columns)
    after = page.next
  }
  return rows
}

function takeColumns(rows, values) {
  for (let i = 0; i < values[0].length; i++) {
    const row = {}
    for (let column = 0; column < columns.length; column++) row[columns[column]] = values[column][i]
    rows.set(String(row.id), row)
  }
}

async function load({ variant, port }) {
  const start = performance.now()
  if (variant === 'floor') {
    const rows = await loadFloor(port)
    return { ms: performance.now() - start, digest: digest(Array.from(rows.values(), valuesOf)) }
  }
  const client = createClient({
    url: `http://127.0.0.1:${port}/api/sync`,
    entities: ['items'],
    store: 'memory',
  })
  await client.ready
  const rows = client.getAll('items')
  const ms = performance.now() - start
  const result = { ms, digest: digest(rows.map(valuesOf)) }
  await client.close()
  return result
}

answerCalls({ load })
