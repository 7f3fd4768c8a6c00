// M4: away while 1,000 of 100,000 rows changed: how long until up to date again, and how many bytes?
import { expect, median, middle, report } from '../measure.mjs'
import { startProcess } from '../process.mjs'

const changed = 1000

export async function bench({ runs, quick }) {
  const small = quick ? 20_000 : 100_000
  const floor = await comebacks('floor', small, runs + 2)
  const syncline = await comebacks('syncline', small, runs + 2)
  const ms = samples => middle(samples, sample => sample.ms)
  const kilobytes = samples => middle(samples, sample => sample.bytes / 1000)
  report({
    id: 'M4',
    what: 'up to date again',
    unit: 'ms',
    value: ms(syncline),
    control: ms(floor),
    limit: 3,
  })
  report({
    id: 'M4',
    what: 'bytes',
    unit: 'KB',
    value: kilobytes(syncline),
    control: kilobytes(floor),
    limit: 1.3,
  })
  if (quick) return
  const large = await comebacks('syncline', small * 10, runs + 2)
  report({
    id: 'M4',
    what: 'the same of 1,000,000 rows',
    unit: 'ms',
    value: ms(large),
    control: ms(syncline),
    limit: 1.5,
    name: 'of 100,000',
  })
}

/** The first of each is a warm-up and does not count. */
async function comebacks(variant, rows, count) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url), {
    execArgv: ['--max-old-space-size=4000'],
  })
  const port = await server.call('open', { rows })
  await clients.call('load', { variant, port })
  const samples = []
  let since = 1_700_000_000_000
  for (let i = 1; i <= count; i++) {
    const step = rows / changed
    await server.call(
      'exec',
      `UPDATE items SET title = substr(title, 1, 30) || '${1000 + i}', updated_at = ${since + 1} WHERE id % ${step} = ${i}`,
    )
    await server.call('settled')
    const sample = await clients.call('comeBack', { variant, since })
    expect(sample.digest === (await server.call('digest')), `${variant}: the replica differs from the table`)
    if (i > 1) samples.push(sample)
    since += 1
  }
  expect(median(samples.map(sample => sample.bytes)) > 5000, 'fewer bytes than 1,000 rows can have')
  await Promise.all([server.stop(), clients.stop()])
  return samples
}
