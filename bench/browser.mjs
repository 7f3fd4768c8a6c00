// A real Chromium with a profile on disk, fresh for each sample, what it stores it stores for good; and the measured
// server whose pages it opens.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright'
import { chromium as installed } from '../tools/chromium.mjs'
import { expect } from './measure.mjs'
import { startProcess } from './process.mjs'
import { openProxy } from './proxy.mjs'

const { executablePath, env, args } = await installed()

/** `variant`: whose server, opened with `options`. `proxied`: the browser reaches it through `site.proxy`. */
export async function openSite(variant, { proxied = false, ...options }) {
  const server = startProcess(new URL(`servers/${variant}.mjs`, import.meta.url))
  const port = await server.call('open', options)
  const proxy = proxied ? await openProxy(port) : null
  const profile = mkdtempSync(path.join(tmpdir(), 'syncline-profile-'))
  const context = await chromium.launchPersistentContext(profile, { executablePath, env, args })
  const origin = `http://localhost:${proxy?.port ?? port}`
  return {
    server,
    proxy,
    context,
    profile,
    /** A tab with the page in it; `prepare(page)` comes before anything is loaded that counts. */
    async open(prepare = async () => {}) {
      const page = await context.newPage()
      // so that the start of the tab's process is not counted
      await page.goto(`${origin}/page/table.js`)
      await prepare(page)
      await page.goto(`${origin}/page?rows=${options.rows}`)
      return page
    },
    /** A tab that holds all rows, and when it had them. */
    async load() {
      const page = await this.open()
      return { page, marks: await page.evaluate(() => window.loaded.then(() => marks)) }
    },
    async check(page) {
      const digest = await page.evaluate(() => window.replica())
      expect(
        digest === (await server.call('digest')),
        `${variant}: the rows of the page differ from the table`,
      )
    },
    async close() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
      await server.stop()
      await proxy?.close()
    },
  }
}
