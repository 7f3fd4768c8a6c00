// A client that holds the table, goes away, and comes back. Bytes are counted on the way.
import { get } from 'node:http'
import { createClient } from 'syncline/client'
import { answerCalls } from '../process.mjs'
import { openProxy } from '../proxy.mjs'
import { columns, digest, valuesOf } from '../rows.mjs'

let rows
let client
let counter

async function load({ variant, port }) {
  counter = await openProxy(port)
  if (variant === 'floor') {
    rows = new Map()
    for (let after = 0; after !== null;) {
      const page = await request(`/?after=${after}`)
      takeColumns(page.columns)
      after = page.next
    }
    return
  }
  client = createClient({
    url: `http://127.0.0.1:${counter.port}/api/sync`,
    entities: ['items'],
    store: 'memory',
  })
  await client.ready
  client.disconnect()
  await counter.away()
}

function request(path) {
  return new Promise((resolve, reject) => {
    get({ port: counter.port, path, agent: false }, response => {
      const chunks = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks))))
    }).on('error', reject)
  })
}

function takeColumns(values) {
  for (let i = 0; i < values[0].length; i++) {
    const row = {}
    for (let column = 0; column < columns.length; column++) row[columns[column]] = values[column][i]
    rows.set(row.id, row)
  }
}

/** Up to date again after `since`; `last` is the newest `updated_at` that must be there. */
async function comeBack({ variant, since }) {
  counter.take()
  const start = performance.now()
  if (variant === 'floor') {
    takeColumns((await request(`/?since=${since}`)).columns)
    return {
      ms: performance.now() - start,
      bytes: counter.take().down,
      digest: digest(Array.from(rows.values(), valuesOf)),
    }
  }
  const caughtUp = new Promise(resolve => client.on('changed', resolve))
  client.connect()
  await caughtUp
  const ms = performance.now() - start
  const result = { ms, bytes: counter.take().down, digest: digest(client.getAll('items').map(valuesOf)) }
  client.disconnect()
  await counter.away()
  return result
}

answerCalls({ load, comeBack })
