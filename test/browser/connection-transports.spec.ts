// Networks that do not like WebSockets, or streams, or anybody who has not signed in; and pages that are left.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { Proxy } from './support/http-proxy.ts'
import { site, sql } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import { record, told } from './support/recorder.ts'
import { counted } from './support/counted.ts'

let server: Server
let proxy: Proxy
let file: string

test.beforeEach(async ({ page }) => {
  server = await site().start()
  proxy = await Proxy.to(server.port)
  file = path.join(server.folder, 'app.db')
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace')")
  await record(page)
})
test.afterEach(async () => {
  await proxy.close()
  await server.dispose()
})

async function visit(page: Page, attributes = ''): Promise<void> {
  const query = new URLSearchParams({ attributes: `data-sync-entities="users" ${attributes}` })
  await page.goto(`${proxy.url}/?${query}`)
  await page.evaluate(() => window.rhtmxSync.ready)
}

const status = (page: Page) => page.evaluate(() => window.rhtmxSync.status())
const states = async (page: Page): Promise<unknown[]> =>
  (await told(page, 'rhtmx:connection:state')).map(({ state }) => state)

/** A change of somebody else comes to the page. */
async function live(page: Page, name: string): Promise<void> {
  await sql(file, `INSERT INTO users (name) VALUES ('${name}')`)
  const names = () => page.evaluate(() => window.rhtmxSync.getAll('users').map(row => row['name']))
  await expect.poll(names).toContain(name)
}

for (const how of ['refuse', 'hang', 'swallow'] as const) {
  test(`[K6] T-B02 upgrades: ${how}. Data flows by stream and POST meanwhile, and the ladder's word stays`, async ({
    page,
  }) => {
    proxy.upgrades = how
    await visit(page)
    expect(await page.evaluate(() => window.rhtmxSync.getAll('users').length)).toBe(1)
    await live(page, 'Alan')
    const pushed = await page.evaluate(() =>
      window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }),
    )
    expect(pushed.status).toBe('applied')
    const { transport, trying, online, state } = await status(page)
    expect({ transport, trying, online }).toEqual({ transport: 'sse', trying: 'websocket', online: true })
    expect(['connecting', 'reconnecting']).toContain(state)
    expect(proxy.requests).toContain('POST /api/sync/events?session')

    // the network gets better: over to the better transport, without a gap
    proxy.upgrades = 'pass'
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await expect.poll(async () => (await status(page)).transport).toBe('websocket')
    expect((await states(page)).at(-1)).toBe('connected')
    await live(page, 'Edsger')
    await expect(page.locator('#users p')).toHaveText(['Ada', 'Alan', 'Edsger'])
  })
}

test('X44 through a proxy that buffers what does not say otherwise, changes come one by one', async ({
  page,
}) => {
  proxy.buffering = 'polite'
  await visit(page, 'data-use-websocket="false"')
  expect((await states(page)).at(-1)).toBe('fallback_sse')
  await live(page, 'Alan')
  await live(page, 'Edsger')
})

test('[K9] X44 K21 where streams are held back whatever they say, long-poll carries, if it may', async ({
  page,
}) => {
  proxy.buffering = 'stubborn'
  proxy.upgrades = 'refuse'
  await visit(page, 'data-long-poll="true"')
  await expect.poll(async () => (await status(page)).transport).toBe('long-poll')
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.getAll('users').length)).toBe(1)
  await live(page, 'Alan')
  const pushed = await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  expect(pushed.status).toBe('applied')
  await expect(page.locator('#users p')).toHaveText(['Ada', 'Alan'])
})

for (const captive of ['page', 'redirect'] as const) {
  test(`[K5] X34 a captive portal (${captive}) is no server: edits wait and arrive`, async ({ page }) => {
    await visit(page)
    proxy.captive = captive
    proxy.cut()
    await expect.poll(async () => (await status(page)).online).toBe(false)
    const queued = await page.evaluate(() =>
      window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }),
    )
    expect(queued.status).toBe('queued')
    // long enough for the other transports to be tried as well
    await expect.poll(async () => (await status(page)).attempt).toBeGreaterThan(4)
    expect(await status(page)).toMatchObject({ online: false, pending: 1, deadLetters: 0 })
    proxy.captive = 'no'
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    await expect.poll(async () => (await status(page)).pending).toBe(0)
    await expect(page.locator('#users p')).toHaveText(['Ada'])
  })
}

test('[K10] X35 a page that is left holds no connection, and is live again when it comes back', async ({
  page,
}) => {
  await visit(page)
  expect(await counted(server)).toMatchObject({ open: 1, opened: 1 })
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })))
  await expect.poll(async () => (await counted(server)).open).toBe(0)
  await sql(file, "INSERT INTO users (name) VALUES ('Alan')")
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
  await expect(page.locator('#users p')).toHaveText(['Grace', 'Alan'])
  await live(page, 'Edsger')

  await page.goto(`${proxy.url}/fetched`)
  await page.goBack()
  await page.evaluate(() => window.rhtmxSync.ready)
  await live(page, 'Barbara')
})
