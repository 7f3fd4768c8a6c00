// The example as an application on a device: opened without a server, over a cut and over a frozen wire, in five tabs.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { sql, todoSync } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import { Wire } from './support/proxy.ts'

let server: Server
let wire: Wire
let file: string

test.beforeEach(async () => {
  server = await todoSync().start()
  wire = await Wire.to(server.port)
  file = path.join(server.folder, 'todo.db')
  await sql(file, "DELETE FROM todos; INSERT INTO todos (id, title, list) VALUES (1, 'Coffee', 'Groceries')")
})
test.afterEach(async () => {
  await wire.close()
  await server.dispose()
})

const titles = (page: Page) => page.locator('.todo .title')

async function add(page: Page, title: string): Promise<void> {
  await page.getByLabel('What is to be done?').fill(title)
  await page.keyboard.press('Enter')
}

/** What the worker holds, by path. */
const kept = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const requests = await Promise.all(
      (await caches.keys()).map(async name => (await caches.open(name)).keys()),
    )
    return requests.flat().map(({ url }) => new URL(url).pathname)
  })

async function open(page: Page): Promise<void> {
  await page.goto(wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
  await expect(titles(page)).toHaveText(['Coffee'])
  await expect
    .poll(async () => (await kept(page)).map(name => name.replace(/[\da-f]{16}/, '#')).toSorted())
    .toEqual(
      expect.arrayContaining([
        '/',
        '/api/sync/client.#.js',
        '/api/sync/lazy.#.js',
        '/app.js',
        '/htmx.js',
        '/panel.js',
        '/style.css',
        '/view.mjs',
      ]),
    )
}

test('[F11] reloading while the server is dead: local rows, unsent edits on top, sent when it is back', async ({
  page,
}) => {
  await open(page)
  await server.stop('SIGKILL')
  await expect(page.locator('#word')).toHaveText('reconnecting')
  await add(page, 'Milk')
  await page.getByRole('checkbox', { name: 'Coffee' }).check()
  for (let i = 0; i < 2; i += 1) {
    await page.reload()
    await expect(titles(page)).toHaveText(['Milk', 'Coffee'])
    await expect(page.getByRole('checkbox', { name: 'Coffee' })).toBeChecked()
    await expect(page.getByRole('status')).toHaveText('Offline. 2 edits wait on this device.')
    await expect(page.locator('#storage')).toHaveText('IndexedDB')
  }
  // forms work in a page that was opened without a server
  await add(page, 'Bread')
  await expect(titles(page)).toContainText(['Bread'])
  // nothing of the sync routes but the scripts is in the cache
  expect((await kept(page)).filter(name => name.includes('/api/sync/') && !name.endsWith('.js'))).toEqual([])
  await server.start()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  await expect(titles(page)).toHaveText(['Bread', 'Milk', 'Coffee'])
  expect(await page.evaluate(() => window.rhtmxSync.getAll('todos').length)).toBe(3)
})

test('[F11] reloading over a frozen wire: the page comes, and what was written is sent later', async ({
  page,
}) => {
  await open(page)
  await page.evaluate(() => window.rhtmxSync.disconnect())
  await add(page, 'Milk')
  wire.freeze()
  await page.reload()
  await expect(titles(page)).toHaveText(['Milk', 'Coffee'])
  wire.cut()
  wire.mend()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  await expect(titles(page)).toHaveText(['Milk', 'Coffee'])
})

test('[F11] a new version of the page is taken at the next load, and the worker is the one of the guide', async ({
  page,
}) => {
  await open(page)
  await sql(file, "UPDATE todos SET title = 'Tea'")
  await page.reload()
  await expect(titles(page)).toHaveText(['Tea'])
  const root = path.resolve(import.meta.dirname, '../..')
  const guide = readFileSync(path.join(root, 'docs/guides/offline.md'), 'utf8')
  for (const name of ['sw.js', 'install.js'])
    expect(guide).toContain(readFileSync(path.join(root, 'examples/todo_sync/public', name), 'utf8'))
})

test('the example can be installed', { tag: '@chromium' }, async ({ page, context }) => {
  await open(page)
  const session = await context.newCDPSession(page)
  const manifest = await session.send('Page.getAppManifest')
  expect(manifest.errors).toEqual([])
  expect(JSON.parse(manifest.data ?? '')).toMatchObject({ name: 'Todos', display: 'standalone' })
  const problems = await session.send('Page.getInstallabilityErrors')
  // a test's profile is not one that things are installed into
  expect(problems.installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([])
})

test('T-K02 five tabs of one browser, one of which leads', async ({ context }) => {
  const pages: Page[] = []
  for (let i = 0; i < 5; i++) {
    const page = await context.newPage()
    pages.push(page)
    await page.goto(wire.url)
    await page.evaluate(() => window.rhtmxSync.ready)
  }
  for (const [i, page] of pages.entries()) await add(page, `From tab ${i}`)
  for (const page of pages) await expect(titles(page)).toHaveCount(6)
  for (const page of pages)
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  for (const page of pages) await expect(page.locator('#leader')).toHaveText(/this window|another window/)
  expect(await pages[0]?.locator('#storage').textContent()).toBe('IndexedDB')
})

test('an edit that lost against somebody else’s is announced', async ({ page }) => {
  await open(page)
  wire.cut()
  await expect(page.locator('#word')).toHaveText('reconnecting')
  await page.getByRole('button', { name: 'Edit “Coffee”' }).click()
  await page.getByRole('dialog').getByLabel('Title').fill('Mine')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(titles(page)).toHaveText(['Mine'])
  await sql(file, "UPDATE todos SET title = 'Theirs'")
  wire.mend()
  await expect(titles(page)).toHaveText(['Theirs'])
  const notices = page.getByRole('log', { name: 'Notices' })
  await expect(notices).toHaveText(/Somebody else changed “Theirs” meanwhile/)
  await notices.getByRole('button', { name: 'OK' }).click()
  await expect(notices).toHaveText('')
})

test('without scripts the form is an ordinary form', async ({ browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(wire.url)
  await page.getByLabel('What is to be done?').fill('Plain')
  await page.getByRole('button', { name: 'Add' }).click()
  await expect(page).toHaveURL(`${wire.url}/`)
  await context.close()
  expect(await (await fetch(`${wire.url}/rows`)).text()).toContain('Plain')
})
