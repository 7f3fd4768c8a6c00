// M5: how much server memory does an idle subscribed client take?
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'
import { makeRow, valuesOf } from '../rows.mjs'

export async function bench({ runs, quick }) {
  const count = quick ? 1000 : 5000
  const samples = await rounds(['floor', 'syncline'], Math.min(runs, 3), variant =>
    once(variant, 'connect', count),
  )
  const heap = variant => middle(samples[variant], sample => sample.heap)
  const rss = variant => middle(samples[variant], sample => sample.rss)
  report({
    id: 'M5',
    what: `heap and buffers per idle client of ${count}`,
    unit: 'KB',
    value: heap('syncline'),
    limit: 12,
  })
  report({ id: 'M5', what: 'the same of bare ws', unit: 'KB', value: heap('floor') })
  report({
    id: 'M5',
    what: 'resident memory per client',
    unit: 'KB',
    value: rss('syncline'),
    control: rss('floor'),
  })
  const streams = await once('syncline', 'stream', 1000)
  report({
    id: 'T-P09',
    what: 'heap per idle event stream of 1000',
    unit: 'KB',
    value: streams.heap,
    limit: 50,
  })
}

async function once(variant, kind, count) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url), {
    execArgv: ['--expose-gc'],
  })
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  const port = await server.call('open', { rows: 0 })
  await clients.call(kind, { variant, port, count: 20 })
  const before = await server.call('resources')
  await clients.call(kind, { variant, port, count })
  // sockets close and caches settle
  await new Promise(resolve => setTimeout(resolve, 500))
  const after = await server.call('resources')
  if (variant === 'syncline') {
    // they are subscribed indeed: one write reaches every one
    const values = valuesOf(makeRow(1)).map(value => (typeof value === 'string' ? `'${value}'` : value))
    await server.call('exec', `INSERT INTO items VALUES (${values.join(',')})`)
    expect(
      (await clients.call('wait', { count: count + 20 })) === count + 20,
      'not every client is subscribed',
    )
  }
  await Promise.all([server.stop(), clients.stop()])
  return { heap: (after.heap - before.heap) / count / 1024, rss: (after.rss - before.rss) / count / 1024 }
}
