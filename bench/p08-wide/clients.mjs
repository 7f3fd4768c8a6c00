// A client that holds wide rows and hears of a change. Bytes are counted on the way.
import { createClient } from 'syncline/client'
import { answerCalls } from '../process.mjs'
import { openProxy } from '../proxy.mjs'
import { digest } from '../rows.mjs'

let client
let counter
const heard = []

async function load({ port }) {
  counter = await openProxy(port)
  const url = `http://127.0.0.1:${counter.port}/api/sync`
  client = createClient({ url, entities: ['items'], store: 'memory' })
  await client.ready
  client.on('changed', ({ ids }) => heard.push(...ids))
  counter.take()
}

/** Resolves when the change of row `id` is here. */
async function change({ id }) {
  while (!heard.includes(String(id))) await new Promise(resolve => setTimeout(resolve, 2))
  const { down } = counter.take()
  const row = JSON.stringify(Object.values(client.get('items', id)))
  return {
    bytes: down,
    row: Buffer.byteLength(row),
    digest: digest(client.getAll('items').map(Object.values)),
  }
}

answerCalls({ load, change })
