// Signing in and out in a real browser, with a real Better Auth: its cookie is all there is.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { BrowserContext, Page } from '@playwright/test'
import { Server, sql } from './support/processes.ts'
import { Wire } from './support/proxy.ts'
import { record, told } from './support/recorder.ts'

let server: Server
let wire: Wire
let file = ''

test.beforeEach(async () => {
  server = await new Server((port, folder) => ({
    args: [
      path.join(import.meta.dirname, 'support/auth-site.mjs'),
      path.join(folder, 'app.db'),
      String(port),
    ],
  })).start()
  wire = await Wire.to(server.port)
  file = path.join(server.folder, 'app.db')
})

test.afterEach(async () => {
  await wire.close()
  await server.dispose()
})

/** As a page does: the answer sets the cookie. */
async function ask(page: Page, route: string, body: object): Promise<void> {
  const status = await page.evaluate(
    async ([route, body]) =>
      (
        await fetch(`/api/auth/${route}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      ).status,
    [route, body] as const,
  )
  expect([route, status]).toEqual([route, 200])
}

const account = (name: string) => ({ name, email: `${name}@example.com`, password: 'correct horse' })
const signUp = (page: Page, name: string): Promise<void> => ask(page, 'sign-up/email', account(name))
const signIn = (page: Page, name: string): Promise<void> => ask(page, 'sign-in/email', account(name))

const status = (page: Page) => page.evaluate(() => window.rhtmxSync.status())
const stateOf = async (page: Page): Promise<string> => (await status(page)).state
const add = (page: Page, title: string) =>
  page.evaluate(title => window.rhtmxSync.pushChange('todos', null, 'create', { title }), title)

async function counts(): Promise<{ requests: number; sockets: number }> {
  const answer = await fetch(`http://localhost:${server.port}/counts`)
  return (await answer.json()) as { requests: number; sockets: number }
}

/** Signed in before the page is there. */
async function openAs(page: Page, name: string): Promise<void> {
  await record(page)
  await page.goto(`${wire.url}/blank`)
  await signUp(page, name)
  await page.goto(wire.url)
  await expect.poll(() => stateOf(page)).toBe('connected')
}

/** Another device of the same user ends all sessions. */
async function revokeElsewhere(context: BrowserContext, name: string): Promise<void> {
  const phone = await context.browser()?.newContext()
  const page = await phone?.newPage()
  if (page === undefined) throw new Error('no browser')
  await page.goto(`${wire.url}/blank`)
  await signIn(page, name)
  await ask(page, 'revoke-sessions', {})
  await phone?.close()
}

test('T-A01 C14 C41 C49 [A1] signed in, the socket is taken by the cookie alone, and the server knows whose it is', async ({
  page,
}) => {
  await openAs(page, 'ada')
  const { user } = await status(page)
  const session = await page.evaluate(
    async () => (await fetch('/api/auth/get-session')).json() as Promise<unknown>,
  )
  expect(session).toMatchObject({ user: { id: user, name: 'ada' } })
  await add(page, 'milk')
  await expect(page.locator('#todos')).toHaveText('milk')
  expect((await counts()).sockets).toBe(1)
})

test('T-A02 C15 C42 C44 no token in addresses, frames, headers or storage; the cookie is HttpOnly', async ({
  page,
  context,
}) => {
  const seen: string[] = []
  page.on('request', request => {
    seen.push(request.url())
    void request.allHeaders().then(({ cookie: _, ...headers }) => seen.push(JSON.stringify(headers)))
  })
  page.on('websocket', socket => {
    seen.push(socket.url())
    socket.on('framesent', ({ payload }) => seen.push(String(payload)))
    socket.on('framereceived', ({ payload }) => seen.push(String(payload)))
  })
  await openAs(page, 'ada')
  await add(page, 'milk')
  const stored = await page.evaluate(async () => {
    const all: unknown[] = [Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]
    for (const { name = '' } of await indexedDB.databases()) {
      const db = await new Promise<IDBDatabase>(resolve => {
        const request = indexedDB.open(name)
        request.addEventListener('success', () => resolve(request.result))
      })
      for (const store of db.objectStoreNames) {
        const request = db.transaction(store).objectStore(store).getAll()
        await new Promise(resolve => request.addEventListener('success', resolve))
        all.push(request.result)
      }
      db.close()
    }
    return JSON.stringify(all)
  })
  const cookies = (await context.cookies()).filter(({ name }) => name.includes('session'))
  expect(cookies.length).toBeGreaterThan(0)
  const all = [...seen, stored].join('\n')
  expect(all).toContain('milk')
  for (const { httpOnly, sameSite, value } of cookies) {
    expect([httpOnly, sameSite]).toEqual([true, 'Lax'])
    const [token = ''] = decodeURIComponent(value).split('.')
    expect(token.length).toBeGreaterThan(20)
    expect(all).not.toContain(token)
  }
  expect(all).not.toMatch(/authorization|bearer|eyJ[\w-]+\.eyJ/i)
})

test('T-A03 C16 [A7] signed out, a page that says so opens no socket; signed in, one', async ({ page }) => {
  await record(page)
  await page.goto(`${wire.url}/?rendered`)
  await page.evaluate(() => window.rhtmxSync.ready)
  for (let i = 0; i < 3; i++)
    await page.evaluate(() => {
      window.dispatchEvent(new Event('online'))
      document.dispatchEvent(new Event('visibilitychange'))
    })
  // what is written waits
  expect(await add(page, 'milk')).toMatchObject({ status: 'queued' })
  expect(await counts()).toEqual({ requests: 0, sockets: 0 })
  await signUp(page, 'ada')
  expect(await counts()).toEqual({ requests: 0, sockets: 0 })
  await page.goto(`${wire.url}/?rendered`)
  await expect.poll(() => stateOf(page)).toBe('connected')
  expect(await counts()).toEqual({ requests: 0, sockets: 1 })
  expect(await told(page, 'rhtmx:auth:required')).toEqual([])
})

test('T-A03 [A7] signed out, a page that does not know opens one socket, is told, and none after it', async ({
  page,
}) => {
  await record(page)
  await page.goto(wire.url)
  await expect
    .poll(() => told(page, 'rhtmx:auth:required'))
    .toEqual([{ code: 4401, reason: 'sign in first' }])
  expect(await counts()).toEqual({ requests: 0, sockets: 1 })
  await signUp(page, 'ada')
  await page.evaluate(() => window.rhtmxSync.connect())
  await expect.poll(() => stateOf(page)).toBe('connected')
  expect(await counts()).toEqual({ requests: 0, sockets: 2 })
})

test('T-A04 C17 C43 K73 X51 [A5] [A7] revoked: one event, no navigation, no loop, the queue stays, and goes on after a sign-in', async ({
  page,
  context,
}) => {
  await page.clock.install()
  await openAs(page, 'ada')
  await add(page, 'milk')
  const before = await counts()
  await revokeElsewhere(context, 'ada')
  await expect.poll(() => told(page, 'rhtmx:auth:required')).toEqual([{ code: 4401, reason: 'signed out' }])
  // what happens now is not for this page any more
  await sql(file, "INSERT INTO todos (title) VALUES ('secret')")
  expect(await add(page, 'bread')).toMatchObject({ status: 'queued' })
  for (let second = 0; second < 60; second++) {
    await page.evaluate(() => {
      window.dispatchEvent(new Event('online'))
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await page.clock.runFor(1000)
  }
  const after = await counts()
  expect(after.requests + after.sockets - before.requests - before.sockets).toBeLessThanOrEqual(2)
  await expect.poll(() => stateOf(page)).toBe('disconnected')
  expect(await told(page, 'rhtmx:auth:required')).toHaveLength(1)
  expect(page.url()).toBe(`${wire.url}/`)
  expect(await status(page)).toMatchObject({ pending: 1, deadLetters: 0 })
  await expect(page.locator('#todos')).toHaveText('milk,bread')
  await signIn(page, 'ada')
  await page.evaluate(() => window.rhtmxSync.connect())
  await expect.poll(() => status(page)).toMatchObject({ state: 'connected', pending: 0 })
  await expect(page.locator('#todos')).toHaveText(/secret/)
  // the next sign-out is told again
  await revokeElsewhere(context, 'ada')
  await expect.poll(() => told(page, 'rhtmx:auth:required')).toHaveLength(2)
})

test('[A7] a sign-in in another tab: the page that is opened there wakes the one that was turned away', async ({
  page,
  context,
}) => {
  await record(page)
  await page.goto(wire.url)
  await expect.poll(() => told(page, 'rhtmx:auth:required')).toHaveLength(1)
  const other = await context.newPage()
  await other.goto(`${wire.url}/blank`)
  await signUp(other, 'ada')
  await other.goto(wire.url)
  await expect.poll(() => stateOf(other)).toBe('connected')
  await expect.poll(() => stateOf(page)).toBe('connected')
})

test('[A8] X32 another user of the same browser sees and sends nothing of the first; clear() wipes', async ({
  page,
}) => {
  await openAs(page, 'ada')
  await add(page, 'of ada')
  await page.evaluate(() => window.rhtmxSync.disconnect())
  expect(await add(page, 'unsent of ada')).toMatchObject({ status: 'queued' })
  await ask(page, 'sign-out', {})
  // rows of her own: what Bob may see of the table is another matter
  await sql(file, 'DELETE FROM todos')
  await signUp(page, 'bob')
  await page.goto(`${wire.url}/?rendered`)
  await page.evaluate(() => window.rhtmxSync.ready)
  await expect.poll(() => stateOf(page)).toBe('connected')
  expect(await page.evaluate(() => window.rhtmxSync.getAll('todos'))).toEqual([])
  expect(await status(page)).toMatchObject({ pending: 0 })
  await add(page, 'of bob')
  // also where the page does not say whose it is: by the server's word
  await ask(page, 'sign-out', {})
  await signIn(page, 'ada')
  await page.goto(wire.url)
  await expect.poll(() => status(page)).toMatchObject({ state: 'connected', pending: 0 })
  await expect(page.locator('#todos')).toHaveText('of bob,unsent of ada')
  // still signed in, it would load everything again
  await page.evaluate(() => {
    window.rhtmxSync.disconnect()
    return window.rhtmxSync.clear()
  })
  await ask(page, 'sign-out', {})
  await page.goto(`${wire.url}/?rendered`)
  await page.evaluate(() => window.rhtmxSync.ready)
  expect(await page.evaluate(() => window.rhtmxSync.getAll('todos'))).toEqual([])
})
