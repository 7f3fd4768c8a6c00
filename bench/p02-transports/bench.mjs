// T-P02, T-P03, T-P04: the same edits of a page over one WebSocket, and over SSE with POST: how many bytes, over how many
// connections, and how much of the server's CPU?
import { openSite } from '../browser.mjs'
import { expect, middle, report, rounds } from '../measure.mjs'

const rows = 100

export async function bench({ runs, quick }) {
  const count = quick ? 100 : 500
  const samples = await rounds(['websocket', 'sse'], runs, name => once(name, count))
  const compare = (id, what, unit, figure, limit) =>
    report({
      id,
      what,
      unit,
      value: middle(samples.websocket, figure),
      control: middle(samples.sse, figure),
      name: 'SSE and POST',
      limit,
    })
  const each = sample => (sample.up + sample.down) / count
  compare('P02', 'an edit and its answer, all bytes', 'B', each, 0.5)
  compare('P03', 'connections that carry them', 'TCP', sample => sample.connections, 0.7)
  // what is asked for is the number
  compare('P04', `server CPU of ${count} edits`, 'ms', sample => sample.cpu / 1000, null)
}

async function once(name, count) {
  const site = await openSite('syncline', { rows, proxied: true, webSocket: name === 'websocket' })
  const { page } = await site.load()
  await page.evaluate(() => window.rhtmxSync.ready)
  // the second script is not to be counted
  await page.waitForFunction(() =>
    performance.getEntriesByType('resource').some(({ name: url }) => url.includes('/lazy.')),
  )
  const before = await site.server.call('resources')
  site.proxy.take()
  await page.evaluate(times => window.editInTurn(times), count)
  const sample = site.proxy.take()
  const after = await site.server.call('resources')
  const transport = await page.evaluate(() => window.rhtmxSync.status().transport)
  expect(transport === name, `it went over ${transport}`)
  await site.check(page)
  await site.close()
  return { ...sample, cpu: after.cpu - before.cpu }
}
