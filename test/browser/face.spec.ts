// The script tag's promises beside the quick start's: auto-refresh, storms, strategies, sign-in, the ways to load it.
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { counted } from './support/counted.ts'
import { disk } from './support/disk.ts'
import { home } from './support/home.ts'
import { sql } from './support/processes.ts'
import { told } from './support/recorder.ts'
import { freshSite } from './support/site.ts'

const on = freshSite(
  "INSERT INTO users (id, name) VALUES (1, 'Grace'); INSERT INTO fixed VALUES (1, 'Grace')",
)

async function open(page: Page, query: Record<string, string> = {}): Promise<void> {
  await page.goto(`${on.wire.url}/?${new URLSearchParams(query)}`)
  await page.evaluate(() => window.rhtmxSync.ready)
}

const fetched = async (): Promise<number> =>
  Number(await (await fetch(`http://localhost:${on.server.port}/fetched`)).text())
const offline = (page: Page) => expect.poll(() => page.evaluate(() => window.rhtmxSync.isOnline)).toBe(false)

for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
  test(`[F5] K56 auto-refresh: what shows users by itself, once per event, and nothing else: ${htmx}`, async ({
    page,
  }) => {
    const body = `
      <div id="load" hx-get="/api/users" hx-trigger="load"></div>
      <ul id="none" hx-get="/api/users?list=1" hx-target="#inside"><li id="inside"></li></ul>
      <div id="own" hx-get="/api/users" hx-trigger="rhtmx:posts:changed from:body"></div>
      <button id="button" hx-get="/api/users"></button>
      <div id="click" hx-get="/api/users" hx-trigger="click"></div>
      <div id="one" hx-get="/api/users/1" hx-trigger="load"></div>`
    await open(page, { htmx, body, attributes: 'data-sync-entities="users" data-auto-refresh="true"' })
    await expect(page.locator('#load')).toHaveText('Grace')
    expect(await fetched()).toBe(1)
    await sql(on.file, "UPDATE users SET name = 'Ada'")
    for (const id of ['load', 'inside']) await expect(page.locator(`#${id}`)).toHaveText('Ada')
    await sql(on.file, "UPDATE users SET name = 'Alan'")
    for (const id of ['load', 'inside']) await expect(page.locator(`#${id}`)).toHaveText('Alan')
    for (const id of ['own', 'button', 'click']) await expect(page.locator(`#${id}`)).toHaveText('')
    expect(await fetched()).toBe(5)
  })

  test(`[F3] X37 a thousand rows one by one: at most twenty refetches, the last one complete: ${htmx}`, async ({
    page,
  }) => {
    await open(page, { htmx })
    await expect(page.locator('#users p')).toHaveCount(1)
    const rows = Array.from({ length: 1000 }, (_, i) => `INSERT INTO users (name) VALUES ('n${i}');`)
    await sql(on.file, rows.join(''))
    await expect(page.locator('#users p')).toHaveCount(1001)
    expect(await fetched()).toBeLessThanOrEqual(21)
  })
}

test('[F3] X37 a fetch that writes is a loop, and with data-debug the console says so', async ({ page }) => {
  const lines: string[] = []
  page.on('console', message => lines.push(message.text()))
  const body =
    '<div hx-get="/api/users?write=1&delay=20" hx-trigger="load, rhtmx:users:changed from:body"></div>'
  await open(page, { body })
  await sql(on.file, "UPDATE users SET name = 'Ada'")
  await expect
    .poll(() => lines)
    .toContainEqual(expect.stringContaining('rhtmx:users:changed again and again: does what it makes'))
})

test('[F1] T-B29 an existing page with the script in its head: the same requests and the same DOM', async ({
  page,
}) => {
  const body =
    '<div id="list" hx-get="/api/users" hx-trigger="load"></div><form hx-post="/form" hx-swap="none"><input name="label" value="x"><button>Go</button></form>'
  const seen = async (script: boolean) => {
    const requests: string[] = []
    const errors: string[] = []
    const note = (request: { url(): string; method(): string }): unknown =>
      requests.push(`${request.method()} ${new URL(request.url()).pathname}`)
    page.on('request', note)
    page.on('console', message => message.type() === 'error' && errors.push(message.text()))
    page.on('pageerror', error => errors.push(error.message))
    if (!script) await page.route('**/client.js', route => route.fulfill({ contentType: 'text/javascript' }))
    await page.goto(`${on.wire.url}/?${new URLSearchParams({ body })}`)
    if (script) await page.evaluate(() => window.rhtmxSync.ready)
    await expect(page.locator('#list p')).toHaveText(['Grace'])
    await page.getByRole('button').click()
    await expect.poll(() => requests).toContain('POST /form')
    await expect(page.locator('[class*="htmx-"]')).toHaveCount(0)
    if (script) await home(page)
    page.off('request', note)
    return {
      requests: requests.filter(line => !line.includes('/api/sync/')),
      html: await page.locator('body').innerHTML(),
      errors,
    }
  }
  const without = await seen(false)
  await page.unroute('**/client.js')
  expect(await seen(true)).toEqual(without)
  expect(without.errors).toEqual([])
})

test('T-B16 every name of the list, spaces ignored, has its store and its first sync', async ({ page }) => {
  const asked: string[] = []
  await page.routeWebSocket('**/api/sync/ws', socket => {
    const far = socket.connectToServer()
    socket.onMessage(frame => {
      asked.push(...askedFor(String(frame)))
      far.send(frame)
    })
  })
  await open(page, { attributes: 'data-sync-entities="users, posts,things"' })
  const { stores } = await disk(page, 'users')
  expect(stores).toEqual(
    expect.arrayContaining(['_meta', '_optimistic', '_pending', 'posts', 'things', 'users']),
  )
  expect(await page.evaluate(() => window.rhtmxSync.status().cursors)).toEqual({
    users: expect.anything(),
    posts: expect.anything(),
    things: expect.anything(),
  })
  await home(page)
  expect(asked.toSorted()).toEqual(['posts', 'things', 'users'])
})

/** The entities of which a frame of the page wants everything. */
function askedFor(frame: string): string[] {
  // reason: the client's own frames, one message or several
  const messages = [JSON.parse(frame) as unknown].flat() as { type: string; scopes?: { entity: string }[] }[]
  return messages.flatMap(({ type, scopes = [] }) =>
    type === 'subscribe' ? scopes.map(({ entity }) => entity) : [],
  )
}

test('an entity that the server does not have is said on the console, once in each page, and the others go on', async ({
  page,
  context,
}) => {
  const errors: string[] = []
  const query = { attributes: 'data-sync-entities="users,usres"' }
  const complaint = expect.stringContaining("no entity 'usres' is synced here")
  const visit = async (one: Page): Promise<void> => {
    one.on('console', message => message.type() === 'error' && errors.push(message.text()))
    await open(one, query)
    await expect.poll(() => errors).toEqual([complaint])
  }
  await visit(page)
  on.wire.cut()
  await offline(page)
  on.wire.mend()
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.status().state)).toBe('connected')
  await sql(on.file, "UPDATE users SET name = 'Ada'")
  await expect(page.locator('#users p')).toHaveText(['Ada'])
  expect(errors.filter(line => line.includes('usres'))).toHaveLength(1)
  // from the disk, and in a tab that follows
  errors.length = 0
  await page.reload()
  await page.evaluate(() => window.rhtmxSync.ready)
  await expect.poll(() => errors).toEqual([complaint])
  errors.length = 0
  await visit(await context.newPage())
})

test('T-B12 [F2] server-wins: an edit that loses goes back by itself, told as a rollback', async ({
  page,
}) => {
  await open(page, {
    attributes: 'data-sync-entities="fixed"',
    body: '<i data-rhtmx-bind="fixed:1:name"></i>',
  })
  await expect(page.locator('i')).toHaveText('Grace')
  on.wire.cut()
  await offline(page)
  await page.evaluate(() => window.rhtmxSync.pushChange('fixed', 1, 'update', { name: 'mine' }))
  await expect(page.locator('i')).toHaveText('mine')
  await sql(on.file, "UPDATE fixed SET name = 'theirs'")
  on.wire.mend()
  await expect(page.locator('i')).toHaveText('theirs')
  await expect
    .poll(() => told(page, 'rhtmx:fixed:changed'))
    .toContainEqual(expect.objectContaining({ id: '1', source: 'rollback' }))
  expect(await page.evaluate(() => window.rhtmxSync.get('fixed', 1))).toEqual({ id: 1, name: 'theirs' })
})

/** The server's rows move on while an edit of this page waits, unseen by the server. */
const shown = async (page: Page, strategy: string): Promise<string | null> => {
  const attributes = `data-sync-entities="users" data-conflict-strategy="${strategy}"`
  await open(page, { attributes, body: '<i data-rhtmx-bind="users:1:name"></i>' })
  await page.route('**/*', route => route.continue())
  // the page's frames go nowhere, the server's still come
  await page.evaluate(() => {
    WebSocket.prototype.send = () => {}
    void window.rhtmxSync.pushChange('users', 1, 'update', { name: 'mine' })
  })
  await expect(page.locator('i')).toHaveText('mine')
  await sql(on.file, "UPDATE users SET name = 'theirs', email = 'new'")
  await expect
    .poll(() => told(page, 'rhtmx:users:changed'))
    .toContainEqual(expect.objectContaining({ source: 'server' }))
  return page.locator('i').textContent()
}
for (const [strategy, text] of [
  ['last-write-wins', 'mine'],
  ['client-wins', 'mine'],
  ['ServerWins', 'theirs'],
  ['keep-both', 'mine'],
  ['newest', 'mine'],
] as const) {
  test(`T-B27 data-conflict-strategy="${strategy}" says what an unsent edit shows`, async ({ page }) => {
    expect(await shown(page, strategy)).toBe(text)
  })
}

test('[F8] a server that asks who is there: told once, no redirect, no second attempt', async ({ page }) => {
  let sockets = 0
  await page.routeWebSocket('**/api/sync/ws', socket => {
    sockets += 1
    void socket.close({ code: 4401, reason: 'sign in' })
  })
  await page.goto(`${on.wire.url}/`)
  await expect.poll(() => told(page, 'rhtmx:auth:required')).toEqual([{ code: 4401, reason: 'sign in' }])
  // a page that only tries again is not asked again
  await page.evaluate(() => window.rhtmxSync.connect())
  await expect.poll(() => sockets).toBe(2)
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.status().state)).toBe('disconnected')
  expect((await told(page, 'rhtmx:auth:required')).length).toBe(1)
  expect(sockets).toBe(2)
  expect(page.url()).toBe(`${on.wire.url}/`)
  expect((await told(page, 'rhtmx:connection:state')).map(({ state }) => state)).toEqual([
    'connecting',
    'disconnected',
    'connecting',
    'disconnected',
  ])
})

test.describe('[F9] X36', () => {
  test('as a module, and twice', async ({ page }) => {
    const body = `<div id="users" hx-get="/api/users" hx-trigger="load, rhtmx:users:changed from:body"></div>
      <script type="module" src="/api/sync/client.js?again" data-sync-entities="users"></script>`
    await page.route('**/client.js', route => route.fulfill({ contentType: 'text/javascript', body: '' }))
    await page.goto(`${on.wire.url}/?${new URLSearchParams({ body })}`)
    await page.evaluate(() => window.rhtmxSync.ready)
    await page.evaluate((address: string) => import(address), '/api/sync/client.js?third')
    await sql(on.file, "UPDATE users SET name = 'Ada'")
    await expect(page.locator('#users')).toHaveText('Ada')
    expect((await counted(on.server)).opened).toBe(1)
  })

  test('from a program', async ({ page }) => {
    await page.goto(`${on.wire.url}/blank`)
    const rows = await page.evaluate(async (address: string) => {
      await import(address)
      const sync = window.rhtmxSync.init({ syncEntities: ['users'] })
      await sync.ready
      // afterwards it changes nothing
      if (window.rhtmxSync !== sync || sync.init({ syncEntities: 'posts' }) !== sync) throw new Error('two')
      return sync.getAll('users')
    }, '/api/sync/client.js')
    expect(rows).toEqual([{ id: 1, name: 'Grace', email: null }])
    await home(page)
    expect((await counted(on.server)).opened).toBe(1)
  })

  for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
    test(`boosted navigation: ${htmx}`, async ({ page }) => {
      const list =
        '<div id="users" hx-get="/api/users" hx-trigger="load, rhtmx:users:changed from:body"></div>'
      const again = '<script src="/api/sync/client.js" data-sync-entities="users"></script>'
      const second = `/?${new URLSearchParams({ htmx, body: `${list}<h1>Second</h1>${again}` })}`
      const body = `${list}<a href="${second.replaceAll('&', '&amp;')}" hx-boost="true">on</a>`
      await open(page, { htmx, body })
      await page.evaluate(() => Object.assign(window, { same: true }))
      await page.getByRole('link').click()
      await expect(page.getByRole('heading')).toHaveText('Second')
      await sql(on.file, "UPDATE users SET name = 'Ada'")
      await expect(page.locator('#users')).toHaveText('Ada')
      expect(await page.evaluate(() => 'same' in window)).toBe(true)
      expect((await told(page, 'rhtmx:users:changed', 'window')).length).toBe(1)
      expect((await counted(on.server)).opened).toBe(1)
    })
  }
})

test('[F10] X54 the second script is asked for by the name of its own release, and a failed load is tried again', async ({
  page,
}) => {
  const asked: string[] = []
  let fail = true
  await page.route('**/lazy*.js', route => {
    asked.push(new URL(route.request().url()).pathname)
    return fail ? route.abort() : route.continue()
  })
  await open(page)
  await expect.poll(() => asked.length).toBe(1)
  expect(asked[0]).toMatch(/^\/api\/sync\/lazy\.[\da-f]{16}\.js$/)
  fail = false
  on.wire.cut()
  await offline(page)
  on.wire.mend()
  await home(page)
})

test('X35 back and forward: live again, and nothing that keeps a page from being kept', async ({ page }) => {
  await page.addInitScript(() => {
    const listen = window.addEventListener.bind(window)
    const checked = (type: string, listener: EventListener): void => {
      if (/unload/.test(type)) throw new Error(`${type} keeps the page from the cache`)
      listen(type, listener)
    }
    Object.assign(window, { addEventListener: checked })
  })
  await open(page)
  await page.goto(`${on.wire.url}/blank`)
  await sql(on.file, "UPDATE users SET name = 'meanwhile'")
  await page.goBack()
  await expect(page.locator('#users p')).toHaveText(['meanwhile'])
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.status().state)).toBe('connected')
  await sql(on.file, "UPDATE users SET name = 'Ada'")
  await expect(page.locator('#users p')).toHaveText(['Ada'])
  await page.goForward()
  await page.goBack()
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Alan' }))
  await expect(page.locator('#users p')).toHaveText(['Alan'])
})

test('data-sync-user: what one person left unsent on this device is not the next one’s', async ({ page }) => {
  const as = (user: string) =>
    open(page, { attributes: `data-sync-entities="users" data-sync-user="${user}"` })
  await as('ada')
  await page.evaluate(async () => {
    window.rhtmxSync.disconnect()
    await window.rhtmxSync.pushChange('users', 1, 'update', { name: 'by Ada' })
  })
  await page.routeWebSocket('**/api/sync/ws', socket => void socket.close({ code: 1001 }))
  await page.route('**/api/sync/events*', route => route.abort())
  await as('ben')
  expect(await page.evaluate(() => window.rhtmxSync.pending())).toEqual([])
  await as('ada')
  expect(await page.evaluate(() => window.rhtmxSync.pending().length)).toBe(1)
})
