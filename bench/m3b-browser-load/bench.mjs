// M3b: how long from opening a page until 100,000 existing rows are readable in Chromium, and until they are stored?
import { openBrowser } from '../browser.mjs'
import { expect, middle, report, rounds } from '../measure.mjs'
import { startProcess } from '../process.mjs'

export async function bench({ runs, quick }) {
  const rows = quick ? 20_000 : 100_000
  const samples = await rounds(['floor', 'syncline'], runs, variant => once(variant, rows))
  for (const mark of ['readable', 'stored']) {
    const ms = variant => middle(samples[variant], sample => sample[mark])
    report({
      id: 'M3b',
      what: `${rows} rows ${mark} in Chromium`,
      unit: 'ms',
      value: ms('syncline'),
      control: ms('floor'),
      limit: 1.5,
    })
  }
}

async function once(variant, rows) {
  const server = startProcess(new URL(`../servers/${variant}.mjs`, import.meta.url))
  const port = await server.call('open', { rows })
  const browser = await openBrowser()
  const page = await browser.context.newPage()
  await page.goto(`http://localhost:${port}/page/table.js`)
  await page.goto(`http://localhost:${port}/page?rows=${rows}`)
  const marks = await page.evaluate(() => window.loaded.then(() => marks))
  const digest = await page.evaluate(() => window.replica())
  expect(digest === (await server.call('digest')), `${variant}: the loaded rows differ from the table`)
  await browser.close()
  await server.stop()
  return marks
}
