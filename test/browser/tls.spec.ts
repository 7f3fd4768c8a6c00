// The same page over https, from a server whose certificate was made for this test.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { site, sql } from './support/processes.ts'

test('T-B04 over https the page uses wss, and over http ws', async ({ browser }) => {
  test.skip(spawnSync('openssl', ['version']).status !== 0, 'openssl makes the certificate')
  const folder = mkdtempSync(path.join(tmpdir(), 'syncline-tls-'))
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
  const made = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  execFileSync('openssl', [...made.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })
  for (const secure of [true, false]) {
    const server = await site(secure ? { TLS_KEY: key, TLS_CERT: cert } : {}).start()
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
  rmSync(folder, { recursive: true })
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
