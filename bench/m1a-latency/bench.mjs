// M1a: how long from a write to a subscriber, at 50 writes a second and 200 subscribers?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

const count = 200

export async function bench({ runs, quick }) {
  const writes = quick ? 100 : 250
  const samples = await rounds(['floor', 'syncline'], runs, variant => once(variant, { writes, rows: 1000 }))
  const { floor, syncline } = samples
  for (const [figure, limit] of [
    ['p50', 1.5],
    ['p99', 2],
  ]) {
    report({
      id: 'M1a',
      what: figure,
      unit: 'ms',
      value: middle(syncline, s => s[figure]),
      control: middle(floor, s => s[figure]),
      limit,
    })
  }
  const cpu = s => s.cpu / s.deliveries
  report({
    id: 'M1a',
    what: 'server CPU per delivery',
    unit: 'us',
    value: middle(syncline, cpu),
    control: middle(floor, cpu),
    limit: 1.3,
  })
  const loaded = await rounds(['alone', 'loaded'], runs, variant =>
    whileLoading(variant === 'loaded', writes),
  )
  report({
    id: 'M1a',
    what: 'p99 while a fresh client loads 100,000 rows',
    unit: 'ms',
    limit: 2,
    name: 'without',
    value: middle(loaded.loaded, s => s.p99),
    control: middle(loaded.alone, s => s.p99),
  })
}

async function once(variant, { writes, rows }) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const port = await server.call('open', { rows })
  await clients.call('connect', { variant, port, count })
  await clients.call('run', { writes: 25, everyMs: 20 })
  const before = await server.call('resources')
  const sample = await clients.call('run', { writes, everyMs: 20, from: 25 })
  const after = await server.call('resources')
  expect(!sample.twice, `${variant}: a subscriber got a row twice`)
  if (variant === 'syncline')
    expect(
      (await clients.call('replica')) === (await server.call('digest')),
      'a replica differs from the table',
    )
  await Promise.all([server.stop(), clients.stop()])
  return { ...sample, cpu: after.cpu - before.cpu }
}

/** The same load on a table of 100,000 rows; the subscribers hold it before the measured writes begin. */
async function whileLoading(loaded, writes) {
  const server = startProcess(new URL('../servers/syncline.mjs', import.meta.url))
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const loader = startProcess(new URL('loader.mjs', import.meta.url))
  const port = await server.call('open', { rows: 100_000 })
  await clients.call('connect', { variant: 'syncline', port, count: 10 })
  await clients.call('run', { writes: 25, everyMs: 20 })
  const load = { going: loaded }
  const loading = (async () => {
    for (let i = 0; load.going; i++) {
      const rows = await loader.call('load', { port, name: `loader${i}` })
      expect(rows >= 100_000, `the loader got ${rows} rows`)
    }
  })()
  const sample = await clients.call('run', { writes, everyMs: 20, from: 25 })
  load.going = false
  await loading
  await Promise.all([server.stop(), clients.stop(), loader.stop()])
  return sample
}
