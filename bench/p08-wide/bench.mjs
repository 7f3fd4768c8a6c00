// T-P08: one field of a row of 50 fields changes: how many bytes does a subscriber get, of those that the row has?
import { expect, middle, report } from '../measure.mjs'
import { startProcess } from '../process.mjs'

export async function bench({ quick }) {
  const server = startProcess(new URL('../servers/syncline.mjs', import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const port = await server.call('open', { rows: 100, wide: true })
  await clients.call('load', { port })
  const samples = []
  for (let i = 1; i <= (quick ? 5 : 50); i++) {
    await server.call('exec', `UPDATE items SET c${i % 49} = 'changed ${i}' WHERE id = ${i}`)
    const sample = await clients.call('change', { id: i })
    expect(sample.digest === (await server.call('digest')), 'the replica differs from the table')
    samples.push(sample)
  }
  report({
    id: 'P08',
    what: 'one field of a row of 50',
    unit: 'B',
    value: middle(samples, sample => sample.bytes),
    control: middle(samples, sample => sample.row),
    name: 'the row',
    limit: 0.1,
  })
  await Promise.all([server.stop(), clients.stop()])
}
