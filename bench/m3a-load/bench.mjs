// M3a: how long until 100,000 existing rows are in the memory of a fresh Node client?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

export async function bench({ runs, quick }) {
  const rows = quick ? 20_000 : 100_000
  const samples = await rounds(['floor', 'syncline'], runs, variant => once(variant, rows))
  const ms = variant => middle(samples[variant], sample => sample.ms)
  report({
    id: 'M3a',
    what: `${rows} rows in memory`,
    unit: 'ms',
    value: ms('syncline'),
    control: ms('floor'),
    limit: 2,
  })
}

async function once(variant, rows) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const port = await server.call('open', { rows })
  const sample = await clients.call('load', { variant, port })
  expect(sample.digest === (await server.call('digest')), `${variant}: the loaded rows differ from the table`)
  await Promise.all([server.stop(), clients.stop()])
  return sample
}
