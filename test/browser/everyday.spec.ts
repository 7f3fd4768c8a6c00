// What happens to pages every day and is nobody's feature: left in the middle of a save, opened twice, kept from their
// storage, away for a week, below a path, and before a server that begins anew.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { BrowserContext, Frame, Page } from '@playwright/test'
import { counted } from './support/counted.ts'
import { home } from './support/home.ts'
import { Proxy } from './support/http-proxy.ts'
import { columnIn, sql } from './support/processes.ts'
import { record, told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite("INSERT INTO users (id, name) VALUES (1, 'Grace')")

/** Until it has its disk, and all that it does later than being ready. */
async function settled(page: Page | Frame): Promise<void> {
  await page.waitForFunction(() => 'rhtmxSync' in window)
  await page.evaluate(() => window.rhtmxSync.ready)
  await home(page)
}

async function open(page: Page, query: Record<string, string> = {}): Promise<void> {
  await page.goto(`${on.wire.url}/?${new URLSearchParams(query)}`)
  await settled(page)
}

async function openAll(
  context: BrowserContext,
  count: number,
  query: Record<string, string> = {},
): Promise<Page[]> {
  const pages: Page[] = []
  while (pages.length < count) {
    const page = await context.newPage()
    await open(page, query)
    pages.push(page)
  }
  return pages
}

const stored = (query: string): unknown[] => columnIn(on.file, query)

const names = (page: Page) =>
  page.evaluate(() =>
    window.rhtmxSync.getAll('users').flatMap(({ name }) => (typeof name === 'string' ? [name] : [])),
  )
const pending = (page: Page) => page.evaluate(() => window.rhtmxSync.pending().length)
const isOnline = (page: Page) => page.evaluate(() => window.rhtmxSync.isOnline)
const create = (page: Page | Frame, name: string) =>
  page.evaluate(name => window.rhtmxSync.pushChange('users', null, 'create', { name }), name)
const shows = (page: Page | Frame, texts: readonly (string | RegExp)[]) =>
  expect(page.locator('#users p')).toHaveText([...texts])

for (const [how, before] of [
  ['online', () => {}],
  ['offline', () => window.rhtmxSync.disconnect()],
  ['over a line that is dead', () => void Object.assign(WebSocket.prototype, { send() {} })],
] as const) {
  for (const where of ['goes elsewhere', 'reloads']) {
    test(`[Q1] X35 a page that writes ${how} and ${where} as soon as that is persisted, five times: all of it, once, in order`, async ({
      page,
    }) => {
      await open(page)
      const all = ['a', 'b', 'c', 'd', 'e']
      for (const name of all) {
        await page.evaluate(before)
        const loaded = page.waitForEvent('load')
        await page.evaluate(
          ([where, name]) => {
            const { persisted } = window.rhtmxSync.client.create('users', { name })
            void persisted.then(() => {
              if (where === 'reloads') location.reload()
              else location.assign('/blank')
            })
          },
          [where, name] as const,
        )
        await loaded
        if (where === 'goes elsewhere') await page.goBack()
        await page.evaluate(() => window.rhtmxSync.ready)
      }
      await settled(page)
      await expect.poll(() => pending(page)).toBe(0)
      expect(stored('SELECT name FROM users WHERE id > 1 ORDER BY id')).toEqual(all)
      await shows(page, ['Grace', ...all])
    })
  }
}

test('[R8] [T5] X31 a browser that denies all storage: ready, told once, and live', async ({ page }) => {
  const uncaught: string[] = []
  page.on('pageerror', error => uncaught.push(error.message))
  await page.addInitScript(() => {
    const denied = (): never => {
      throw new DOMException('denied', 'SecurityError')
    }
    for (const name of ['localStorage', 'sessionStorage'])
      Object.defineProperty(window, name, { get: denied })
    IDBFactory.prototype.open = denied
    // an empty page has none
    if ('LockManager' in window)
      LockManager.prototype.request = () => Promise.reject(new DOMException('denied', 'SecurityError'))
    Object.assign(window, { BroadcastChannel: denied })
  })
  await open(page)
  await expect
    .poll(() => told(page, 'rhtmx:storage:failed'))
    .toEqual([{ storage: 'memory', reason: 'failed', error: expect.anything() }])
  expect(await told(page, 'rhtmx:sync:ready')).toHaveLength(1)
  expect(await page.evaluate(() => window.rhtmxSync.status().storage)).toBe('memory')
  const pushed = await page.evaluate(() =>
    window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }).catch(String),
  )
  expect(pushed).toMatchObject({ status: 'applied' })
  await sql(on.file, "INSERT INTO users (name) VALUES ('Alan')")
  await shows(page, ['Ada', 'Alan'])
  // and after a reload, which finds nothing
  await page.reload()
  await settled(page)
  await shows(page, ['Ada', 'Alan'])
  expect(uncaught).toEqual([])
})

test('[T1] X44 eight tabs without WebSocket: one stream, and every page still loads', async ({ context }) => {
  const attributes = 'data-sync-entities="users" data-use-websocket="false"'
  const pages = await openAll(context, 8, { attributes })
  const roles = await Promise.all(
    pages.map(page => page.evaluate(() => [window.rhtmxSync.status().leader, window.rhtmxSync.isOnline])),
  )
  expect(roles).toEqual(pages.map((_, i) => [i === 0, true]))
  // the stream, and what its session asked for: hello and the first subscription
  const { requests } = await counted(on.server)
  expect(requests).toBeLessThan(5)
  await sql(on.file, "UPDATE users SET name = 'Ada'")
  for (const page of pages) await shows(page, ['Ada'])
  expect((await counted(on.server)).requests).toBe(requests)
  for (const page of pages) {
    await page.reload()
    await settled(page)
    await shows(page, ['Ada'])
  }
  for (const [i, page] of pages.entries())
    expect(await create(page, `t${i}`)).toMatchObject({ status: 'applied' })
  for (const page of pages) await shows(page, ['Ada', ...pages.map((_, i) => `t${i}`)])
})

test('[T3] X28 what others say on the channel, another release above all, harms no tab', async ({
  context,
}) => {
  const uncaught: string[] = []
  context.on('weberror', error => uncaught.push(error.error().message))
  const pages = await openAll(context, 2)
  const other = await context.newPage()
  await other.goto(`${on.wire.url}/blank`)
  await other.evaluate(() => {
    const channel = new BroadcastChannel('syncline:syncline-anon')
    const change = { type: 'change', entity: 'users', change: null, frame: '{' }
    const odd = [null, 1, 'text', [], {}, new Date(), new Map([[1, 2]]), { v: 1 }, { v: '1', type: 'lead' }]
    const old = [0, 2].flatMap(v => [
      { v, ...change },
      { v, type: 'lead', lead: 1e9 },
      { v, type: 'cleared' },
      { v, type: 'discarded', ns: [1] },
    ])
    const strangers = ['toString', '__proto__', 'nothing'].map(type => ({ v: 1, type, client: 'somebody' }))
    for (const message of [...odd, ...old, ...strangers, { v: 1, ...change, client: 'somebody' }])
      channel.postMessage(message)
  })
  await sql(on.file, "UPDATE users SET name = 'Ada'")
  for (const page of pages) await shows(page, ['Ada'])
  for (const [i, page] of pages.entries())
    expect(await create(page, `t${i}`)).toMatchObject({ status: 'applied' })
  for (const page of pages) await shows(page, ['Ada', 't0', 't1'])
  expect(uncaught).toEqual([])
  expect(await counted(on.server)).toMatchObject({ open: 1, opened: 1 })
})

for (const how of ['goes on', 'is loaded anew']) {
  test(`[L6] [S7] the database is made anew under a page, which ${how}: its rows, its edit, and nothing of the old one`, async ({
    page,
  }) => {
    await open(page)
    await page.evaluate(() => window.rhtmxSync.disconnect())
    expect(await create(page, 'offline')).toMatchObject({ status: 'queued' })
    await on.server.stop('SIGTERM')
    for (const end of ['', '-wal', '-shm']) rmSync(`${on.file}${end}`, { force: true })
    await on.server.start()
    await sql(on.file, "INSERT INTO users (id, name) VALUES (5, 'Edsger')")
    if (how === 'goes on') await page.evaluate(() => window.rhtmxSync.connect())
    else await page.reload()
    await settled(page)
    await expect.poll(() => names(page)).toEqual(['Edsger', 'offline'])
    await expect.poll(() => pending(page)).toBe(0)
    await sql(on.file, "UPDATE users SET name = 'Tony' WHERE id = 5")
    await shows(page, ['Tony', 'offline'])
    expect(stored('SELECT name FROM users ORDER BY id')).toEqual(['Tony', 'offline'])
  })
}

test('[L5] [L6] a week away, and the server has forgotten what happened: rows heal, unsent edits arrive', async ({
  page,
}) => {
  await sql(on.file, "INSERT INTO users (id, name) VALUES (2, 'Alan'), (3, 'Edsger')")
  await open(page)
  await expect.poll(() => names(page)).toEqual(['Grace', 'Alan', 'Edsger'])
  await page.evaluate(async () => {
    window.rhtmxSync.disconnect()
    await window.rhtmxSync.pushChange('users', 2, 'update', { email: 'alan@example.org' })
    await window.rhtmxSync.pushChange('users', null, 'create', { name: 'Tony' })
  })
  await page.goto('about:blank')
  for (let i = 0; i < 5; i += 1) await sql(on.file, `UPDATE users SET name = 'G${i}' WHERE id = 1`)
  await sql(on.file, "DELETE FROM users WHERE id = 3; INSERT INTO users (id, name) VALUES (9, 'Barbara')")
  const cli = path.resolve(import.meta.dirname, '../../dist/cli/main.js')
  // the server folds what it may forget when it has the time
  const cleanUp = () =>
    execFileSync(process.execPath, [cli, 'cleanup', on.file, '--days', '0'], { encoding: 'utf8' })
  await expect.poll(cleanUp).toMatch(/forgot [1-9]\d* entries/)
  await on.server.stop('SIGTERM')
  await on.server.start()
  await open(page)
  await expect.poll(() => pending(page)).toBe(0)
  await shows(page, ['G4', 'Alan', 'Barbara', 'Tony'])
  expect((await names(page)).toSorted()).toEqual(['Alan', 'Barbara', 'G4', 'Tony'])
  expect(stored('SELECT email FROM users WHERE id = 2')).toEqual(['alan@example.org'])
  expect(await page.evaluate(() => window.rhtmxSync.deadLetters())).toEqual([])
})

test('[T1] [T3] five tabs and a server that is gone for a while: each keeps its edit, one connects, all agree', async ({
  context,
}) => {
  const pages = await openAll(context, 5)
  await on.server.stop('SIGKILL')
  for (const page of pages) await expect.poll(() => isOnline(page)).toBe(false)
  const results = await Promise.all(pages.map((page, i) => create(page, `t${i}`)))
  expect(results.map(({ status }) => status)).toEqual(pages.map(() => 'queued'))
  await on.server.start()
  for (const page of pages) await expect(page.locator('#users p')).toHaveCount(6)
  for (const page of pages) await expect.poll(() => pending(page)).toBe(0)
  expect(stored('SELECT name FROM users WHERE id > 1 ORDER BY name')).toEqual(pages.map((_, i) => `t${i}`))
  expect(await counted(on.server)).toMatchObject({ open: 1, opened: 1, requests: 0 })
})

test('[T2] [T5] three tabs without Web Locks: the one that leads is closed, another one goes on', async ({
  context,
}) => {
  await context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
  const pages = await openAll(context, 3)
  const roles = (): Promise<unknown[]> =>
    Promise.all(
      pages.map(page =>
        page.evaluate(() => {
          const { leader, storage } = window.rhtmxSync.status()
          return [leader, storage]
        }),
      ),
    )
  await expect.poll(roles).toEqual([true, false, false].map(leader => [leader, 'indexeddb']))
  await pages.shift()?.close()
  for (const [i, page] of pages.entries())
    expect(await create(page, `t${i}`)).toMatchObject({ status: 'applied' })
  await sql(on.file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  for (const page of pages) await shows(page, ['Ada', 't0', 't1'])
  await expect
    .poll(async () => (await roles()).map(String).toSorted())
    .toEqual(['false,indexeddb', 'true,indexeddb'])
  expect((await counted(on.server)).open).toBe(1)
})

test('[T1] a duplicate of a tab, and a frame with the same page: one client', async ({ page, context }) => {
  await open(page)
  await page.evaluate(() => sessionStorage.setItem('any', 'thing'))
  const opened = context.waitForEvent('page')
  // with a copy of the session's storage, as a duplicate has it
  await page.evaluate(() => void window.open(location.href))
  const popup = await opened
  await settled(popup)
  await page.evaluate(() => {
    const frame = document.createElement('iframe')
    frame.src = location.href
    document.body.append(frame)
  })
  await expect.poll(() => page.frames().length).toBe(2)
  const [, frame] = page.frames()
  if (frame === undefined) throw new Error('no frame')
  await settled(frame)
  for (const [i, one] of [page, popup, frame].entries())
    expect(await create(one, `t${i}`)).toMatchObject({ status: 'applied' })
  for (const one of [page, popup, frame]) await shows(one, ['Grace', 't0', 't1', 't2'])
  expect(await counted(on.server)).toMatchObject({ open: 1, opened: 1 })
})

test('[K5] X34 a page of HTML for an answer to a POST, while the stream is live: the edit waits, and arrives', async ({
  page,
}) => {
  await open(page, { attributes: 'data-sync-entities="users" data-use-websocket="false"' })
  const posts = '**/api/sync/events?session*'
  await page.route(posts, route => route.fulfill({ contentType: 'text/html', body: '<h1>Sign in</h1>' }))
  const pushed = await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  expect(pushed).toMatchObject({ status: 'queued' })
  expect(stored('SELECT name FROM users')).toEqual(['Grace'])
  expect([await pending(page), await page.evaluate(() => window.rhtmxSync.deadLetters())]).toEqual([1, []])
  await page.unroute(posts)
  await page.evaluate(() => window.dispatchEvent(new Event('online')))
  await expect.poll(() => pending(page)).toBe(0)
  expect(stored('SELECT name FROM users')).toEqual(['Ada'])
  await shows(page, ['Ada'])
})

test('X34 K10 a browser that believes to be offline connects all the same, and sends', async ({ page }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, 'onLine', { get: () => false }))
  await open(page)
  expect(await isOnline(page)).toBe(false)
  expect(await page.evaluate(() => window.rhtmxSync.status().state)).toBe('connected')
  await sql(on.file, "UPDATE users SET name = 'Ada'")
  await shows(page, ['Ada'])
  await create(page, 'Alan')
  await expect.poll(() => pending(page)).toBe(0)
  await shows(page, ['Ada', 'Alan'])
})

for (const webSocket of ['true', 'false']) {
  test(`[F9] X36 a site below a path, data-use-websocket="${webSocket}"`, async ({ page }) => {
    const proxy = await Proxy.to(on.server.port)
    proxy.prefix = '/app'
    await record(page)
    const tag = `<script src="/app/api/sync/client.js" data-sync-entities="users" data-use-websocket="${webSocket}"></script>`
    const query = new URLSearchParams({ body: `${tag}<b data-rhtmx-bind="users:1:name">-</b>` })
    // the script of the site's own head is not below the path
    await page.goto(`${proxy.url}/app/?${query}`)
    await settled(page)
    await expect(page.locator('b')).toHaveText('Grace')
    await sql(on.file, "UPDATE users SET name = 'Ada'")
    await expect(page.locator('b')).toHaveText('Ada')
    expect(await create(page, 'Alan')).toMatchObject({ status: 'applied' })
    expect(await page.evaluate(() => window.rhtmxSync.status().transport)).toBe(
      webSocket === 'true' ? 'websocket' : 'sse',
    )
    await page.close()
    await proxy.close()
  })
}

for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
  test(`[F4] X36 boosted away, changed meanwhile, and back: nothing old is on screen: ${htmx}`, async ({
    page,
  }) => {
    const list = '<div id="users" hx-get="/api/users" hx-trigger="load, rhtmx:users:changed from:body"></div>'
    const second = `/?${new URLSearchParams({ htmx, body: '<h1>Second</h1>' })}`
    const link = `<a href="${second.replaceAll('&', '&amp;')}" hx-boost="true">on</a>`
    await open(page, { htmx, body: `<b data-rhtmx-bind="users:1:name">-</b>${list}${link}` })
    await shows(page, ['Grace'])
    await page.getByRole('link').click()
    await expect(page.getByRole('heading')).toHaveText('Second')
    await sql(on.file, "UPDATE users SET name = 'Ada'")
    await expect.poll(() => names(page)).toEqual(['Ada'])
    await page.goBack()
    await expect(page.locator('b')).toHaveText('Ada')
    await shows(page, ['Ada'])
    await sql(on.file, "UPDATE users SET name = 'Alan'")
    await expect(page.locator('b')).toHaveText('Alan')
    await shows(page, ['Alan'])
  })
}
