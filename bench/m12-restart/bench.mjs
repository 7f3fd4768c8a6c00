// M12: a server is restarted under 1,000 clients: are all of them back, and how soon after it listens again?
import { expect, middle, quantile, report } from '../measure.mjs'
import { startProcess } from '../process.mjs'
import { temporaryFolder } from '../rows.mjs'

export async function bench({ runs, quick }) {
  const count = quick ? 200 : 1000
  for (const { how, what } of [
    { how: 'close', what: 'stopped in peace' },
    { how: 'kill', what: 'killed' },
  ]) {
    const samples = []
    for (let i = 0; i < runs; i++) samples.push(await once(how, count))
    const p95 = middle(samples, ({ ms }) => quantile(ms, 0.95))
    report({
      id: 'M12',
      what: `${what}: p95 until up to date, ${count} clients`,
      unit: 'ms',
      value: p95,
      limit: 3000,
    })
    const most = middle(samples, sample => sample.most)
    report({ id: 'M12', what: `${what}: most catch-ups at once`, unit: '', value: most, limit: 64 })
  }
}

async function once(how, count) {
  const folder = temporaryFolder()
  const open = async port => {
    const server = startProcess(new URL('server.mjs', import.meta.url))
    return { server, port: await server.call('open', { folder, port }) }
  }
  const { server, port } = await open(0)
  const clients = startProcess(new URL('clients.mjs', import.meta.url))
  await clients.call('connect', { port, count })
  // the port is free only when the process is gone
  if (how === 'close') await server.call('close')
  await server.stop()
  await clients.call('away')
  const next = await open(port)
  const listening = Date.now()
  const { times, digest } = await clients.call('back')
  const { most } = (await next.server.call('stats')).catchUps
  expect(times.length === count, `${count - times.length} did not come back`)
  expect(digest === (await next.server.call('digest')), 'a replica differs from the table')
  await Promise.all([next.server.stop(), clients.stop()])
  return { ms: times.map(time => time - listening), most }
}
