// A client that holds the table, goes away, and comes back. Bytes are counted on the socket.
import { createServer, connect as dial } from 'node:net'
import { get } from 'node:http'
import { createClient } from 'syncline/client'
import { answerCalls } from '../process.mjs'
import { columns, digest, valuesOf } from '../rows.mjs'

let rows
let client
let counter

/** Passes everything on and counts what comes from the server. */
async function countingProxy(port) {
  let bytes = 0
  const held = { open: 0 }
  const server = createServer(near => {
    const far = dial(port, '127.0.0.1')
    held.open += 1
    near.on('close', () => (held.open -= 1))
    near.setNoDelay(true)
    far.setNoDelay(true)
    far.on('data', data => (bytes += data.length))
    near.pipe(far)
    far.pipe(near)
    for (const socket of [near, far]) socket.on('error', () => {})
  })
  await new Promise(resolve => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    /** Away is who has no connection left, not who has said so. */
    async away() {
      for (const deadline = Date.now() + 5000; held.open > 0 && Date.now() < deadline;)
        await new Promise(resolve => setTimeout(resolve, 5))
    },
    take() {
      const taken = bytes
      bytes = 0
      return taken
    },
  }
}

async function load({ variant, port }) {
  counter = await countingProxy(port)
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
      bytes: counter.take(),
      digest: digest(Array.from(rows.values(), valuesOf)),
    }
  }
  const caughtUp = new Promise(resolve => client.on('changed', resolve))
  client.connect()
  await caughtUp
  const ms = performance.now() - start
  const result = { ms, bytes: counter.take(), digest: digest(client.getAll('items').map(valuesOf)) }
  client.disconnect()
  await counter.away()
  return result
}

answerCalls({ load, comeBack })
