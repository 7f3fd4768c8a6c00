// Tabs of one browser: one socket, one queue, one leader, whatever becomes of it. The channel's messages are read by a page
// that is no client.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { BrowserContext, Page } from '@playwright/test'
import { crash, freeze, thaw } from './support/end.ts'
import { site, sql } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import { counted } from './support/counted.ts'
import { isByField } from './support/site.ts'
import './support/recorder.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await site().start()
  file = path.join(server.folder, 'app.db')
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace'), (2, 'Alan')")
})
test.afterEach(() => server.dispose())

const bound =
  '<b data-rhtmx-bind="users:1:name">-</b><b data-rhtmx-bind="users:2:name">-</b><b data-rhtmx-bind="users:3:name">-</b>'

async function open(context: BrowserContext, before?: (page: Page) => Promise<unknown>): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', error => {
    throw error
  })
  await before?.(page)
  await page.goto(`http://localhost:${server.port}/?${new URLSearchParams({ body: bound })}`)
  await page.evaluate(() => window.rhtmxSync.ready)
  await shows([page], ['Grace', 'Alan'])
  return page
}

/** One after the other: the first leads. */
async function openAll(context: BrowserContext, count: number): Promise<[Page, Page, ...Page[]]> {
  const [first, second] = [await open(context), await open(context)]
  const others: Page[] = []
  while (others.length < count - 2) others.push(await open(context))
  return [first, second, ...others]
}

async function shows(pages: readonly Page[], names: readonly string[]): Promise<void> {
  for (const page of pages) {
    await expect(page.locator('b').filter({ hasNotText: /^-?$/ })).toHaveText(names)
    const rows = () => page.evaluate(() => window.rhtmxSync.getAll('users').map(row => row['name']))
    await expect.poll(rows).toEqual(names)
  }
}

const status = (page: Page) => page.evaluate(() => window.rhtmxSync.status())
const leads = async (pages: readonly Page[]): Promise<boolean[]> =>
  Promise.all(pages.map(async page => (await status(page)).leader))
const rename = (page: Page, id: number, name: string) =>
  page.evaluate(([id, name]) => window.rhtmxSync.pushChange('users', id, 'update', { name }), [
    id,
    name,
  ] as const)

interface Heard {
  readonly type: string
  readonly [key: string]: unknown
}

declare global {
  interface Window {
    heard: Heard[]
  }
}

/** A page of the same origin that is no client; the result gives what it heard since it was asked last. */
async function spy(context: BrowserContext): Promise<(after?: number) => Promise<Heard[]>> {
  const page = await context.newPage()
  await page.goto(`http://localhost:${server.port}/blank`)
  await page.evaluate(() => {
    window.heard = []
    const channel = new BroadcastChannel('syncline:syncline-anon')
    channel.addEventListener('message', ({ data }) => window.heard.push(data))
  })
  return (after = 0) =>
    page.evaluate(async ms => {
      if (ms > 0) await new Promise(resolve => setTimeout(resolve, ms))
      return window.heard.splice(0)
    }, after)
}

test('[T1] T-B24 five tabs: one socket, one frame for a change, and no request', async ({ context }) => {
  const frames: string[] = []
  await context.routeWebSocket(/./, socket => {
    socket.connectToServer().onMessage(frame => {
      frames.push(String(frame))
      socket.send(frame)
    })
  })
  const pages = await openAll(context, 5)
  expect(await leads(pages)).toEqual([true, false, false, false, false])
  expect(await Promise.all(pages.map(async page => (await status(page)).state))).toEqual(
    pages.map(() => 'connected'),
  )
  expect(await counted(server)).toMatchObject({ open: 1, opened: 1, requests: 0 })
  frames.length = 0
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  await shows(pages, ['Ada', 'Alan'])
  expect(frames).toEqual([expect.stringContaining('"Ada"')])
  for (const [i, page] of pages.entries()) {
    expect(await rename(page, 2, `from tab ${i}`)).toMatchObject({ status: 'applied' })
    await shows(pages, ['Ada', `from tab ${i}`])
  }
  expect(await counted(server)).toMatchObject({ open: 1, opened: 1, requests: 0 })
})

test('[T3] T-B21 T-B23 a tab without a network shows what another tab hears and writes', async ({
  context,
}) => {
  const pages = await openAll(context, 2)
  const [first, second] = pages
  await second.route('**', route => route.abort())
  expect(await second.evaluate(() => fetch('/fetched').catch(() => 'none'))).toBe('none')
  // how soon: `npm run bench -- m8`
  for (const i of [1, 2, 3, 4, 5]) {
    await sql(file, `UPDATE users SET name = 'S${i}' WHERE id = 1`)
    await shows(pages, [`S${i}`, 'Alan'])
    await rename(first, 1, `L${i}`)
    await shows(pages, [`L${i}`, 'Alan'])
  }
  // and the other way
  expect(await rename(second, 2, 'Tony')).toMatchObject({ id: '2' })
  await shows(pages, ['L5', 'Tony'])
  // a socket would not be stopped by the route: there was none to stop
  expect((await counted(server)).opened).toBe(1)
})

test('[T3] T-B22 T-B26 one message for a change, none after it; the documented ones', async ({ context }) => {
  const pages = await openAll(context, 3)
  const heard = await spy(context)
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  await shows(pages, ['Ada', 'Alan'])
  // the two seconds are the requirement's
  const messages = await heard(2000)
  expect(messages).toHaveLength(1)
  const row = { entity: 'users', id: '1', entity_id: '1', action: 'update' }
  expect(messages[0]).toMatchObject(
    isByField()
      ? { type: 'field_change', change: { ...row, field: 'name', value: 'Ada' } }
      : { type: 'change', entity: 'users', change: { ...row, data: { id: 1, name: 'Ada' } } },
  )
  await rename(pages[1], 2, 'Tony')
  await shows(pages, ['Ada', 'Tony'])
  const told = (await heard()).filter(({ type }) => type.startsWith('optimistic'))
  expect(told).toEqual([
    expect.objectContaining({
      entity: 'users',
      entityId: '2',
      ...(isByField()
        ? { type: 'optimistic_field', field: 'name', value: 'Tony' }
        : { type: 'optimistic', data: { id: 2, name: 'Tony', email: null } }),
    }),
  ])
})

test('[T1] tabs that name different tables: whoever leads asks for all, each is ready with its rows, and follows them', async ({
  context,
}) => {
  await sql(file, "INSERT INTO posts (id, title) VALUES (1, 'first')")
  const first = await open(context)
  const second = await context.newPage()
  const attributes = 'data-sync-entities="posts"'
  await second.goto(
    `http://localhost:${server.port}/?${new URLSearchParams({ attributes, body: '<b data-rhtmx-bind="posts:1:title"></b>' })}`,
  )
  await second.evaluate(() => window.rhtmxSync.ready)
  const titles = () => second.evaluate(() => window.rhtmxSync.getAll('posts').map(row => row['title']))
  expect(await titles()).toEqual(['first'])
  await expect.poll(() => leads([first, second])).toEqual([true, false])
  await sql(file, "UPDATE posts SET title = 'by another program' WHERE id = 1")
  await expect(second.locator('b')).toHaveText('by another program')
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  await shows([first], ['Ada', 'Alan'])
  expect(await rename(first, 2, 'Tony')).toMatchObject({ status: 'applied' })
  await shows([first], ['Ada', 'Tony'])
  expect((await counted(server)).open).toBe(1)
  await second.close()
  await sql(file, "UPDATE users SET name = 'Grace' WHERE id = 1")
  await shows([first], ['Grace', 'Tony'])
})

test('[T5] T-B25 without BroadcastChannel no tab fails, and each syncs by itself', async ({ context }) => {
  const without = (page: Page) =>
    page.addInitScript(() => Object.defineProperty(window, 'BroadcastChannel', { value: undefined }))
  const pages = [await open(context, without), await open(context, without)]
  expect(await leads(pages)).toEqual([true, true])
  expect((await counted(server)).open).toBe(2)
  // there is one disk, and they cannot agree about it
  expect(await Promise.all(pages.map(async page => (await status(page)).storage))).toEqual([
    'indexeddb',
    'memory',
  ])
  for (const [i, page] of pages.entries()) {
    await rename(page, 1, `from tab ${i}`)
    await shows(pages, [`from tab ${i}`, 'Alan'])
  }
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  await shows(pages, ['Ada', 'Alan'])
})

for (const [how, tag, end] of [
  ['is closed', [], (page: Page) => page.close({ runBeforeUnload: true })],
  ['crashes', ['@chromium'], crash],
  ['goes elsewhere', [], (page: Page) => page.goto(`http://localhost:${server.port}/blank`)],
] as const) {
  test(
    `[T2] the leading tab ${how}: another one takes over, and nobody’s edit is lost`,
    { tag: [...tag] },
    async ({ context }) => {
      const [first, ...others] = await openAll(context, 3)
      const [second] = others
      await end(first)
      await expect.poll(async () => (await leads(others)).filter(Boolean).length).toBe(1)
      await expect.poll(async () => (await counted(server)).open).toBe(1)
      if (second !== undefined) await rename(second, 1, 'Ada')
      await sql(file, "UPDATE users SET name = 'Tony' WHERE id = 2")
      await shows(others, ['Ada', 'Tony'])
      expect((await counted(server)).opened).toBe(2)
      for (const page of others)
        await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending())).toEqual([])
    },
  )
}

test(
  '[T2] [T4] a frozen leader is replaced after two seconds, and follows when it comes back',
  { tag: '@chromium' },
  async ({ context }) => {
    const pages = await openAll(context, 3)
    const [first, second, third] = pages
    const session = await freeze(first)
    const start = Date.now()
    expect(await rename(second, 1, 'Ada')).toMatchObject({ status: 'applied' })
    expect(Date.now() - start).toBeGreaterThan(1900)
    await sql(file, "UPDATE users SET name = 'Tony' WHERE id = 2")
    if (third !== undefined) await shows([second, third], ['Ada', 'Tony'])
    await thaw(session)
    await shows(pages, ['Ada', 'Tony'])
    await expect.poll(() => leads(pages)).toEqual([false, expect.any(Boolean), expect.any(Boolean)])
    await expect.poll(async () => (await counted(server)).open).toBe(1)
    // and its own edits go on
    expect(await rename(first, 1, 'Barbara')).toMatchObject({ status: 'applied' })
    await shows(pages, ['Barbara', 'Tony'])
    expect((await counted(server)).opened).toBe(2)
  },
)

// The Chromium of these tests keeps no pages that were left, so the page is told as such a browser tells it.
test('[K10] [T2] a leader that is left and comes back as it was: another leads meanwhile, and it is live again', async ({
  context,
}) => {
  const pages = await openAll(context, 2)
  const [first, second] = pages
  const tell = (type: string) =>
    first.evaluate(name => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), type)
  await tell('pagehide')
  await expect.poll(() => leads(pages)).toEqual([false, true])
  await rename(second, 1, 'Ada')
  await sql(file, "UPDATE users SET name = 'Tony' WHERE id = 2")
  await shows([second], ['Ada', 'Tony'])
  await shows([first], ['Grace', 'Alan'])
  await expect.poll(async () => (await counted(server)).open).toBe(1)
  await tell('pageshow')
  await shows(pages, ['Ada', 'Tony'])
  expect(await leads(pages)).toEqual([false, true])
  expect(await rename(first, 1, 'Barbara')).toMatchObject({ status: 'applied' })
  await shows(pages, ['Barbara', 'Tony'])
  expect(await counted(server)).toMatchObject({ open: 1, opened: 2 })
})

test('[K10] a tab that goes elsewhere and back is live again', async ({ context }) => {
  const pages = await openAll(context, 2)
  const [first, second] = pages
  await first.goto(`http://localhost:${server.port}/blank`)
  await expect.poll(() => leads([second])).toEqual([true])
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  await shows([second], ['Ada', 'Alan'])
  await first.goBack()
  await shows(pages, ['Ada', 'Alan'])
  expect(await leads(pages)).toEqual([false, true])
})
