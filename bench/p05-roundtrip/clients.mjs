// A client that pushes and asks, one thing after the other, over a line that may take its time.
import { createServer, connect as dial } from 'node:net'
import { createClient } from 'syncline/client'
import { answerCalls } from '../process.mjs'
import { makeRow } from '../rows.mjs'

/** Each way takes half of `rtt`. */
async function slowLine(port, rtt) {
  const server = createServer(near => {
    const far = dial(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      from.setNoDelay(true)
      from.on('data', data => void setTimeout(() => to.write(data), rtt / 2))
      from.on('close', () => to.destroy())
      from.on('error', () => {})
    }
  })
  await new Promise(resolve => void server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}

async function run({ port, rtt, count }) {
  const via = rtt === 0 ? port : await slowLine(port, rtt)
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

answerCalls({ run })
