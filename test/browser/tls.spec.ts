// The same page over https, from a server whose certificate was made for this test.
import path from 'node:path'
import { expect, type Page, test } from '@playwright/test'
import { home } from './support/home.ts'
import { site, sql } from './support/processes.ts'
import { Wire } from './support/proxy.ts'

const pem = path.join(import.meta.dirname, 'support/localhost.pem')

declare global {
  interface Window {
    sockets: string[]
  }
}

/** In the page, as only Chromium tells the test of sockets. */
const recordSockets = (page: Page) =>
  page.addInitScript(() => {
    window.sockets = []
    window.WebSocket = class extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args)
        window.sockets.push(this.url)
      }
    }
  })
const socketsOf = (page: Page) => page.evaluate(() => window.sockets)

test('T-B04 over https the page uses wss, and over http ws', async ({ browser }) => {
  for (const secure of [true, false]) {
    const server = await site(secure ? { TLS: pem } : {}).start()
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await recordSockets(page)
    await page.goto(`http${secure ? 's' : ''}://localhost:${server.port}/`)
    await page.evaluate(() => window.rhtmxSync.ready)
    await page.evaluate(() => window.rhtmxSync.pushChange('users', null, 'create', { name: 'Ada' }))
    await sql(path.join(server.folder, 'app.db'), "INSERT INTO users (name) VALUES ('Grace')")
    await expect(page.locator('#users p')).toHaveText(['Ada', 'Grace'])
    expect(await socketsOf(page)).toEqual([`ws${secure ? 's' : ''}://localhost:${server.port}/api/sync/ws`])
    await context.close()
    await server.dispose()
  }
})

test('[K13] X75 a browser that saves data asks for compression, and gets it', async ({ page }) => {
  const server = await site().start()
  const wire = await Wire.to(server.port)
  await page.addInitScript(() =>
    Object.defineProperty(navigator, 'connection', { value: { saveData: true } }),
  )
  await recordSockets(page)
  await page.goto(wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
  await page.evaluate(() => window.rhtmxSync.pushChange('users', null, 'create', { name: 'Ada' }))
  await expect(page.locator('#users p')).toHaveText(['Ada'])
  expect(await socketsOf(page)).toEqual([`ws://localhost:${wire.port}/api/sync/ws?compress=1`])
  await home(page)
  const before = wire.down
  // nothing is to be fetched
  await page.locator('#users').evaluate(list => list.remove())
  const email = 'ada@example.org '.repeat(400)
  await sql(path.join(server.folder, 'app.db'), `UPDATE users SET email = '${email}'`)
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.get('users', 1)?.['email'])).toBe(email)
  expect(wire.down - before).toBeLessThan(email.length / 2)
  await wire.close()
  await server.dispose()
})
