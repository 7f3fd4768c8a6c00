// Fifty edits in five tabs, and the tab that leads dies: while there is no server, and between sending and the answer. The
// example's worker opens its page without a server.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { BrowserContext, Page } from '@playwright/test'
import { crash } from './support/end.ts'
import { columnIn, sql, todoSync } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import './support/recorder.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await todoSync().start()
  file = path.join(server.folder, 'todo.db')
  // an empty table would be filled at the next start
  await sql(file, "DELETE FROM todos; INSERT INTO todos (id, title) VALUES (1, 'Coffee')")
})
test.afterEach(() => server.dispose())

async function open(context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`http://localhost:${server.port}/`)
  await page.evaluate(() => window.rhtmxSync.ready)
  return page
}

async function five(context: BrowserContext): Promise<[Page, ...Page[]]> {
  const first = await open(context)
  await first.evaluate(() => navigator.serviceWorker.ready)
  const others: Page[] = []
  while (others.length < 4) others.push(await open(context))
  return [first, ...others]
}

/** Ten in each tab, at the same time in all of them. */
async function edit(pages: readonly Page[]): Promise<void> {
  await Promise.all(
    pages.map((page, tab) =>
      page.evaluate(async name => {
        const { client } = window.rhtmxSync
        const edits = Array.from({ length: 10 }, (_, i) => client.create('todos', { title: `${name}-${i}` }))
        await Promise.all(edits.map(({ persisted }) => persisted))
      }, tab),
    ),
  )
}

const expected = Array.from({ length: 50 }, (_, i) => `${Math.floor(i / 10)}-${i % 10}`)
const shown = [...expected, 'Coffee']

/** In the order in which they were stored. */
const stored = (): string[] => columnIn(file, 'SELECT title FROM todos WHERE id > 1 ORDER BY id').map(String)

/** All of them, once, those of each tab in its order. */
function expectStored(): void {
  const titles = stored()
  expect(titles.toSorted()).toEqual(expected)
  const byTab = [0, 1, 2, 3, 4].flatMap(tab => titles.filter(title => title.startsWith(`${tab}-`)))
  expect(byTab).toEqual(expected)
}

async function expectShown(pages: readonly Page[], pending: number): Promise<void> {
  for (const page of pages) {
    await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(pending)
    await expect
      .poll(async () => {
        const titles = await page.evaluate(() =>
          window.rhtmxSync.getAll('todos').flatMap(({ title }) => (typeof title === 'string' ? [title] : [])),
        )
        return titles.toSorted()
      })
      .toEqual(shown)
    await expect
      .poll(async () => (await page.locator('.todo .title').allTextContents()).toSorted())
      .toEqual(shown)
  }
}

const leaders = async (pages: readonly Page[]): Promise<number> => {
  const all = await Promise.all(
    pages.map(page => page.evaluate(() => Number(window.rhtmxSync.status().leader))),
  )
  return all.filter(leads => leads === 1).length
}

test(
  '[T3] [T4] fifty edits without a server, the leader dies, all tabs reload: each is stored once, in its tab’s order',
  { tag: '@chromium' },
  async ({ context }) => {
    const [first, ...others] = await five(context)
    await server.stop('SIGKILL')
    await expect(first.locator('#word')).toHaveText('reconnecting')
    await edit([first, ...others])
    await expectShown([first, ...others], 50)
    await crash(first)
    await expect.poll(() => leaders(others)).toBe(1)
    for (const page of others) {
      await page.reload()
      await page.evaluate(() => window.rhtmxSync.ready)
    }
    // in the place of the dead one, without a server too
    const pages = [...others, await open(context)]
    await expectShown(pages, 50)
    expect(stored()).toEqual([])
    await server.start()
    await expectShown(pages, 0)
    expectStored()
    expect(await leaders(pages)).toBe(1)
  },
)

test(
  '[Q3] [T2] the leader dies between sending and the answer: the next one sends again, and nothing is there twice',
  { tag: '@chromium' },
  async ({ context }) => {
    let isHeld = false
    await context.routeWebSocket(/./, socket => {
      const far = socket.connectToServer()
      far.onMessage(message => {
        if (!isHeld) socket.send(message)
      })
    })
    const [first, ...others] = await five(context)
    isHeld = true
    await edit([first, ...others])
    await expect.poll(() => stored().length).toBeGreaterThan(0)
    // of no answer: they are held
    for (const one of others)
      await expect.poll(() => one.evaluate(() => window.rhtmxSync.pending().length)).toBe(50)
    await crash(first)
    isHeld = false
    await expectShown(others, 0)
    expectStored()
    expect(await leaders(others)).toBe(1)
  },
)
