// `DifferentialSyncClient` in pages that have a disk: reloads, days without a network, several tabs of one browser.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { BrowserContext, Page } from '@playwright/test'
import type * as Differential from 'syncline/differential'
import { counted } from './support/counted.ts'
import { disk } from './support/disk.ts'
import { sql } from './support/processes.ts'
import { freshSite } from './support/site.ts'

declare global {
  interface Window {
    client: Differential.DifferentialSyncClient
    storage: Differential.StorageDetail[]
    errors: string[]
  }
}

const on = freshSite("INSERT INTO people (id, name) VALUES (1, 'Ada')")
const dist = path.resolve(import.meta.dirname, '../../dist')

/** The page and its modules come whether there is a network or not; the socket goes over the wire. */
async function serve(context: BrowserContext): Promise<void> {
  await context.route('**/page', route =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>page</title>' }),
  )
  await context.route('**/modules/**', route =>
    route.fulfill({
      path: path.join(dist, new URL(route.request().url()).pathname.slice('/modules/'.length)),
    }),
  )
}

test.beforeEach(async ({ context, browserName }) => {
  await serve(context)
  // a page that Playwright makes up is of no network, and this one is local
  if (browserName === 'chromium') await context.grantPermissions(['local-network-access'])
})

/** A client of this page, which is not connected yet. */
async function start(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const { DifferentialSyncClient } = (await import(
      `${location.origin}/modules/faces/differential/index.js`
    )) as typeof Differential
    const client = new DifferentialSyncClient({
      clientId: 'dashboard',
      websocketUrl: `ws://${location.host}/api/sync/ws`,
      entityTypes: ['people'],
      store: 'indexeddb',
      // nobody waits here for a network that comes back
      retryDelay: 10,
      maxRetries: 1_000_000,
    })
    Object.assign(window, { client, storage: [], errors: [] })
    client.on('storage', detail => window.storage.push(detail))
    client.on('error', ({ code }) => window.errors.push(code))
    await client.client.ready
  })
}

async function open(page: Page): Promise<Page> {
  await page.goto(`${on.wire.url}/page`)
  await start(page)
  return page
}

const follow = (page: Page) =>
  page.evaluate(async () => {
    await window.client.connect()
    await window.client.subscribe()
  })
const write = (page: Page, id: number, name: string) =>
  page.evaluate(([id, name]) => window.client.updateLocalState({ [id]: { name } }, 'people'), [
    id,
    name,
  ] as const)
const names = (page: Page) =>
  page.evaluate(() =>
    Object.values(window.client.getLocalState('people')).map(row => (row as { name: string }).name),
  )
const status = (page: Page) => page.evaluate(() => window.client.getSyncStatus())
const pending = async (page: Page) => (await status(page)).pendingChanges
const offline = (page: Page) => expect.poll(async () => (await status(page)).isConnected).toBe(false)

/** On disk; there is no other sign of it than the disk's own. */
const stored = (page: Page, count: number) =>
  expect
    .poll(async () => (await disk(page, '_pending', 'differential-dashboard-anon')).keys.length)
    .toBe(count)

test('[W7] state and unsent edits outlive the page, without a network too', async ({ page }) => {
  await open(page)
  await follow(page)
  await expect.poll(() => names(page)).toEqual(['Ada'])
  on.wire.cut()
  await offline(page)
  await write(page, 2, 'offline')
  await write(page, 1, 'Ada L.')
  await stored(page, 2)
  for (let i = 0; i < 2; i++) {
    await page.reload()
    await start(page)
    expect(await names(page)).toEqual(['Ada L.', 'offline'])
    expect(await status(page)).toMatchObject({ storage: 'indexeddb', pendingChanges: 2 })
  }
  on.wire.mend()
  await sql(on.file, "UPDATE people SET email = 'meanwhile'")
  await follow(page)
  await expect.poll(() => pending(page)).toBe(0)
  await sql(on.file, "INSERT INTO people (id, name) VALUES (3, 'live')")
  await expect.poll(() => names(page)).toEqual(['Ada L.', 'offline', 'live'])
  expect(await page.evaluate(() => window.client.getLocalState('people')['1'])).toMatchObject({
    name: 'Ada L.',
    email: 'meanwhile',
  })
  expect(await page.evaluate(() => [window.storage, window.errors])).toEqual([[], []])
})

test('[W7] [W9] of two tabs one has the disk, and the other is told that it has none; nothing is lost or doubled while both are there', async ({
  context,
  page,
}) => {
  const first = await open(page)
  const second = await open(await context.newPage())
  const all = [first, second]
  for (const tab of all) await follow(tab)
  expect((await counted(on.server)).open).toBe(2)
  expect(await Promise.all(all.map(async tab => (await status(tab)).storage))).toEqual([
    'indexeddb',
    'memory',
  ])
  expect(await Promise.all(all.map(tab => tab.evaluate(() => window.storage)))).toEqual([
    [],
    [{ storage: 'memory', reason: 'busy', error: null }],
  ])
  on.wire.cut()
  for (const tab of all) await offline(tab)
  await write(first, 11, 'of the first')
  await write(second, 12, 'of the second')
  // each shows its own
  expect([await names(first), await names(second)]).toEqual([
    ['Ada', 'of the first'],
    ['Ada', 'of the second'],
  ])
  on.wire.mend()
  for (const tab of all) {
    await expect.poll(() => pending(tab)).toBe(0)
    await expect.poll(() => names(tab)).toEqual(['Ada', 'of the first', 'of the second'])
  }
  // the first leaves with an edit that nobody has; the second stays what it is
  on.wire.cut()
  await offline(first)
  await write(first, 13, 'left behind')
  await stored(first, 1)
  await first.close()
  on.wire.mend()
  await expect.poll(async () => (await status(second)).isConnected).toBe(true)
  await write(second, 14, 'goes on')
  await expect.poll(() => pending(second)).toBe(0)
  expect((await status(second)).storage).toBe('memory')
  // whoever comes next has the disk, and sends what was left there
  const third = await open(await context.newPage())
  expect(await status(third)).toMatchObject({ storage: 'indexeddb', pendingChanges: 1 })
  await follow(third)
  for (const tab of [second, third])
    await expect
      .poll(() => names(tab))
      .toEqual(['Ada', 'of the first', 'of the second', 'left behind', 'goes on'])
  expect(await pending(third)).toBe(0)
})
