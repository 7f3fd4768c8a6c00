// What lies on the browser's disk, read past the client.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { Page } from '@playwright/test'
import { disk } from './support/disk.ts'
import { columnIn, rowsIn, site, sql } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import { record, told } from './support/recorder.ts'
import { counted } from './support/counted.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await site().start()
  file = path.join(server.folder, 'app.db')
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace'), (2, 'Alan')")
})
test.afterEach(() => server.dispose())

async function open(page: Page): Promise<void> {
  await page.goto(`http://localhost:${server.port}/`)
  await page.evaluate(() => window.rhtmxSync.ready)
}

const status = (page: Page) =>
  page.evaluate(() => {
    const { storage, leader } = window.rhtmxSync.status()
    return { storage, leader }
  })

const rows = async (page: Page): Promise<unknown[]> =>
  // reason: the client writes records {id, seq, row}
  (await disk(page, 'users')).records.map(record => (record as { row: unknown }).row)

test('T-B30 the store of an entity equals the table, also after a change and a delete', async ({ page }) => {
  await open(page)
  await expect
    .poll(() => rows(page))
    .toEqual([
      { id: 1, name: 'Grace', email: null },
      { id: 2, name: 'Alan', email: null },
    ])
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 2; DELETE FROM users WHERE id = 1")
  await expect.poll(() => rows(page)).toEqual([{ id: 2, name: 'Ada', email: null }])
})

const many = `WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
  INSERT INTO users (id, name, email) SELECT i, 'name ' || i, iif(i % 3 = 0, NULL, i || '@example.org') FROM n`

/** All rows as text, as a page without a connection has them after a reload. */
async function offline(page: Page): Promise<string[]> {
  await page.routeWebSocket(/./, socket => socket.close())
  await page.route(/sync\/(?:events|push|stream|sse)/, route => route.abort())
  await page.reload()
  await page.evaluate(() => window.rhtmxSync.ready)
  return page.evaluate(() =>
    window.rhtmxSync
      .getAll('users')
      .map(row => JSON.stringify(row))
      .sort(),
  )
}

const table = (): string[] =>
  rowsIn(file, 'SELECT id, name, email FROM users')
    .map(row => JSON.stringify(row))
    .sort()

/** Of pages that were written by housekeeping; beyond all, where there are none yet. */
async function heaviestJournal(page: Page): Promise<number> {
  // reason: the client's own keys
  const keys = (await disk(page, '_pages')).keys as [entity: string, page: number, n: number, count: number][]
  const weights = new Map<number, number>()
  let isTidied = false
  for (const [, page, n, count] of keys) {
    const before = weights.get(page)
    weights.set(page, before === undefined ? 0 : before + count + 8)
    isTidied ||= n < 0
  }
  return isTidied ? Math.max(...weights.values()) : Infinity
}

test('[R9] a large table lies in pages and is whole after a reload, also after changes and deletes', async ({
  page,
}) => {
  await sql(file, many)
  await open(page)
  // [entity, page, n, count]
  await expect.poll(async () => (await disk(page, '_pages')).keys.length).toBe(5)
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id % 10 = 2; DELETE FROM users WHERE id % 10 = 1")
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.getAll('users').length)).toBe(4500)
  // a while after the last rows the tab that leads puts the journals into their pages
  await expect.poll(() => heaviestJournal(page)).toBeLessThan(128)
  expect(await rows(page)).toEqual([])
  expect(await offline(page)).toEqual(table())
})

test(
  '[R8] no room on the disk: announced, nothing half-written, the page goes on in memory',
  { tag: '@chromium' },
  async ({ page }) => {
    await sql(file, many)
    const session = await page.context().newCDPSession(page)
    const origin = `http://localhost:${server.port}`
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 100_000 })
    await open(page)
    await expect
      .poll(() => page.evaluate(() => window.rhtmxSync.status().lastError?.code))
      .toBe('STORAGE_FULL')
    expect(await page.evaluate(() => window.rhtmxSync.getAll('users').length)).toBe(5000)
    expect((await disk(page, '_pages')).keys).toEqual([])
    expect(await rows(page)).toEqual([])
    expect((await disk(page, '_meta')).keys).not.toContain('entity:users')
  },
)

test('[Q1] [Q2] T-B08 T-B09 T-B10 _pending survives a reload and is sent in order when the network is back', async ({
  page,
}) => {
  await open(page)
  await page.evaluate(async () => {
    window.rhtmxSync.disconnect()
    for (const name of ['A', 'B', 'C']) await window.rhtmxSync.pushChange('users', 1, 'update', { name })
  })
  const queue = async () => {
    const { records, indexes } = await disk(page, '_pending')
    // reason: the client's own record
    return [
      indexes,
      (records as { mutation: { writes: { data: unknown }[] } }[]).map(
        record => record.mutation.writes[0]?.data,
      ),
    ]
  }
  const expected = [['timestamp'], [{ name: 'A' }, { name: 'B' }, { name: 'C' }]]
  expect(await queue()).toEqual(expected)
  await sql(
    file,
    'CREATE TABLE seen (name TEXT); CREATE TRIGGER note AFTER UPDATE ON users BEGIN INSERT INTO seen VALUES (new.name); END',
  )
  await server.stop()
  await server.start()
  await page.reload()
  await page.evaluate(() => window.rhtmxSync.ready)
  await expect.poll(async () => (await disk(page, '_pending')).records).toEqual([])
  await expect(page.locator('#users p')).toHaveText(['C', 'Alan'])
  expect(columnIn(file, 'SELECT name FROM seen')).toEqual(['A', 'B', 'C'])
})

test('T-B11 _optimistic holds what is shown until the server has answered', async ({ page }) => {
  await record(page)
  await open(page)
  await page.evaluate(() => {
    window.rhtmxSync.disconnect()
    return window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' })
  })
  expect((await disk(page, '_optimistic')).keys).toEqual([['users', '1']])
  expect(await told(page, 'rhtmx:users:changed')).toEqual([
    expect.objectContaining({ id: '1', source: 'local' }),
  ])
  await page.evaluate(() => window.rhtmxSync.connect())
  await expect.poll(async () => (await disk(page, '_optimistic')).keys).toEqual([])
  await expect(page.locator('#users p')).toHaveText(['Ada', 'Alan'])
})

test('T-B15 a database of version 1 is upgraded and keeps what it had', async ({ page }) => {
  await page.goto(`http://localhost:${server.port}/blank`)
  await page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.open('syncline-anon', 1)
        request.onupgradeneeded = () => {
          request.result.createObjectStore('_meta', { keyPath: 'key' }).put({ key: 'kept', value: 42 })
        }
        request.onerror = () => reject(request.error)
        request.onsuccess = () => resolve(request.result.close())
      }),
  )
  await open(page)
  const { version, stores, records } = await disk(page, '_meta')
  expect(version).toBe(2)
  expect(stores).toEqual(expect.arrayContaining(['_meta', '_optimistic', '_pending', 'users']))
  expect(records).toContainEqual({ key: 'kept', value: 42 })
  expect(await page.evaluate(() => window.rhtmxSync.status().storage)).toBe('indexeddb')
})

test('[T5] T-B31 without IndexedDB, and without Web Locks, the page works all the same', async ({
  page,
  browser,
}) => {
  await page.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }))
  await open(page)
  expect(await page.evaluate(() => window.rhtmxSync.status().storage)).toBe('memory')
  const other = await browser.newPage()
  await other.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }))
  await open(other)
  // the lead that is stored decides instead of the lock
  expect(await status(other)).toMatchObject({ storage: 'indexeddb', leader: true })
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  for (const one of [page, other]) await expect(one.locator('#users p')).toHaveText(['Ada', 'Alan'])
  await other.close()
})

test('T-B02 without WebSocket: fallback_sse at once; T-B01 with it: one socket and no POST', async ({
  page,
  browser,
}) => {
  const posts: string[] = []
  page.on('request', request => request.method() === 'POST' && posts.push(request.url()))
  await open(page)
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  expect(await counted(server)).toEqual({ open: 1, opened: 1, paths: ['/api/sync/ws'], requests: 0 })
  expect(posts).toEqual([])

  const other = await browser.newPage()
  await other.addInitScript(() => Object.defineProperty(window, 'WebSocket', { value: undefined }))
  await record(other)
  await open(other)
  expect((await told(other, 'rhtmx:connection:state')).at(-1)).toMatchObject({ state: 'fallback_sse' })
  await other.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Barbara' }))
  for (const one of [page, other]) await expect(one.locator('#users p')).toHaveText(['Barbara', 'Alan'])
  await other.close()
})

test('[T1] two tabs of one browser: one disk, one leader, each edit seen by both', async ({
  page,
  context,
}) => {
  await open(page)
  const second = await context.newPage()
  await open(second)
  expect(await status(page)).toMatchObject({ storage: 'indexeddb', leader: true })
  expect(await status(second)).toMatchObject({ storage: 'indexeddb', leader: false })
  await second.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 2, 'update', { name: 'Tony' }))
  for (const one of [page, second]) await expect(one.locator('#users p')).toHaveText(['Ada', 'Tony'])
})

test('[R8] T-B32 puts that fail for want of room: no crash, the edit is kept, sent, and an event says so', async ({
  page,
}) => {
  await record(page)
  await open(page)
  // a first copy is on its way to the disk
  await expect.poll(() => rows(page)).toHaveLength(2)
  await page.evaluate(() => {
    window.rhtmxSync.disconnect()
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('no room', 'QuotaExceededError')
    }
  })
  const unstored = page.evaluate(() =>
    window.rhtmxSync
      .pushChange('users', 1, 'update', { name: 'Ada' })
      .catch((error: { code: string }) => error.code),
  )
  expect(await unstored).toBe('STORAGE_FULL')
  expect(await told(page, 'rhtmx:storage:failed')).toEqual([
    { storage: 'memory', reason: 'failed', error: expect.anything() },
  ])
  expect(await page.evaluate(() => window.rhtmxSync.pending().length)).toBe(1)
  await page.evaluate(() => window.rhtmxSync.connect())
  await expect.poll(() => page.evaluate(() => window.rhtmxSync.pending().length)).toBe(0)
  await expect(page.locator('#users p')).toHaveText(['Ada', 'Alan'])
})

const removeDatabase = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.deleteDatabase('syncline-anon')
        request.onsuccess = () => resolve()
        request.onerror = () => reject(request.error)
      }),
  )

test('[R12] an evicted database: announced with the edits that went with it, and loaded anew', async ({
  page,
}) => {
  await record(page)
  await open(page)
  await page.waitForFunction(() => localStorage.getItem('syncline-anon') !== null)
  await page.evaluate(async () => {
    window.rhtmxSync.disconnect()
    for (const name of ['A', 'B']) await window.rhtmxSync.pushChange('users', 1, 'update', { name })
  })
  await page.goto(`http://localhost:${server.port}/blank`)
  await removeDatabase(page)
  await open(page)
  await expect
    .poll(() => told(page, 'rhtmx:storage:failed'))
    .toEqual([{ storage: 'indexeddb', reason: 'evicted', lost: 2, error: null }])
  await expect(page.locator('#users p')).toHaveText(['Grace', 'Alan'])
  await expect.poll(() => rows(page)).toHaveLength(2)
})

test('[R12] deleted under two open tabs: each says so, and what they hold is sent', async ({
  page,
  context,
}) => {
  await record(page)
  await open(page)
  const second = await context.newPage()
  await record(second)
  await open(second)
  for (const one of [page, second])
    await one.waitForFunction(() => (window as { rhtmxLazy?: unknown }).rhtmxLazy !== undefined)
  await page.evaluate(async () => {
    window.rhtmxSync.disconnect()
    await window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' })
  })
  await removeDatabase(second)
  for (const one of [page, second])
    await expect
      .poll(() => told(one, 'rhtmx:storage:failed'))
      .toMatchObject([{ storage: 'memory', reason: 'failed' }])
  // they are on their own now, and both were told to be offline
  for (const one of [page, second]) await one.evaluate(() => window.rhtmxSync.connect())
  for (const one of [page, second]) await expect(one.locator('#users p')).toHaveText(['Ada', 'Alan'])
})

test('[T4] X30 a page with more tables upgrades the database under an open one, which goes on with it', async ({
  page,
  context,
}) => {
  await open(page)
  const attributes = encodeURIComponent('data-sync-entities="users,posts,things"')
  const second = await context.newPage()
  await second.goto(`http://localhost:${server.port}/?attributes=${attributes}`)
  await expect.poll(async () => (await disk(page, '_meta')).version).toBe(3)
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'update', { name: 'Ada' }))
  await expect.poll(() => rows(page)).toContainEqual({ id: 1, name: 'Ada', email: null })
  for (const one of [page, second])
    expect(await one.evaluate(() => window.rhtmxSync.status().storage)).toBe('indexeddb')
})
