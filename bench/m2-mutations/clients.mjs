// One client that sends a message for each mutation, and is done when every one was acknowledged after its commit.
import { answerCalls } from '../process.mjs'
import { writer } from '../dialects.mjs'
import { makeRow, valuesOf } from '../rows.mjs'

async function run({ variant, port, count, rows, window }) {
  const seen = new Uint8Array(count + 1)
  const progress = { acked: 0 }
  let wake = () => {}
  const onAcks = numbers => {
    for (const n of numbers) {
      if (seen[n] === 1) throw new Error(`${n} was acknowledged twice`)
      seen[n] = 1
    }
    progress.acked += numbers.length
    wake()
  }
  const sender = await writer(variant, port, 'writer', { onAcks })
  const frames = Array.from({ length: count }, (_, i) => {
    const row = valuesOf(makeRow(((i * 7919) % rows) + 1, i + 1))
    return sender.frame(i + 1, row, Math.max(0, i - window))
  })
  const start = performance.now()
  for (let sent = 0; sent < count;) {
    while (sent < count && sent - progress.acked < window) sender.send(frames[sent++])
    if (progress.acked < sent) await new Promise(resolve => (wake = resolve))
  }
  while (progress.acked < count) await new Promise(resolve => (wake = resolve))
  const ms = performance.now() - start
  sender.close()
  return { perSecond: (count * 1000) / ms }
}

answerCalls({ run })
