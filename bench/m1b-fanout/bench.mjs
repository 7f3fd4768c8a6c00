// M1b: how many deliveries a second when saturated, with 200 subscribers?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

const count = 200

export async function bench({ runs, quick }) {
  const writes = {
    floor: quick ? 5000 : 15_000,
    syncline: quick ? 5000 : 15_000,
    socketio: quick ? 1500 : 3000,
  }
  const samples = await rounds(['floor', 'syncline', 'socketio'], runs, variant =>
    once(variant, writes[variant]),
  )
  const perSecond = variant => middle(samples[variant], sample => sample.perSecond)
  const value = perSecond('syncline')
  report({
    id: 'M1b',
    what: 'deliveries',
    unit: '/s',
    value,
    control: perSecond('floor'),
    limit: 0.5,
    kind: 'least',
  })
  report({
    id: 'M1b',
    what: 'deliveries',
    unit: '/s',
    value,
    control: perSecond('socketio'),
    limit: 4,
    kind: 'least',
    name: 'Socket.IO',
  })
}

async function once(variant, writes) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const port = await server.call('open', {})
  const sample = await clients.call('run', { variant, port, count, writes })
  expect(!sample.twice, `${variant}: rows came twice`)
  expect(sample.replica === (await server.call('digest')), `${variant}: the replica differs from the table`)
  await Promise.all([server.stop(), clients.stop()])
  return sample
}
