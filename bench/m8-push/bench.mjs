// M8: how long from `pushChange` until the value shows, and until an edit is durable in IndexedDB? And until another tab
// shows what one tab hears or writes?
import { openSite } from '../browser.mjs'
import { median, report } from '../measure.mjs'

const rows = 10_000

export async function bench({ runs, quick }) {
  const count = quick ? 10 : 40
  const samples = { visible: [], durable: [], bare: [], heard: [], written: [] }
  for (let run = 0; run < runs; run++) {
    const sample = { ...(await alone(count)), ...(await together(count)) }
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
  // T-B21, T-B23: nothing is said of tabs anywhere
  report({
    id: 'M8',
    what: 'a change shown in another tab, after the tab that hears it',
    unit: 'ms',
    value: ms('heard'),
    limit: 100,
  })
  report({
    id: 'M8',
    what: 'an edit shown in another tab, after the tab that makes it',
    unit: 'ms',
    value: ms('written'),
    limit: 100,
  })
}

async function alone(count) {
  const site = await openSite('syncline', { rows })
  const { page } = await site.load()
  await page.evaluate(() => window.rhtmxSync.ready)
  const samples = await page.evaluate(times => window.push(times), count)
  await settled(site, [page])
  await site.close()
  return samples
}

async function together(count) {
  const site = await openSite('syncline', { rows })
  const { page: first } = await site.load()
  const { page: second } = await site.load()
  const pages = [first, second]
  for (const page of pages) await page.evaluate(() => window.rhtmxSync.ready)
  await withoutNetwork(site, second)
  const samples = { heard: [], written: [] }
  const make = {
    heard: title => site.server.call('exec', `UPDATE items SET title = '${title}' WHERE id = 1`),
    written: title => first.evaluate(name => window.edit(name), title),
  }
  for (let n = 1; n <= count; n++) {
    for (const how of ['heard', 'written']) {
      const title = `${how} ${n}`
      await make[how](title)
      const shown = pages.map(page => page.evaluate(name => window.shown(name), title))
      const [there, here] = await Promise.all(shown)
      samples[how].push(here - there)
      await first.evaluate(() => window.rest())
    }
  }
  await settled(site, pages)
  await site.close()
  return samples
}

/** What the tab shows it has of the other one. */
async function withoutNetwork({ context }, page) {
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const nothing = { latency: 0, downloadThroughput: 0, uploadThroughput: 0 }
  await session.send('Network.emulateNetworkConditions', { offline: true, ...nothing })
}

async function settled(site, pages) {
  for (const page of pages) {
    await page.waitForFunction(() => window.rhtmxSync.pending().length === 0)
    await site.check(page)
  }
}
