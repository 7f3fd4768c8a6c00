// M8: how long from `pushChange` until the value shows, and until an edit is durable in IndexedDB?
import { openBrowser } from '../browser.mjs'
import { expect, median, report } from '../measure.mjs'
import { startProcess } from '../process.mjs'

const rows = 10_000

export async function bench({ runs, quick }) {
  const count = quick ? 10 : 40
  const samples = { visible: [], durable: [], bare: [] }
  for (let run = 0; run < runs; run++) {
    const sample = await once(count)
    for (const name of Object.keys(samples)) samples[name].push(median(sample[name]))
  }
  const ms = name => median(samples[name])
  report({ id: 'M8', what: 'pushChange until it shows', unit: 'ms', value: ms('visible'), limit: 16 })
  report({
    id: 'M8',
    what: 'an edit until it is durable',
    unit: 'ms',
    value: ms('durable'),
    control: ms('bare'),
    name: 'a strict put',
    limit: 1.5,
  })
}

async function once(count) {
  const server = startProcess(new URL('../servers/syncline.mjs', import.meta.url))
  const port = await server.call('open', { rows })
  const browser = await openBrowser()
  const page = await browser.context.newPage()
  await page.goto(`http://localhost:${port}/page?rows=${rows}`)
  await page.evaluate(() => window.loaded.then(() => window.rhtmxSync.ready))
  const samples = await page.evaluate(times => window.push(times), count)
  await page.waitForFunction(() => window.rhtmxSync.pending().length === 0)
  const digest = await page.evaluate(() => window.replica())
  expect(digest === (await server.call('digest')), 'the table does not hold what was pushed')
  await browser.close()
  await server.stop()
  return samples
}
