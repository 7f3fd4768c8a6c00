// The same page over https, from a server whose certificate was made for this test.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { site, sql } from './support/processes.ts'

const pem = path.join(import.meta.dirname, 'support/localhost.pem')

test('T-B04 over https the page uses wss, and over http ws', async ({ browser }) => {
  for (const secure of [true, false]) {
    const server = await site(secure ? { TLS: pem } : {}).start()
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const sockets: string[] = []
    page.on('websocket', socket => sockets.push(socket.url()))
    await page.goto(`http${secure ? 's' : ''}://localhost:${server.port}/`)
    await page.evaluate(() => window.rhtmxSync.ready)
    await page.evaluate(() => window.rhtmxSync.pushChange('users', null, 'create', { name: 'Ada' }))
    await sql(path.join(server.folder, 'app.db'), "INSERT INTO users (name) VALUES ('Grace')")
    await expect(page.locator('#users p')).toHaveText(['Ada', 'Grace'])
    expect(sockets).toEqual([`ws${secure ? 's' : ''}://localhost:${server.port}/api/sync/ws`])
    await context.close()
    await server.dispose()
  }
})

test('[K13] X75 a browser that saves data asks for compression', async ({ page }) => {
  const server = await site().start()
  await page.addInitScript(() =>
    Object.defineProperty(navigator, 'connection', { value: { saveData: true } }),
  )
  const sockets: string[] = []
  page.on('websocket', socket => sockets.push(socket.url()))
  await page.goto(`http://localhost:${server.port}/`)
  await page.evaluate(() => window.rhtmxSync.ready)
  await page.evaluate(() => window.rhtmxSync.pushChange('users', null, 'create', { name: 'Ada' }))
  await expect(page.locator('#users p')).toHaveText(['Ada'])
  expect(sockets).toEqual([`ws://localhost:${server.port}/api/sync/ws?compress=1`])
  await server.dispose()
})
