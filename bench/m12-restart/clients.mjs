// Many clients in one process, each with a connection and a copy of its own.
import { createClient } from 'syncline/client'
import { answerCalls } from '../process.mjs'
import { digest, valuesOf } from '../rows.mjs'

const clients = []
let back

/** In groups: what is measured is how they come back. */
async function connect({ port, count }) {
  const url = `http://127.0.0.1:${port}/api/sync`
  for (let i = 0; i < count; i += 50) {
    const group = Array.from({ length: Math.min(50, count - i) }, () =>
      createClient({ url, entities: ['items'], store: 'memory' }),
    )
    await Promise.all(group.map(client => client.ready))
    clients.push(...group)
  }
  back = Promise.all(
    clients.map(client => new Promise(resolve => client.on('changed', () => resolve(Date.now())))),
  )
}

async function away() {
  while (clients.some(client => client.status().state === 'ready'))
    await new Promise(resolve => setTimeout(resolve, 5))
}

answerCalls({
  connect,
  away,
  async back() {
    const times = await back
    const digests = new Set(clients.map(client => digest(client.getAll('items').map(valuesOf))))
    return { times, digest: [...digests].join() }
  },
})
