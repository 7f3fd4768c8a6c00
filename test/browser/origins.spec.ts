// A page of one origin, and the server at another: as with a development server of its own for the pages, or a name of its
// own for the API.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { counted } from './support/counted.ts'
import { site, sql } from './support/processes.ts'
import type { Server } from './support/processes.ts'

let pages: HttpServer
let server: Server
let html = ''

test.beforeEach(async () => {
  pages = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(html))
  pages.listen(0, '127.0.0.1')
  await once(pages, 'listening')
})
test.afterEach(async () => {
  pages.closeAllConnections()
  pages.close()
  await server.dispose()
})

// reason: a TCP server that listens has an address with a port
const origin = (): string => `http://localhost:${(pages.address() as AddressInfo).port}`

async function visit(page: Page, origins: string, attributes = ''): Promise<string> {
  server = await site({ ORIGINS: origins }).start()
  const file = path.join(server.folder, 'app.db')
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace')")
  const src = `http://localhost:${server.port}/api/sync/client.js`
  html = `<!doctype html><script src="${src}" data-sync-entities="users" ${attributes}></script>
    <b data-rhtmx-bind="users:1:name">-</b>`
  await page.goto(origin())
  await page.evaluate(() => window.rhtmxSync.ready)
  return file
}

const status = (page: Page) => page.evaluate(() => window.rhtmxSync.status())

async function expectLive(page: Page, file: string, transport: string): Promise<void> {
  await expect(page.locator('b')).toHaveText('Grace')
  await sql(file, "UPDATE users SET name = 'Ada'")
  await expect(page.locator('b')).toHaveText('Ada')
  const pushed = await page.evaluate(() =>
    window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Alan' }),
  )
  expect(pushed).toMatchObject({ status: 'applied' })
  expect((await status(page)).transport).toBe(transport)
}

for (const [transport, attributes] of [
  ['websocket', ''],
  ['sse', 'data-use-websocket="false"'],
  ['long-poll', 'data-use-websocket="false" data-long-poll="true"'],
] as const) {
  test(`[A2] X44 a page of an origin that is allowed by name, over ${transport}`, async ({ page }) => {
    if (transport === 'long-poll') await page.route('**/events?*stream=canonical', route => route.abort())
    const file = await visit(page, origin(), attributes)
    await expectLive(page, file, transport)
  })
}

test('[A2] where every origin is allowed, a page of any other one, over WebSocket', async ({ page }) => {
  const file = await visit(page, '*')
  await expectLive(page, file, 'websocket')
})

test('[A2] a page of an origin that is not allowed gets no byte of data, and its edits wait', async ({
  page,
}) => {
  const file = await visit(page, 'http://localhost:1')
  expect(await status(page)).toMatchObject({ online: false })
  await expect(page.locator('b')).toHaveText('-')
  expect(await page.evaluate(() => window.rhtmxSync.getAll('users'))).toEqual([])
  const queued = await page.evaluate(() =>
    window.rhtmxSync.pushChange('users', null, 'create', { name: 'Eve' }),
  )
  expect(queued.status).toBe('queued')
  await expect.poll(async () => (await counted(server)).open).toBe(0)
  await sql(file, "UPDATE users SET name = 'Ada'")
  await expect.poll(async () => (await status(page)).attempt).toBeGreaterThan(1)
  expect(await status(page)).toMatchObject({ online: false, pending: 1, deadLetters: 0 })
})
