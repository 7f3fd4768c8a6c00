// Pages that say which scripts may run.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")

/** The page with nothing but its script, under `policy`; `head` comes first. */
async function openUnder(page: Page, policy: string, head = '', nonce = ''): Promise<void> {
  const body = `<!doctype html><head>${head}</head>
    <script src="/api/sync/client.js" data-sync-entities="users" ${nonce}></script>`
  await page.route(`${on.wire.url}/`, async route => {
    const headers = { 'content-type': 'text/html', 'content-security-policy': policy }
    await route.fulfill({ headers, body })
  })
  await page.goto(on.wire.url)
  await page.evaluate(() => window.rhtmxSync.ready)
  await expect.poll(() => page.evaluate(() => 'rhtmxLazy' in window)).toBe(true)
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
}

test('a policy of its own origin is enough', async ({ page }) => {
  await openUnder(page, "default-src 'self'")
})

test('a policy of nonces that trusts what trusted scripts load is enough', async ({ page }) => {
  await openUnder(
    page,
    "script-src 'nonce-abc' 'strict-dynamic'; require-trusted-types-for 'script'",
    '<script nonce="abc">self.trustedTypes?.createPolicy("default", { createScriptURL: url => url })</script>',
    'nonce="abc"',
  )
})
