// M7: 1,000 edits of 100 rows were made offline, the page is opened anew: how long until the server has stored them all
// and IndexedDB holds none of them any more, and in how many frames?
import { openSite } from '../browser.mjs'
import { expect, middle, report } from '../measure.mjs'
import { digest, makeRow, valuesOf } from '../rows.mjs'

const rows = 100
const edits = 1000

export async function bench({ runs }) {
  const samples = []
  for (let run = 0; run < runs; run++) samples.push(await once())
  const value = figure => middle(samples, sample => sample[figure])
  const what = `${edits} offline edits, from opening the page until stored`
  report({ id: 'M7', what, unit: 'ms', value: value('ms'), limit: 1000 })
  report({ id: 'M7', what: 'frames sent', unit: 'frames', value: value('sent'), limit: 10 })
  report({ id: 'M7', what: 'frames received', unit: 'frames', value: value('received'), limit: 10 })
}

async function once() {
  const site = await openSite('syncline', { rows, proxied: true })
  const { page: before } = await site.load()
  await before.evaluate(() => window.rhtmxSync.ready)
  site.proxy.cut()
  await before.waitForFunction(() => !window.rhtmxSync.isOnline)
  await before.evaluate(([count, of]) => window.editMany(count, of), [edits, rows])
  await before.close()
  site.proxy.mend()
  const counts = { sent: 0, received: 0, results: 0 }
  const page = await site.open(async opened => {
    opened.on('websocket', socket => {
      socket.on('framesent', () => (counts.sent += 1))
      socket.on('framereceived', ({ payload }) => {
        counts.received += 1
        const { type, results } = JSON.parse(payload)
        if (type !== 'results') return
        expect(
          results.every(({ status }) => status === 'applied'),
          'an edit was not applied',
        )
        counts.results += results.length
      })
    })
  })
  const ms = await page.evaluate(() => window.drained())
  const { results, ...frames } = counts
  expect(results === edits, `${results} results`)
  await site.check(page)
  expect((await site.server.call('digest')) === expected(), 'the table does not hold the last edits')
  await site.close()
  return { ms, ...frames }
}

/** The table under the last edit of each row. */
function expected() {
  const table = Array.from({ length: rows }, (_, i) => makeRow(i + 1))
  for (let i = 0; i < edits; i++) table[i % rows].title = `edit ${i}`
  return digest(table.map(valuesOf))
}
