// M3b: how long from opening a page until 100,000 existing rows are readable in Chromium, and until they are stored?
import { openSite } from '../browser.mjs'
import { middle, report, rounds } from '../measure.mjs'

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
  const site = await openSite(variant, { rows })
  const { page, marks } = await site.load()
  await site.check(page)
  await site.close()
  return marks
}
