// 200 subscribers and one writer. Latency is from the writer's send to each subscriber's parsed row, on one clock.
import { answerCalls } from '../process.mjs'
import { subscriber, writer } from '../dialects.mjs'
import { digest, makeRow, valuesOf } from '../rows.mjs'

const subscribers = []
let sender
let replica
const sentAt = []
let latencies = []
let arrivals = []

async function connect({ variant, port, count }) {
  replica = new Map()
  for (let i = 0; i < count; i++) {
    const onRows = rows => {
      const now = performance.now()
      for (const row of rows) {
        const version = row[5] - 1_700_000_000_000
        if (i === 0) replica.set(row[0], row)
        if (version === 0 || sentAt[version] === undefined) continue
        latencies.push(now - sentAt[version])
        arrivals[i] += 1
      }
    }
    subscribers.push(await subscriber(variant, port, `s${i}`, { onRows }))
  }
  arrivals = subscribers.map(() => 0)
  sender = await writer(variant, port, 'writer')
}

/** `writes` updates of distinct rows, one each `everyMs`; resolves when every subscriber has every one. */
async function run({ writes, everyMs, from = 0 }) {
  latencies = []
  arrivals.fill(0)
  for (let i = 1; i <= writes; i++) {
    const version = from + i
    const row = valuesOf(makeRow(version, version))
    sentAt[version] = performance.now()
    sender.send(sender.frame(version, row, version - 1))
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
  const deadline = performance.now() + 20_000
  while (arrivals.some(count => count < writes)) {
    if (performance.now() > deadline) throw new Error(`only ${Math.min(...arrivals)} of ${writes} arrived`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const sorted = latencies.sort((a, b) => a - b)
  const at = q => sorted[Math.floor(sorted.length * q)]
  return {
    p50: at(0.5),
    p99: at(0.99),
    deliveries: sorted.length,
    twice: arrivals.some(count => count !== writes),
  }
}

answerCalls({ connect, run, replica: () => digest(replica.values()) })
