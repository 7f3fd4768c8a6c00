// M3c: 100,000 rows are stored in Chromium; how long from opening the page anew until they are readable?
import { openBrowser } from '../browser.mjs'
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

export async function bench({ runs, quick }) {
  const rows = quick ? 20_000 : 100_000
  const samples = await rounds(['floor', 'syncline'], runs, variant => once(variant, rows))
  const ms = variant => middle(samples[variant], sample => sample)
  report({
    id: 'M3c',
    what: `${rows} rows readable after a reload`,
    unit: 'ms',
    value: ms('syncline'),
    control: ms('floor'),
    limit: 1.5,
  })
}

async function once(variant, rows) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const port = await server.call('open', { rows })
  const browser = await openBrowser()
  const address = `http://localhost:${port}/page?rows=${rows}`
  const first = await browser.context.newPage()
  await first.goto(address)
  await first.evaluate(() => window.loaded)
  await first.close()
  const page = await browser.context.newPage()
  await page.goto(`http://localhost:${port}/page/table.js`)
  await page.goto(address)
  const { readable } = await page.evaluate(() => window.loaded.then(() => marks))
  const digest = await page.evaluate(() => window.replica())
  expect(digest === (await server.call('digest')), `${variant}: the stored rows differ from the table`)
  await browser.close()
  await server.stop()
  return readable
}
