// T-P05: are 1,000 pushes and 1,000 syncs under 100 ms at the 95th percentile, on the spot and over 40 ms?
import { quantile, report } from '../measure.mjs'
import { startProcess } from '../process.mjs'

export async function bench({ quick }) {
  for (const rtt of [0, 40]) {
    const server = startProcess(new URL('../servers/syncline.mjs', import.meta.url))
    const clients = startProcess(new URL('clients.mjs', import.meta.url))
    const port = await server.call('open', { rows: 100 })
    const { pushes, syncs } = await clients.call('run', { port, rtt, count: quick ? 50 : 1000 })
    const over = rtt === 0 ? '' : ` over ${rtt} ms`
    report({ id: 'P05', what: `p95 of a push${over}`, unit: 'ms', value: quantile(pushes, 0.95), limit: 100 })
    report({ id: 'P05', what: `p95 of a sync${over}`, unit: 'ms', value: quantile(syncs, 0.95), limit: 100 })
    const { syncs: asked } = await clients.call('differential', { port, rtt, count: quick ? 50 : 1000 })
    report({
      id: 'P05',
      what: `p95 of a requestSync${over}`,
      unit: 'ms',
      value: quantile(asked, 0.95),
      limit: 100,
    })
    await Promise.all([server.stop(), clients.stop()])
  }
}
