// M2: how many durable single-row mutations a second, from one client, a message each?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'
import { digest, makeRow, valuesOf } from '../rows.mjs'

const rows = 10_000

export async function bench({ runs, quick }) {
  const ways = [
    { what: 'mutations, pipelined', count: quick ? 10_000 : 40_000, window: 1000, limit: 0.5 },
    { what: 'mutations, one after the other', count: quick ? 500 : 1500, window: 1, limit: 0.7 },
  ]
  for (const { what, count, window, limit } of ways) {
    const samples = await rounds(['floor', 'syncline'], runs, variant => once(variant, count, window))
    const perSecond = variant => middle(samples[variant], sample => sample.perSecond)
    report({
      id: 'M2',
      what,
      unit: '/s',
      value: perSecond('syncline'),
      control: perSecond('floor'),
      limit,
      kind: 'least',
    })
  }
}

async function once(variant, count, window) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const port = await server.call('open', { rows, synchronous: 'FULL' })
  const sample = await clients.call('run', { variant, port, count, rows, window })
  expect(
    (await server.call('digest')) === expected(count),
    `${variant}: the table does not hold what was acknowledged`,
  )
  await Promise.all([server.stop(), clients.stop()])
  return sample
}

function expected(count) {
  const table = new Map()
  for (let id = 1; id <= rows; id++) table.set(id, valuesOf(makeRow(id)))
  for (let i = 0; i < count; i++)
    table.set(((i * 7919) % rows) + 1, valuesOf(makeRow(((i * 7919) % rows) + 1, i + 1)))
  return digest(table.values())
}
