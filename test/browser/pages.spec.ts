// What a newcomer tries first: the README's server as it is written there, and `npm start`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { freePort, sql, startPage } from './support/processes.ts'

const root = path.resolve(import.meta.dirname, '../..')

test('the quick start of the README, verbatim but for the port', async ({ page, context, browser }) => {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8')
  const [, code = ''] = /```js\n(import \{ createServer \}[\s\S]*?)```/.exec(readme) ?? []
  const port = await freePort()
  const folder = mkdtempSync(path.join(tmpdir(), 'syncline-readme-'))
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  writeFileSync(path.join(folder, 'server.mjs'), code.replace('listen(3000', `listen(${port}`))
  const server = spawn(process.execPath, ['server.mjs'], { cwd: folder, stdio: 'inherit' })
  try {
    const htmx = readFileSync(path.join(root, 'node_modules/htmx2/dist/htmx.min.js'), 'utf8')
    const other = await browser.newContext()
    for (const one of [context, other]) {
      await one.route('https://unpkg.com/**', route =>
        route.fulfill({ contentType: 'text/javascript', body: htmx }),
      )
    }
    const second = await other.newPage()
    const address = `http://localhost:${port}/`
    await expect
      .poll(() =>
        fetch(address).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
    await page.goto(address)
    await second.goto(address)
    await page.getByRole('button', { name: 'Add Alice' }).click()
    for (const one of [page, second]) await expect(one.locator('li')).toHaveText(['Alice'])
    await sql(path.join(folder, 'app.db'), "UPDATE users SET name = 'Grace'")
    for (const one of [page, second]) await expect(one.locator('li')).toHaveText(['Grace'])
    await other.close()
  } finally {
    server.kill()
    await once(server, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
})

test('npm start: one application in two browsers, and a clean end', async ({ page }) => {
  const server = await startPage().start()
  try {
    await page.goto(`http://localhost:${server.port}/`)
    const [ada, ben] = [page.frameLocator('iframe').first(), page.frameLocator('iframe').nth(1)]
    for (const frame of [ada, ben]) await expect(frame.locator('#word')).toHaveText('connected')
    await ada.getByLabel('What is to be done?').fill('Milk')
    await ada.getByRole('button', { name: 'Add', exact: true }).click()
    for (const frame of [ada, ben]) await expect(frame.locator('.todo .title').first()).toHaveText('Milk')
    // commands show as a whole, and what is wider than the page can be reached by keyboard
    await page.setViewportSize({ width: 320, height: 640 })
    const command = page.locator('.steps code')
    expect(await command.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)).toBe(0)
    for (const code of await page.locator('pre').all()) await expect(code).toHaveAttribute('tabindex', '0')
    for (const width of await Promise.all([
      page.locator(':root').evaluate(html => html.scrollWidth - html.clientWidth),
      ada.locator('html').evaluate(html => html.scrollWidth - html.clientWidth),
    ]))
      expect(width).toBe(0)
    await page.setViewportSize({ width: 1280, height: 800 })
    // two names of one machine are two devices: each keeps a copy of its own
    for (const frame of [ada, ben]) await expect(frame.locator('#storage')).toHaveText('IndexedDB')
    // and it leads to the other examples
    await page.getByRole('link', { name: 'Open the team notes' }).click()
    await page.getByRole('button', { name: 'Ben' }).click()
    await expect(page.locator('#pill')).toHaveText('connected')
    await page.goBack()
    await page.goBack()
    await page.getByRole('link', { name: 'Open the party plan' }).click()
    await expect(page.locator('#word')).toHaveText('connected')
    await page.getByLabel('Where').fill('The lake')
    await page.getByLabel('Where').blur()
    await expect(page.getByRole('status')).toHaveText('Live. Everything is saved.')
    expect(await server.stop('SIGTERM')).toBe(0)
  } finally {
    await server.dispose()
  }
})
