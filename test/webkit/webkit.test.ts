// The browser requirements in WebKit, the engine of Safari: what another engine could do differently, that is the wire,
// the disk, the tabs and the page's life. What happens within the scripts is the business of test/browser.
import { DatabaseSync } from 'node:sqlite'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Proxy } from '../browser/support/http-proxy.ts'
import { site, sql, todoSync } from '../browser/support/processes.ts'
import type { Server } from '../browser/support/processes.ts'
import { Wire } from '../browser/support/proxy.ts'
import { recording } from '../browser/support/recorder.ts'
import { counted } from '../browser/support/counted.ts'
import { Driver } from './webdriver.ts'
import type { Browser, Tab } from './webdriver.ts'

let driver: Driver
let browser: Browser
let tab: Tab
let server: Server
let wire: Wire
let file: string

beforeAll(async () => {
  driver = await Driver.start()
})
afterAll(() => driver.stop())

beforeEach(async () => {
  server = await site().start()
  wire = await Wire.to(server.port)
  file = path.join(server.folder, 'app.db')
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace'), (2, 'Alan')")
  browser = await driver.open()
  tab = await browser.tab()
})
afterEach(async () => {
  await browser.close()
  await wire.close()
  await server.dispose()
})

interface Visit {
  readonly url?: string
  /** Runs before the scripts of the page. */
  readonly before?: string
  readonly attributes?: string
  readonly htmx?: string
  readonly body?: string
}

async function visit(one: Tab, { url = wire.url, before = '', attributes = '', ...more }: Visit = {}) {
  const query = new URLSearchParams({
    before: `${recording}\n${before}`,
    attributes: `data-sync-entities="users" ${attributes}`,
    ...more,
  })
  await one.goto(`${url}/?${query}`)
  await ready(one)
}

const ready = (one: Tab) =>
  one.evaluate(async () => {
    await window.rhtmxSync.ready
  })

const status = (one: Tab) => one.evaluate(() => window.rhtmxSync.status())
const online = (one: Tab) => one.evaluate(() => window.rhtmxSync.isOnline)
const pending = (one: Tab) => one.evaluate(() => window.rhtmxSync.pending().length)
const rename = (one: Tab, id: number, name: string) =>
  one.evaluate((id, name) => window.rhtmxSync.pushChange('users', id, 'update', { name }), id, name)
const names = (one: Tab) => one.evaluate(() => window.rhtmxSync.getAll('users').map(row => row['name']))
const leads = (tabs: readonly Tab[]) => Promise.all(tabs.map(async one => (await status(one)).leader))
const told = (one: Tab, type: string) =>
  one.evaluate(
    type =>
      window.told.filter(({ type: is, on }) => is === type && on === 'window').map(({ detail }) => detail),
    type,
  )
const states = async (one: Tab) => (await told(one, 'rhtmx:connection:state')).map(({ state }) => state)

/** What the server's table holds. */
function table(): unknown[] {
  const db = new DatabaseSync(file)
  const rows = db.prepare('SELECT name FROM users ORDER BY id').all()
  db.close()
  return rows.map(({ name }) => name)
}

/** The server's HTML and the client's rows. */
async function shows(tabs: readonly Tab[], expected: readonly string[]): Promise<void> {
  for (const one of tabs) {
    await expect.poll(() => one.texts('#users p')).toEqual(expected)
    await expect.poll(() => names(one)).toEqual(expected)
  }
}

/** The records of a store, read past the client. */
const disk = (one: Tab, store: string) =>
  one.evaluate(async name => {
    const asked = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener('success', () => resolve(request.result))
        request.addEventListener('error', () => reject(request.error))
      })
    const db = await asked(indexedDB.open('syncline-anon'))
    const records: unknown[] = await asked(db.transaction(name).objectStore(name).getAll())
    db.close()
    return records
  }, store)

test('[K1] [F1] T-B01 T-B13 T-B31 a page loads: one socket, ready once, the rows on its disk', async () => {
  await visit(tab)
  await shows([tab], ['Grace', 'Alan'])
  expect(await states(tab)).toEqual(['connecting', 'connected'])
  expect(await told(tab, 'rhtmx:sync:ready')).toEqual([
    { client: 'entity', online: true, storage: 'indexeddb' },
  ])
  expect(await counted(server)).toEqual({ open: 1, opened: 1, paths: ['/api/sync/ws'], requests: 0 })
})

test('[C1] T-B14 T-B30 T-B31 somebody’s SQL is on screen, on the disk, and announced', async () => {
  await visit(tab)
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 2; DELETE FROM users WHERE id = 1")
  await shows([tab], ['Ada'])
  await expect
    .poll(() => disk(tab, 'users'))
    .toEqual([expect.objectContaining({ row: { id: 2, name: 'Ada', email: null } })])
  expect((await told(tab, 'rhtmx:users:changed')).at(-1)).toMatchObject({ entity: 'users', source: 'server' })
})

test('[Q2] T-B01 T-B19 T-B31 an edit is stored and answered over the same socket', async () => {
  await visit(tab)
  expect(await rename(tab, 1, 'Ada')).toMatchObject({
    status: 'applied',
    id: '1',
    version: expect.any(Number),
  })
  expect(table()).toEqual(['Ada', 'Alan'])
  await shows([tab], ['Ada', 'Alan'])
  expect(await counted(server)).toEqual({ open: 1, opened: 1, paths: ['/api/sync/ws'], requests: 0 })
})

test('[Q4] [Q5] T-B12 T-B31 an edit that the server refuses is rolled back and kept', async () => {
  await visit(tab)
  await expect(rename(tab, 1, '')).rejects.toThrow('the database refused the change')
  await shows([tab], ['Grace', 'Alan'])
  expect(await status(tab)).toMatchObject({ pending: 0, deadLetters: 1 })
})

test('[K1] [Q1] T-B03 T-B09 T-B10 T-B20 T-B31 over a cut wire edits are shown and wait, and all arrive when it is mended', async () => {
  await visit(tab)
  wire.cut()
  await expect.poll(() => online(tab)).toBe(false)
  expect(await rename(tab, 1, 'Ada')).toMatchObject({ status: 'queued', version: null })
  expect(await rename(tab, 1, 'Barbara')).toMatchObject({ status: 'queued', version: null })
  expect(await names(tab)).toEqual(['Barbara', 'Alan'])
  await sql(file, "UPDATE users SET name = 'Tony' WHERE id = 2")
  expect((await disk(tab, '_pending')).length).toBe(2)
  wire.mend()
  await expect.poll(() => pending(tab)).toBe(0)
  await shows([tab], ['Barbara', 'Tony'])
  expect(table()).toEqual(['Barbara', 'Tony'])
  expect(await states(tab)).toEqual(['connecting', 'connected', 'disconnected', 'reconnecting', 'connected'])
})

test('[K3] T-B31 a frozen wire is noticed when the page has a reason to doubt it', async () => {
  await visit(tab)
  wire.freeze()
  await tab.evaluate(() => void window.dispatchEvent(new Event('online')))
  // sooner than a page notices that has no reason
  await expect.poll(() => online(tab)).toBe(false)
  expect(await states(tab)).toEqual(['connecting', 'connected', 'disconnected', 'reconnecting'])
  expect(await rename(tab, 1, 'Ada')).toMatchObject({ status: 'queued' })
  wire.cut()
  wire.mend()
  await shows([tab], ['Ada', 'Alan'])
})

test('[R7] [R9] T-B08 T-B31 a reload without a connection: the rows of a large table and the edit that waits', async () => {
  const proxy = await Proxy.to(server.port)
  try {
    await sql(
      file,
      `WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO users (id, name) SELECT i, 'name ' || i FROM n`,
    )
    await visit(tab, { url: proxy.url })
    // in pages, not in records
    await expect.poll(async () => (await disk(tab, '_pages')).length).toBe(5)
    await tab.evaluate(() => window.rhtmxSync.disconnect())
    expect(await rename(tab, 1, 'Ada')).toMatchObject({ status: 'queued' })
    proxy.upgrades = 'hang'
    await tab.reload()
    await ready(tab)
    expect((await names(tab)).length).toBe(5000)
    expect(await tab.evaluate(() => window.rhtmxSync.get('users', 1))).toEqual({
      id: 1,
      name: 'Ada',
      email: null,
    })
    proxy.upgrades = 'pass'
    await expect.poll(() => pending(tab)).toBe(0)
    expect(table()[0]).toBe('Ada')
  } finally {
    await proxy.close()
  }
})

test('[F11] T-B08 T-B31 the example opens without a server, with its rows and what waits', async () => {
  const todos = await todoSync().start()
  try {
    const example = path.join(todos.folder, 'todo.db')
    await sql(example, "DELETE FROM todos; INSERT INTO todos (id, title) VALUES (1, 'Coffee')")
    await tab.goto(`http://localhost:${todos.port}/`)
    await ready(tab)
    const kept = () =>
      tab.evaluate(async () => {
        const requests = await Promise.all(
          (await caches.keys()).map(async name => (await caches.open(name)).keys()),
        )
        return requests.flat().map(({ url }) => new URL(url).pathname)
      })
    await expect
      .poll(async () => (await kept()).map(name => name.replace(/[\da-f]{16}/, '#')))
      .toEqual(expect.arrayContaining(['/', '/api/sync/client.#.js', '/api/sync/lazy.#.js', '/htmx.js']))
    await todos.stop('SIGKILL')
    await expect.poll(() => online(tab)).toBe(false)
    await tab.evaluate(async () => {
      await window.rhtmxSync.pushChange('todos', null, 'create', { title: 'Milk' })
    })
    await tab.reload()
    await ready(tab)
    await expect.poll(() => tab.texts('.todo .title')).toEqual(['Milk', 'Coffee'])
    await todos.start()
    await expect.poll(() => pending(tab)).toBe(0)
    await expect.poll(() => tab.texts('.todo .title')).toEqual(['Milk', 'Coffee'])
  } finally {
    await todos.dispose()
  }
})

test('T-B15 T-B31 a database of version 1 is upgraded and keeps what it had', async () => {
  await tab.goto(`${wire.url}/blank`)
  await tab.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.open('syncline-anon', 1)
        request.addEventListener('upgradeneeded', () => {
          request.result.createObjectStore('_meta', { keyPath: 'key' }).put({ key: 'kept', value: 42 })
        })
        request.addEventListener('error', () => reject(request.error))
        request.addEventListener('success', () => resolve(request.result.close()))
      }),
  )
  await visit(tab)
  expect(await status(tab)).toMatchObject({ storage: 'indexeddb' })
  expect(await disk(tab, '_meta')).toContainEqual({ key: 'kept', value: 42 })
})

test.each(['htmx1', 'htmx2', 'htmx4'])(
  '[F4] [F6] T-B14 T-B31 fetched, bound, and written by a form without a network: %s',
  async htmx => {
    const body = `<div id="users" hx-get="/api/users" hx-trigger="load, rhtmx:users:changed from:body"></div>
      <b data-rhtmx-bind="users:1:name">-</b>
      <form hx-put="/form" data-rhtmx-form="users" data-rhtmx-id="1"><input name="name"><button>Save</button></form>`
    await visit(tab, { htmx, body })
    await shows([tab], ['Grace', 'Alan'])
    await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
    await shows([tab], ['Ada', 'Alan'])
    await expect.poll(() => tab.texts('b')).toEqual(['Ada'])
    wire.cut()
    await expect.poll(() => online(tab)).toBe(false)
    await tab.evaluate(() => {
      const field = document.querySelector('input')
      if (field !== null) field.value = 'Barbara'
      document.querySelector('button')?.click()
    })
    await expect.poll(() => tab.texts('b')).toEqual(['Barbara'])
    wire.mend()
    await shows([tab], ['Barbara', 'Alan'])
    expect(table()).toEqual(['Barbara', 'Alan'])
  },
)

test('[T1] [T3] T-B21 T-B24 T-B31 two tabs: one socket, one leader, each edit in both', async () => {
  await visit(tab)
  const second = await browser.newTab()
  await visit(second)
  const tabs = [tab, second]
  expect(await leads(tabs)).toEqual([true, false])
  await rename(second, 1, 'Ada')
  await rename(tab, 2, 'Tony')
  await shows(tabs, ['Ada', 'Tony'])
  await sql(file, "UPDATE users SET name = 'Barbara' WHERE id = 1")
  await shows(tabs, ['Barbara', 'Tony'])
  expect(await counted(server)).toEqual({ open: 1, opened: 1, paths: ['/api/sync/ws'], requests: 0 })
})

test('[T2] T-B31 the tab that leads is closed: the other one takes over', async () => {
  await visit(tab)
  const second = await browser.newTab()
  await visit(second)
  await tab.close()
  await expect.poll(() => leads([second])).toEqual([true])
  expect(await rename(second, 1, 'Ada')).toMatchObject({ status: 'applied' })
  await sql(file, "UPDATE users SET name = 'Tony' WHERE id = 2")
  await shows([second], ['Ada', 'Tony'])
  await expect.poll(() => counted(server)).toMatchObject({ open: 1, opened: 2 })
})

test('[K10] X35 T-B31 a page that is left and comes back is live again', async () => {
  await visit(tab)
  await tab.goto(`${wire.url}/blank`)
  await expect.poll(async () => (await counted(server)).open).toBe(0)
  await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 1")
  await tab.back()
  await shows([tab], ['Ada', 'Alan'])
  expect(await rename(tab, 2, 'Tony')).toMatchObject({ status: 'applied' })
})

test.each([
  ['indexedDB', 'window', { storage: 'memory', leader: true, transport: 'websocket' }],
  ['WebSocket', 'window', { storage: 'indexeddb', leader: true, transport: 'sse' }],
  ['BroadcastChannel', 'window', { storage: 'indexeddb', leader: true, transport: 'websocket' }],
  ['locks', 'navigator', { storage: 'indexeddb', leader: true, transport: 'websocket' }],
])('[T5] X31 T-B02 T-B25 T-B31 without %s the page works all the same', async (name, owner, expected) => {
  await visit(tab, { before: `Object.defineProperty(${owner}, '${name}', { value: undefined })` })
  await expect.poll(() => status(tab)).toMatchObject(expected)
  expect(await told(tab, 'rhtmx:sync:ready')).toEqual([
    { client: 'entity', online: true, storage: expected.storage },
  ])
  expect(await rename(tab, 1, 'Ada')).toMatchObject({ status: 'applied' })
  await sql(file, "UPDATE users SET name = 'Tony' WHERE id = 2")
  await shows([tab], ['Ada', 'Tony'])
})
