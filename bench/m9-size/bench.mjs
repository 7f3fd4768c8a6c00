// M9: how many bytes of scripts, gzip -9, has a first visit loaded when `rhtmx:sync:ready` fires, and how many come later?
// Of a page with the script of rows, and of one with the script of fields.
import { gzipSync } from 'node:zlib'
import { openSite } from '../browser.mjs'
import { expect, report } from '../measure.mjs'

export async function bench() {
  await measure('client', 'rows')
  await measure('field-client', 'fields')
}

async function measure(script, grain) {
  const fieldSync = grain === 'fields' && 'last-write-wins'
  const site = await openSite('syncline', { rows: 100, script, fieldSync })
  const page = await site.open(opened =>
    opened.addInitScript(() => {
      window.scripts = () =>
        performance
          .getEntriesByType('resource')
          .map(({ name }) => name)
          .filter(name => new URL(name).pathname.startsWith('/api/sync/') && name.includes('.js'))
      addEventListener('rhtmx:sync:ready', () => (window.first = window.scripts()), { once: true })
    }),
  )
  await page.waitForFunction(
    () => window.first !== undefined && window.scripts().some(n => n.includes('lazy')),
  )
  const { first, all } = await page.evaluate(() => ({ first: window.first, all: window.scripts() }))
  const later = all.filter(url => !first.includes(url))
  expect(first.length > 0 && new Set(all).size === all.length, `loaded were ${all.join()}`)
  await site.check(page)
  const value = async urls => {
    const texts = await Promise.all(urls.map(async url => (await fetch(url)).text()))
    return texts.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0)
  }
  const what = `scripts of a first visit when it is ready, ${grain}, gzip -9`
  report({ id: 'M9', what, unit: 'B', value: await value(first), limit: 12_288 })
  report({
    id: 'M9',
    what: `scripts that come after it, ${grain}`,
    unit: 'B',
    value: await value(later),
    limit: 6144,
  })
  await site.close()
}
