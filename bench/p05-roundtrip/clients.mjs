// A client that pushes and asks, one thing after the other, over a line that may take its time.
import { createClient } from 'syncline/client'
import { DifferentialSyncClient } from 'syncline/differential'
import { answerCalls } from '../process.mjs'
import { openProxy } from '../proxy.mjs'
import { makeRow } from '../rows.mjs'

async function run({ port, rtt, count }) {
  const via = rtt === 0 ? port : (await openProxy(port, { delay: rtt / 2 })).port
  const client = createClient({
    url: `http://127.0.0.1:${via}/api/sync`,
    entities: ['items'],
    store: 'memory',
  })
  await client.ready
  const pushes = []
  const syncs = []
  for (let i = 1; i <= count; i++) {
    const start = performance.now()
    const { status } = await client.update('items', (i % 100) + 1, { title: makeRow(i, i).title }).confirmed
    if (status !== 'applied') throw new Error(`push ${i} was ${status}`)
    pushes.push(performance.now() - start)
  }
  for (let i = 1; i <= count; i++) {
    const start = performance.now()
    await client.sync('items')
    syncs.push(performance.now() - start)
  }
  await client.close()
  return { pushes, syncs }
}

/** The differential client: a change of somebody else's, then what `requestSync` brings of it. */
async function differential({ port, rtt, count }) {
  const via = rtt === 0 ? port : (await openProxy(port, { delay: rtt / 2 })).port
  const options = { websocketUrl: `ws://127.0.0.1:${via}`, entityTypes: ['items'] }
  const writer = new DifferentialSyncClient({ ...options, clientId: 'writer' })
  const reader = new DifferentialSyncClient({ ...options, clientId: 'reader' })
  for (const client of [writer, reader]) {
    await client.connect()
    await client.requestSync()
  }
  const syncs = []
  for (let i = 1; i <= count; i++) {
    await writer.client.update('items', (i % 100) + 1, { title: `${i} ${makeRow(i, i).title}` }).confirmed
    const start = performance.now()
    const deltas = await reader.requestSync('items')
    if (deltas.length !== 1) throw new Error(`sync ${i} brought ${deltas.length} deltas`)
    syncs.push(performance.now() - start)
  }
  for (const client of [writer, reader]) await client.disconnect()
  return { syncs, status: reader.getSyncStatus() }
}

answerCalls({ run, differential })
