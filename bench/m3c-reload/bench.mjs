// M3c: 100,000 rows are stored in Chromium; how long from opening the page anew until they are readable?
import { openSite } from '../browser.mjs'
import { middle, report, rounds } from '../measure.mjs'

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
  const site = await openSite(variant, { rows })
  const first = await site.load()
  await first.page.close()
  const { page, marks } = await site.load()
  await site.check(page)
  await site.close()
  return marks.readable
}
