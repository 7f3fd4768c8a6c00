// 199 subscribers that count bytes and one that parses and checks, fed by a writer that keeps the server saturated.
import { answerCalls } from '../process.mjs'
import { subscriber, writer } from '../dialects.mjs'
import { digest, makeRow, valuesOf } from '../rows.mjs'

/** Rows that may be under way: a server that hands them on in groups of what waits is kept busy, and no buffer fills. */
const window = 64

async function run({ variant, port, count, writes }) {
  const replica = new Map()
  let arrived = 0
  let wake = () => {}
  const onRows = rows => {
    for (const row of rows) replica.set(row[0], row)
    arrived += rows.length
    wake()
  }
  const checking = await subscriber(variant, port, 's0', { onRows })
  const counting = []
  for (let i = 1; i < count; i++) counting.push(await subscriber(variant, port, `s${i}`, { countOnly: true }))
  const sender = await writer(variant, port, 'writer', { action: 'create' })
  const frames = Array.from({ length: writes }, (_, i) =>
    sender.frame(i + 1, valuesOf(makeRow(i + 1)), Math.max(0, i - window)),
  )
  const start = performance.now()
  for (let sent = 0; sent < writes;) {
    while (sent < writes && sent - arrived < window) sender.send(frames[sent++])
    if (sent < writes) await new Promise(resolve => (wake = resolve))
  }
  const done = () => arrived >= writes && counting.every(one => one.count() >= writes)
  const deadline = performance.now() + 60_000
  while (!done()) {
    if (performance.now() > deadline)
      throw new Error(`${arrived} and ${Math.min(...counting.map(one => one.count()))} of ${writes} arrived`)
    await new Promise(resolve => setImmediate(resolve))
  }
  const ms = performance.now() - start
  const twice = arrived !== writes || counting.some(one => one.count() !== writes)
  for (const one of [checking, ...counting, sender]) one.close()
  return { perSecond: (writes * count * 1000) / ms, twice, replica: digest(replica.values()) }
}

answerCalls({ run })
