// The documents' quick start in a real browser, with every htmx there is.
import path from 'node:path'
import { expect, test } from '@playwright/test'
import type { ChangedRow } from 'syncline/rhtmx'
import { home } from './support/home.ts'
import { site, sql } from './support/processes.ts'
import type { Server } from './support/processes.ts'
import { record, told } from './support/recorder.ts'
import { counted } from './support/counted.ts'

let server: Server
let file: string

test.beforeEach(async () => {
  server = await site().start()
  file = path.join(server.folder, 'app.db')
})
test.afterEach(() => server.dispose())

const fetched = async (): Promise<number> =>
  Number(await (await fetch(`http://localhost:${server.port}/fetched`)).text())

for (const htmx of ['htmx1', 'htmx2', 'htmx4']) {
  test(`T-B14 one event per change and one fetch per event: ${htmx}`, async ({ page }) => {
    await sql(file, "INSERT INTO users (id, name) VALUES (7, 'Grace'), (8, 'Alan')")
    await record(page)
    await page.goto(`http://localhost:${server.port}/?htmx=${htmx}`)
    await page.evaluate(() => window.rhtmxSync.ready)
    await expect(page.locator('#users p')).toHaveText(['Grace', 'Alan'])
    expect(await fetched()).toBe(1)

    await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 7")
    await expect(page.locator('#users p')).toHaveText(['Ada', 'Alan'])
    const change = {
      entity: 'users',
      id: '7',
      ids: ['7'],
      action: 'update',
      source: 'server',
      version: expect.any(Number),
    }
    for (const target of ['window', 'document', 'body'] as const) {
      expect(await told(page, 'rhtmx:users:changed', target)).toEqual([expect.objectContaining(change)])
    }

    await sql(file, 'DELETE FROM users WHERE id = 8')
    await expect(page.locator('#users p')).toHaveText(['Ada'])
    expect(await told(page, 'rhtmx:users:changed')).toEqual([
      expect.objectContaining(change),
      expect.objectContaining({ entity: 'users', id: '8', action: 'delete' }),
    ])
    expect(await fetched()).toBe(3)
  })
}

test('T-B13 T-B18 rhtmx:sync:ready once on every target; the log is silent without data-debug', async ({
  page,
}) => {
  const lines: string[] = []
  page.on('console', message => lines.push(message.text()))
  await record(page)
  await page.goto(`http://localhost:${server.port}/?attributes=data-sync-entities="users, posts"`)
  await page.evaluate(() => window.rhtmxSync.ready)
  await page.evaluate(() => window.rhtmxSync.log('nobody reads this'))
  for (const target of ['window', 'document', 'body'] as const) {
    expect(await told(page, 'rhtmx:sync:ready', target)).toEqual([
      { client: 'entity', online: true, storage: 'indexeddb' },
    ])
  }
  expect(Object.keys(await page.evaluate(() => window.rhtmxSync.status().cursors))).toEqual([
    'users',
    'posts',
  ])
  await home(page)
  expect(lines).toEqual([])

  await page.goto(`http://localhost:${server.port}/`)
  await page.evaluate(() => window.rhtmxSync.log('somebody reads this'))
  expect(lines).toContainEqual('[rhtmx-sync] somebody reads this')
})

test('T-B19 A52 pushChange as the documents write it, online', async ({ page }) => {
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace')")
  await page.goto(`http://localhost:${server.port}/`)
  const result = await page.evaluate(async () => {
    await window.rhtmxSync.ready
    return window.rhtmxSync.pushChange('users', '1', 'update', {
      id: '1',
      name: 'Alice',
      email: 'alice@example.com',
    })
  })
  expect(result).toEqual({ status: 'applied', entity: 'users', id: '1', version: expect.any(Number) })
  await expect(page.locator('#users p')).toHaveText(['Alice'])
  const made = await page.evaluate(() =>
    window.rhtmxSync.pushChange('users', null, 'create', { name: 'Barbara' }),
  )
  expect(made).toEqual({ status: 'applied', entity: 'users', id: '2', version: expect.any(Number) })
  await expect(page.locator('#users p')).toHaveText(['Alice', 'Barbara'])
  await page.evaluate(() => window.rhtmxSync.pushChange('users', 1, 'delete'))
  await expect(page.locator('#users p')).toHaveText(['Barbara'])
  // a word that is none is no update
  const refused = await page.evaluate(async () => {
    const actions: string[] = ['DELETE', 'remove', 'upsert']
    const pushes = actions.map(action =>
      window.rhtmxSync.pushChange('users', 2, action as 'delete', { name: 'X' }).then(
        ({ status }) => status,
        ({ code }: { code: string }) => code,
      ),
    )
    return [...(await Promise.all(pushes)), window.rhtmxSync.get('users', 2)?.['name']]
  })
  expect(refused).toEqual(['INVALID_MESSAGE', 'INVALID_MESSAGE', 'INVALID_MESSAGE', 'Barbara'])
})

test('T-B12 A30 a rejected push rolls back, is announced, and is kept for a retry', async ({ page }) => {
  await sql(file, "INSERT INTO users (id, name) VALUES (1, 'Grace')")
  await record(page)
  await page.goto(`http://localhost:${server.port}/`)
  const code = await page.evaluate(async () => {
    await window.rhtmxSync.ready
    const push = window.rhtmxSync.pushChange('users', 1, 'update', { name: '' })
    return push.then(
      () => null,
      (error: { code: string }) => error.code,
    )
  })
  expect(code).toBe('CONSTRAINT_FAILED')
  const seen = await page.evaluate(() => ({
    row: window.rhtmxSync.get('users', 1),
    pending: window.rhtmxSync.pending().length,
    dead: window.rhtmxSync.deadLetters().map(({ error, writes }) => [error.code, writes[0]?.data]),
  }))
  expect(seen).toEqual({
    row: { id: 1, name: 'Grace', email: null },
    pending: 0,
    dead: [[code, { name: '' }]],
  })
  expect(await told(page, 'rhtmx:mutation:rejected')).toEqual([
    {
      entity: 'users',
      id: '1',
      n: expect.any(Number),
      data: { name: '' },
      error: expect.objectContaining({ code }),
    },
  ])
  await expect
    .poll(() => told(page, 'rhtmx:users:changed'))
    .toContainEqual(expect.objectContaining({ id: '1', source: 'rollback' }))
})

test('the script twice, a wrong strategy, and a burst of changes', async ({ page }) => {
  const errors: string[] = []
  page.on('console', message => message.type() === 'error' && errors.push(message.text()))
  await record(page)
  await page.goto(
    `http://localhost:${server.port}/?attributes=data-sync-entities="users" data-conflict-strategy="newest"`,
  )
  await page.evaluate(() => window.rhtmxSync.ready)
  expect(errors).toEqual([expect.stringContaining('data-conflict-strategy="newest"')])

  const same = await page.evaluate(async () => {
    const before = window.rhtmxSync
    const again = document.createElement('script')
    again.src = '/api/sync/client.js'
    again.dataset['syncEntities'] = 'users'
    const loaded = new Promise(resolve => (again.onload = resolve))
    document.head.append(again)
    await loaded
    return before === window.rhtmxSync
  })
  expect(same).toBe(true)

  const values = Array.from({ length: 40 }, (_, i) => `INSERT INTO users (name) VALUES ('n${i}');`).join('')
  await sql(file, `BEGIN; ${values} COMMIT`)
  await expect(page.locator('#users p')).toHaveCount(40)
  const ids = async () => (await told(page, 'rhtmx:users:changed')).flatMap(event => event['ids'])
  await expect.poll(async () => (await ids()).length).toBe(40)
  expect((await told(page, 'rhtmx:users:changed')).length).toBeLessThan(10)
})

test('T-S26 the same page over WebSocket and over SSE: the same events and the same data', async ({
  browser,
}) => {
  const runs = []
  for (const webSocket of ['true', 'false']) {
    await sql(file, "DELETE FROM users; INSERT INTO users (id, name) VALUES (1, 'Grace'), (2, 'Alan')")
    const context = await browser.newContext()
    const page = await context.newPage()
    const before = (await counted(server)).opened
    await record(page)
    const attributes = `data-sync-entities="users" data-use-websocket="${webSocket}"`
    await page.goto(`http://localhost:${server.port}/?attributes=${attributes}`)
    await page.evaluate(() => window.rhtmxSync.ready)
    const rows = page.locator('#users p')
    await expect(rows).toHaveText(['Grace', 'Alan'])
    await sql(file, "UPDATE users SET name = 'Ada' WHERE id = 2")
    await expect(rows).toHaveText(['Grace', 'Ada'])
    await sql(file, "INSERT INTO users (id, name) VALUES (3, 'Edsger')")
    await expect(rows).toHaveText(['Grace', 'Ada', 'Edsger'])
    const pushed = await page.evaluate(() =>
      window.rhtmxSync.pushChange('users', 3, 'update', { name: 'Tony' }),
    )
    await expect(rows).toHaveText(['Grace', 'Ada', 'Tony'])
    await sql(file, 'DELETE FROM users WHERE id = 1')
    await expect(rows).toHaveText(['Ada', 'Tony'])
    // what comes within 50 ms is one event; which does depends on the transport's speed
    const events = await told(page, 'rhtmx:users:changed')
    const changes = events.flatMap(event => event['changes'] as ChangedRow[]) // reason: our own event
    runs.push({
      changes: changes.map(({ id, action, source }) => [id, action, source]),
      ready: await told(page, 'rhtmx:sync:ready'),
      status: pushed.status,
      data: await page.evaluate(() => window.rhtmxSync.getAll('users')),
    })
    expect((await counted(server)).opened - before).toBe(webSocket === 'true' ? 1 : 0)
    expect((await told(page, 'rhtmx:connection:state')).map(({ state }) => state)).toEqual([
      'connecting',
      webSocket === 'true' ? 'connected' : 'fallback_sse',
    ])
    await context.close()
  }
  expect(runs[1]).toEqual(runs[0])
  expect(runs[0]?.data).toEqual([
    { id: 2, name: 'Ada', email: null },
    { id: 3, name: 'Tony', email: null },
  ])
})
