// Thousands of subscribers that do nothing; and event streams that do nothing.
import { get } from 'node:http'
import { answerCalls } from '../process.mjs'
import { subscriber } from '../dialects.mjs'

const held = []
const rows = { arrived: 0 }

async function connect({ variant, port, count }) {
  const onRows = batch => (rows.arrived += batch.length)
  for (let i = 0; i < count; i += 50) {
    const names = Array.from({ length: Math.min(50, count - i) }, (_, k) => `s${i + k}`)
    held.push(...(await Promise.all(names.map(name => subscriber(variant, port, name, { onRows })))))
  }
}

async function stream({ port, count }) {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve, reject) => {
      const request = get({ port, path: '/api/sync/events', agent: false }, response => {
        response.on('data', data => {
          if (data.includes('data: ')) rows.arrived += 1
          resolve()
        })
      })
      request.on('error', reject)
      held.push(request)
    })
  }
}

/** Resolves when `count` rows came in all. */
async function wait({ count }) {
  for (const deadline = Date.now() + 20_000; rows.arrived < count;) {
    if (Date.now() > deadline) throw new Error(`${rows.arrived} of ${count} arrived`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return rows.arrived
}

answerCalls({ connect, stream, wait })
